//! A control group (cgroup v2) around one command, where the system lets us make one: membership that no process
//! can leave, a kill that reaches all at once, and a bound on their number that the kernel itself holds.
//!
//! Everything here is a gift: whatever fails, the command runs without it.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use super::Limits;

/// How the groups of commands are called, before the warden's number.
const PREFIX: &str = "aside-tool";

/// Threads for each process that is allowed: the kernel counts threads, and builds have many.
const THREADS: u64 = 8;

/// A group. Removed when dropped, if nothing is left in it.
pub(super) struct Scope {
    dir: PathBuf,
}

#[expect(clippy::disallowed_methods, reason = "files of the kernel, not of the user")]
impl Scope {
    /// Makes one below the group of this process.
    pub(super) fn new(limits: &Limits) -> Option<Self> {
        if !cfg!(target_os = "linux") {
            return None;
        }
        let below = own(
            &std::fs::read_to_string("/proc/self/mountinfo").ok()?,
            &std::fs::read_to_string("/proc/self/cgroup").ok()?,
        )?;
        sweep(&below, &prefix()?);
        let dir = below.join(format!("{}{}", prefix()?, std::process::id()));
        std::fs::create_dir(&dir).ok()?;
        let scope = Self { dir };
        // Without the controller there is no such file, and the warden counts by itself.
        let most = u64::from(limits.processes).saturating_mul(THREADS);
        let _ = std::fs::write(scope.dir.join("pids.max"), most.to_string());
        Some(scope)
    }

    /// What a process writes to to join.
    pub(super) fn entrance(&self) -> Option<OwnedFd> {
        std::fs::OpenOptions::new().write(true).open(self.dir.join("cgroup.procs")).ok().map(OwnedFd::from)
    }

    /// Kills all in it at once.
    pub(super) fn kill(&self) {
        // Kernels before 5.14 have no such file.
        let _ = std::fs::write(self.dir.join("cgroup.kill"), "1");
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.dir);
    }
}

/// Wardens are numbered by their namespace: in another, the same number is another process.
fn prefix() -> Option<String> {
    let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?;
    let number: String = namespace.to_str()?.chars().filter(char::is_ascii_digit).collect();
    Some(format!("{PREFIX}-{number}-"))
}

/// Kills and removes the groups whose warden is gone.
#[expect(clippy::disallowed_methods, reason = "files of the kernel, not of the user")]
fn sweep(below: &Path, prefix: &str) {
    for entry in std::fs::read_dir(below).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let warden = name.to_str().and_then(|name| name.strip_prefix(prefix)?.parse::<i32>().ok());
        let Some(pid) = warden.and_then(rustix::process::Pid::from_raw) else { continue };
        if rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH) {
            let scope = Scope { dir: entry.path() };
            scope.kill();
        }
    }
}

/// The folder of this process's group, from where the groups are mounted and which one it is in.
fn own(mounts: &str, groups: &str) -> Option<PathBuf> {
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    // "id parent device root place options - kind source options"
    let (root, place) = mounts.lines().find_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        if right.split(' ').next()? != "cgroup2" {
            return None;
        }
        let mut fields = left.split(' ').skip(3);
        Some((fields.next()?, fields.next()?))
    })?;
    let inside = Path::new("/").join(group);
    let inside = inside.strip_prefix(root).ok()?;
    // A group above what is mounted cannot be reached.
    let reachable = !inside.components().any(|part| part == std::path::Component::ParentDir);
    reachable.then(|| Path::new(place).join(inside))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_group_is_found_below_its_mount() {
        let mounts = "24 30 0:22 / /proc rw - proc proc rw\n\
                      30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
        let of = |groups: &str| own(mounts, groups);
        assert_eq!(
            of("1:name=x:/y\n0::/user.slice/a.scope\n"),
            Some("/sys/fs/cgroup/user.slice/a.scope".into())
        );
        assert_eq!(of("0::/\n"), Some("/sys/fs/cgroup".into()));
        assert_eq!(of("0::/../a\n"), None);
        assert_eq!(of("4:memory:/x\n"), None);
        assert_eq!(own("", "0::/\n"), None);
        let inner = mounts.replace(" / /sys", " /docker/x /sys");
        assert_eq!(own(&inner, "0::/docker/x/y\n"), Some("/sys/fs/cgroup/y".into()));
        assert_eq!(own(&inner, "0::/other\n"), None);
    }
}
