//! A handle of a process: it tells of its end, and a signal by it reaches no other that was given its number.
//!
//! Linux has such handles since 5.3; elsewhere a process is known by its number, and its end by a thread.

use std::io;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

use super::identity::ProcessIdentity;

/// A process by its number; none has a number beyond the positive ones of the system.
pub(super) fn to_pid(number: u32) -> Option<Pid> {
    i32::try_from(number).ok().and_then(Pid::from_raw)
}

/// A handle that becomes readable when the process has ended; nothing where the system gives none.
#[cfg(target_os = "linux")]
pub(super) fn open_pidfd(number: u32) -> Option<OwnedFd> {
    rustix::process::pidfd_open(to_pid(number)?, rustix::process::PidfdFlags::empty()).ok()
}

#[cfg(not(target_os = "linux"))]
pub(super) fn open_pidfd(_number: u32) -> Option<OwnedFd> {
    None
}

/// Signals the process, if it is still there and we may.
#[cfg(target_os = "linux")]
pub(super) fn signal_pidfd(handle: &OwnedFd, signal: Signal) {
    let _ = rustix::process::pidfd_send_signal(handle, signal);
}

#[cfg(not(target_os = "linux"))]
pub(super) fn signal_pidfd(_handle: &OwnedFd, _signal: Signal) {}

/// Gives what becomes readable when this child has ended.
///
/// The child is not waited for, so that its number, and its group's, stay its own until we have seen it.
pub(super) fn child_exit_handle(child: u32) -> io::Result<OwnedFd> {
    if let Some(handle) = open_pidfd(child) {
        return Ok(handle);
    }
    let (read, write) = io::pipe()?;
    let child = to_pid(child);
    std::thread::Builder::new().name("child-end".to_owned()).spawn(move || {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        if let Some(child) = child {
            while let Err(rustix::io::Errno::INTR) = rustix::process::waitid(WaitId::Pid(child), options) {}
        }
        drop(write);
    })?;
    Ok(read.into())
}

/// Gives what becomes readable when this process ends; nothing where it has ended, or where the system gives none.
#[must_use]
pub fn process_exit_handle(process: ProcessIdentity) -> Option<OwnedFd> {
    // Looked at after the handle was taken: from then on the number is its own.
    open_pidfd(process.pid()).filter(|_| process.is_alive())
}

/// Asks a process to end; says whether it was there to be asked.
#[must_use]
pub fn request_termination(process: ProcessIdentity) -> bool {
    match open_pidfd(process.pid()) {
        // Looked at after the handle was taken: from then on the number is its own.
        Some(handle) if process.is_alive() => {
            signal_pidfd(&handle, Signal::TERM);
            true
        }
        Some(_) => false,
        None => {
            process.is_alive()
                && to_pid(process.pid())
                    .is_some_and(|pid| rustix::process::kill_process(pid, Signal::TERM).is_ok())
        }
    }
}
