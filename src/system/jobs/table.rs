//! The system's table of processes: who descends from whom, and who bears a mark.
//!
//! It only reads. A name in it is whatever a process calls itself.

use std::collections::HashMap;

use rustix::process::{Pid, Signal, kill_process};

use super::MARK;

/// One process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: i32,
    pub(super) parent: i32,
    pub(super) session: i32,
    pub(super) name: String,
    /// Whether it has ended and only waits for its parent to ask how.
    pub(super) is_zombie: bool,
}

impl Entry {
    /// Sends it a signal. It may have ended meanwhile, which is as well.
    pub(super) fn signal(&self, signal: Signal) {
        if let Some(pid) = Pid::from_raw(self.id) {
            let _ = kill_process(pid, signal);
        }
    }
}

/// Those that descend from `ancestor`, parents before their children; itself not among them.
pub(super) fn descendants(ancestor: i32) -> Vec<Entry> {
    let mut children: HashMap<i32, Vec<Entry>> = HashMap::new();
    for entry in all() {
        children.entry(entry.parent).or_default().push(entry);
    }
    let mut found = children.remove(&ancestor).unwrap_or_default();
    let mut at = 0;
    while let Some(entry) = found.get(at) {
        // Each list is taken once, so that a table that changed while it was read cannot lead in a circle.
        let more = children.remove(&entry.id).unwrap_or_default();
        found.extend(more);
        at += 1;
    }
    found
}

/// Those that bear `mark`, or belong to `session`; this process not among them.
pub(super) fn marked(mark: &str, session: Option<i32>) -> Vec<Entry> {
    let mark = format!("{MARK}={mark}").into_bytes();
    let own = rustix::process::getpid().as_raw_nonzero().get();
    let mut found = all();
    found.retain(|entry| {
        let of_session = session == Some(entry.session);
        entry.id != own && !entry.is_zombie && (of_session || bears(entry.id, &mark))
    });
    found
}

#[cfg(target_os = "linux")]
#[expect(clippy::disallowed_methods, reason = "files of the kernel, not of the user")]
mod source {
    use super::Entry;

    /// All of them.
    pub(super) fn all() -> Vec<Entry> {
        let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
        let ids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        // One that ended between the two looks is not there any more.
        ids.filter_map(|id| parse(id, &std::fs::read(format!("/proc/{id}/stat")).ok()?)).collect()
    }

    /// `id (name) state parent group session ...`, where the name may hold brackets, spaces and line feeds.
    fn parse(id: i32, stat: &[u8]) -> Option<Entry> {
        let open = memchr::memchr(b'(', stat)?;
        let close = memchr::memrchr(b')', stat)?;
        let name = String::from_utf8_lossy(stat.get(open + 1..close)?).into_owned();
        let rest = std::str::from_utf8(stat.get(close + 1..)?).ok()?;
        let mut fields = rest.split_ascii_whitespace();
        let is_zombie = matches!(fields.next()?, "Z" | "X");
        let parent = fields.next()?.parse().ok()?;
        let session = fields.nth(1)?.parse().ok()?;
        Some(Entry { id, parent, session, name, is_zombie })
    }

    /// Whether a variable stands in the environment that a process was started with.
    pub(super) fn bears(id: i32, variable: &[u8]) -> bool {
        std::fs::read(format!("/proc/{id}/environ"))
            .is_ok_and(|environ| environ.split(|byte| *byte == 0).any(|each| each == variable))
    }

    /// The number of the newest process of the system: what grows with every start of one.
    pub(in super::super) fn newest() -> Option<i64> {
        let load = std::fs::read_to_string("/proc/loadavg").ok()?;
        load.split_ascii_whitespace().next_back()?.parse().ok()
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_name_may_hold_anything() {
            let entry = parse(7, b"7 (a) b\n(c) S 3 7 5 0 -1 4194560").unwrap();
            let name = "a) b\n(c".to_owned();
            assert_eq!(entry, Entry { id: 7, parent: 3, session: 5, name, is_zombie: false });
            for broken in [&b""[..], b"7 (a", b"7 (a) S 3", b"7 )a( S 3 7 5", b"7 (a) S x 7 5"] {
                assert_eq!(parse(7, broken), None);
            }
        }

        #[test]
        fn this_process_is_in_the_table() {
            let own = rustix::process::getpid().as_raw_nonzero().get();
            let parent = rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get());
            let entry = all().into_iter().find(|entry| entry.id == own).unwrap();
            assert_eq!(entry.parent, parent);
            assert!(newest().unwrap() > 0);
        }
    }
}

/// Elsewhere `ps` knows them.
#[cfg(not(target_os = "linux"))]
mod source {
    use super::Entry;

    fn ps(arguments: &[&str]) -> Vec<u8> {
        #[expect(clippy::disallowed_methods, reason = "this is the seam that the rule points to")]
        let output = std::process::Command::new("/bin/ps").args(arguments).output();
        output.map(|output| output.stdout).unwrap_or_default()
    }

    /// All of them. Sessions are not told everywhere, so a group stands for its session.
    pub(super) fn all() -> Vec<Entry> {
        let table = ps(&["-A", "-o", "pid=,ppid=,pgid=,stat=,ucomm="]);
        String::from_utf8_lossy(&table).lines().filter_map(parse).collect()
    }

    fn parse(line: &str) -> Option<Entry> {
        let mut fields = line.split_ascii_whitespace();
        let mut number = || fields.next()?.parse::<i32>().ok();
        let (id, parent, session) = (number()?, number()?, number()?);
        let is_zombie = fields.next()?.starts_with('Z');
        Some(Entry { id, parent, session, name: fields.collect::<Vec<_>>().join(" "), is_zombie })
    }

    /// Whether a variable stands in the environment that a process was started with.
    pub(super) fn bears(id: i32, variable: &[u8]) -> bool {
        let shown = ps(&["-E", "-ww", "-o", "command=", "-p", &id.to_string()]);
        shown.split(|byte| *byte == b' ' || *byte == b'\n').any(|each| each == variable)
    }

    /// Nobody tells.
    pub(in super::super) fn newest() -> Option<i64> {
        None
    }
}

use source::{all, bears};

pub(super) use source::newest;
