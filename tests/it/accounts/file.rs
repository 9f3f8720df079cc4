//! The file under other processes, full disks and crashes.
