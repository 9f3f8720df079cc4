//! Windows' job objects: processes that the system keeps together, and kills together when the last handle closes,
//! which it does itself at the death of whoever holds it.

use std::os::windows::io::{AsRawHandle as _, FromRawHandle as _, OwnedHandle};
use std::process::Child;

use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_ACTIVE_PROCESS,
    JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE, JOB_OBJECT_LIMIT_PROCESS_MEMORY,
    JOBOBJECT_BASIC_ACCOUNTING_INFORMATION, JOBOBJECT_EXTENDED_LIMIT_INFORMATION,
    JobObjectBasicAccountingInformation, JobObjectExtendedLimitInformation, QueryInformationJobObject,
    SetInformationJobObject, TerminateJobObject,
};

/// A job object. All that is in it ends when it is dropped.
#[derive(Debug)]
pub struct JobObject(OwnedHandle);

#[expect(unsafe_code, reason = "the system's functions take raw handles and sizes")]
impl JobObject {
    /// One that takes so many processes, each of so many bytes, beside the one that watches.
    pub fn new(processes: u32, memory: Option<u64>) -> std::io::Result<Self> {
        // SAFETY: both arguments may be null, and the handle that comes back is owned by nobody else.
        let object = unsafe {
            let handle = CreateJobObjectW(std::ptr::null(), std::ptr::null());
            if handle.is_null() {
                return Err(std::io::Error::last_os_error());
            }
            Self(OwnedHandle::from_raw_handle(handle))
        };
        let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
        limits.BasicLimitInformation.LimitFlags =
            JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | JOB_OBJECT_LIMIT_ACTIVE_PROCESS;
        limits.BasicLimitInformation.ActiveProcessLimit = processes.saturating_add(1);
        if let Some(memory) = memory.and_then(|memory| usize::try_from(memory).ok()) {
            limits.BasicLimitInformation.LimitFlags |= JOB_OBJECT_LIMIT_PROCESS_MEMORY;
            limits.ProcessMemoryLimit = memory;
        }
        // SAFETY: the pointer is to a value of the kind that the class names, with its size.
        let set = unsafe {
            SetInformationJobObject(
                object.0.as_raw_handle(),
                JobObjectExtendedLimitInformation,
                (&raw const limits).cast(),
                size_of_val_u32(&limits),
            )
        };
        checked(set).map(|()| object)
    }

    /// Takes a process in. What it starts from now on is in it too.
    pub fn take(&self, child: &Child) -> std::io::Result<()> {
        // SAFETY: both handles are open as long as their owners live.
        checked(unsafe { AssignProcessToJobObject(self.0.as_raw_handle(), child.as_raw_handle()) })
    }

    /// Kills all in it.
    pub fn kill(&self) {
        // SAFETY: the handle is open as long as its owner lives.
        if unsafe { TerminateJobObject(self.0.as_raw_handle(), 1) } == 0 {
            tracing::debug!(error = %std::io::Error::last_os_error(), "a job was not ended");
        }
    }

    /// How many processes are in it now.
    pub fn len(&self) -> u32 {
        let mut told = JOBOBJECT_BASIC_ACCOUNTING_INFORMATION::default();
        // SAFETY: the pointer is to a value of the kind that the class names, with its size; the last argument
        // may be null.
        let asked = unsafe {
            QueryInformationJobObject(
                self.0.as_raw_handle(),
                JobObjectBasicAccountingInformation,
                (&raw mut told).cast(),
                size_of_val_u32(&told),
                std::ptr::null_mut(),
            )
        };
        if asked == 0 { 0 } else { told.ActiveProcesses }
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn size_of_val_u32<T>(value: &T) -> u32 {
    u32::try_from(size_of_val(value)).unwrap_or(0)
}

fn checked(succeeded: i32) -> std::io::Result<()> {
    if succeeded == 0 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
}
