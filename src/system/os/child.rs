//! What a command of a tool does to itself between its birth and its program: a session of its own, its limits,
//! and the wish to die with whoever started it.
//!
//! The one place of the house that runs code after a fork. It must make system calls and nothing else there:
//! no memory is allocated and no lock is taken.

use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, setsid};

/// How a command is born.
#[derive(Debug)]
pub struct Birth {
    /// Open files that it may have, unless the system lets it raise that.
    pub files: Option<u64>,
    /// Bytes of address space of each of its processes.
    pub memory: Option<u64>,
    /// The list of processes of a control group that it is to join.
    pub group: Option<OwnedFd>,
}

/// Makes `command` be born that way, as the leader of a session of its own.
#[expect(unsafe_code, reason = "the standard library cannot promise what runs after a fork")]
pub fn prepare(command: &mut Command, birth: Birth) {
    // SAFETY: the closure runs in the child after the fork, where other threads' locks may be held for ever. It
    // makes system calls on values that were made before the fork, allocates nothing and takes no lock.
    unsafe {
        command.pre_exec(move || be_born(&birth));
    }
}

fn be_born(birth: &Birth) -> std::io::Result<()> {
    setsid()?;
    #[cfg(target_os = "linux")]
    {
        // From the thread that starts it, which lives as long as its process.
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
        if let Some(group) = &birth.group {
            // Where it may not join, it is found by its parents all the same.
            let _ = rustix::io::write(group, b"0");
        }
        be_first_to_go();
    }
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    if let Some(files) = birth.files {
        let maximum = getrlimit(Resource::Nofile).maximum;
        let current = maximum.map_or(files, |most| most.min(files));
        setrlimit(Resource::Nofile, Rlimit { current: Some(current), maximum })?;
    }
    #[cfg(not(target_os = "openbsd"))]
    if let Some(memory) = birth.memory {
        setrlimit(Resource::As, Rlimit { current: Some(memory), maximum: Some(memory) })?;
    }
    Ok(())
}

/// When memory runs out, a tool goes before the editor and its server.
#[cfg(target_os = "linux")]
fn be_first_to_go() {
    use rustix::fs::{Mode, OFlags, open};
    // A system without the file, or one that hides it, has its own ways.
    if let Ok(file) = open(c"/proc/self/oom_score_adj", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()) {
        let _ = rustix::io::write(&file, b"500");
    }
}

/// Keeps every descriptor but the three standard ones from the programs that this process starts: an editor may
/// have left some of its own open.
#[expect(unsafe_code, reason = "descriptors that were inherited have no owner to borrow them from")]
pub fn keep_descriptors() {
    let folder = if cfg!(target_os = "linux") { "/proc/self/fd" } else { "/dev/fd" };
    #[expect(clippy::disallowed_methods, reason = "a folder of the kernel, not a file of the user")]
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let numbers: Vec<i32> =
        entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    for number in numbers.into_iter().filter(|number| *number > 2) {
        // SAFETY: the number was open a moment ago. If it was closed since (the folder's own was), the call
        // fails; whichever descriptor has it now, being kept from children is what all of them should be.
        let descriptor = unsafe { std::os::fd::BorrowedFd::borrow_raw(number) };
        let _ = rustix::io::fcntl_setfd(descriptor, rustix::io::FdFlags::CLOEXEC);
    }
}
