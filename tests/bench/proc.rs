//! What Linux tells of a running process: memory and processor time. Elsewhere every answer is `None`.

use std::fs;
use std::thread;
use std::time::Duration;

/// Memory of a process, in bytes.
#[derive(Clone, Copy)]
pub(crate) struct Memory {
    /// All that is resident; most of it is pages of the binary.
    pub(crate) resident: f64,
    /// What belongs to no file.
    pub(crate) anonymous: f64,
}

pub(crate) fn memory(pid: u32) -> Option<Memory> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kibibytes: f64 = line.trim_end_matches("kB").trim().parse().ok()?;
        Some(kibibytes * 1024.0)
    };
    Some(Memory { resident: field("VmRSS:")?, anonymous: field("RssAnon:")? })
}

/// Processor time of all threads, in seconds.
///
/// The scheduler counts it in nanoseconds for each thread that lives, and in ticks of 10 ms for the process;
/// the latter also knows threads that have ended.
pub(crate) fn cpu(pid: u32) -> Option<f64> {
    let mut living = 0.0;
    for thread in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        let path = thread.ok()?.path().join("schedstat");
        // A thread may end while it is looked at.
        let Ok(line) = fs::read_to_string(path) else { continue };
        living += line.split(' ').next()?.parse::<f64>().ok()? / 1e9;
    }
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold anything, also spaces.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    let all = (ticks()? + ticks()?) / 100.0;
    // Two roundings stand between the numbers where no thread has ended.
    Some(if all > living + 0.02 { all } else { living })
}

/// Waits until the process has come to rest, and tells its processor time, in seconds.
pub(crate) fn settled_cpu(pid: u32) -> Option<f64> {
    let mut last = cpu(pid)?;
    let mut same = 0;
    // What never rests is measured all the same.
    for _ in 0..200 {
        thread::sleep(Duration::from_millis(10));
        let now = cpu(pid)?;
        same = if now > last { 0 } else { same + 1 };
        last = now;
        if same == 3 {
            break;
        }
    }
    Some(last)
}
