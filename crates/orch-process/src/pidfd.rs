//! Handles of processes: they report the exit, and a signal through them reaches no other process with a reused pid.
//!
//! Linux has pidfds since 5.3; elsewhere a process is known by its pid, and a thread waits for its exit.

use std::io;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

use crate::identity::ProcessIdentity;

/// Converts a pid; returns `None` for numbers that no process can have.
pub(crate) fn to_pid(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

/// Opens a handle that becomes readable when the process has exited; `None` if the system has none.
#[cfg(target_os = "linux")]
pub(crate) fn open_pidfd(pid: u32) -> Option<OwnedFd> {
    rustix::process::pidfd_open(to_pid(pid)?, rustix::process::PidfdFlags::empty()).ok()
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn open_pidfd(_pid: u32) -> Option<OwnedFd> {
    None
}

/// Signals the process, if it still exists and we may.
#[cfg(target_os = "linux")]
pub(crate) fn signal_pidfd(handle: &OwnedFd, signal: Signal) {
    let _ = rustix::process::pidfd_send_signal(handle, signal);
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn signal_pidfd(_handle: &OwnedFd, _signal: Signal) {}

/// Opens a handle that becomes readable when a child has exited.
///
/// The child is not reaped, so that its pid and its group id are not reused.
pub(crate) fn child_exit_handle(child: u32) -> io::Result<OwnedFd> {
    if let Some(handle) = open_pidfd(child) {
        return Ok(handle);
    }
    let (reader, writer) = io::pipe()?;
    let child = to_pid(child);
    std::thread::Builder::new().name("child-exit".to_owned()).spawn(move || {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        if let Some(child) = child {
            while let Err(rustix::io::Errno::INTR) = rustix::process::waitid(WaitId::Pid(child), options) {}
        }
        drop(writer);
    })?;
    Ok(reader.into())
}

/// Opens a handle that becomes readable when a process exits; `None` if it has exited or the system has no handles.
#[must_use]
pub fn process_exit_handle(process: ProcessIdentity) -> Option<OwnedFd> {
    // Verified after opening: if the process is alive now, the handle refers to it.
    open_pidfd(process.pid()).filter(|_| process.is_alive())
}

/// Sends SIGTERM to a process; returns whether it was alive.
#[must_use]
pub fn request_termination(process: ProcessIdentity) -> bool {
    match open_pidfd(process.pid()) {
        // Verified after opening: if the process is alive now, the handle refers to it.
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
