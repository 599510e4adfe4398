//! Limits of what programs may cost: output, waiting time, disk space.

use std::time::Duration;

/// The default grace period between SIGTERM and SIGKILL for the processes of a check.
pub const CHECK_GRACE: Duration = Duration::from_secs(5);

/// How long to wait for processes to exit after SIGKILL.
pub(crate) const KILL_WAIT: Duration = Duration::from_secs(5);

/// How long to wait for a guard to exit, after the grace period: it kills its processes, and waits for them.
pub(crate) const GUARD_WAIT: Duration = Duration::from_secs(10);

/// The poll interval for the exit of processes without a pidfd.
pub(crate) const EXIT_POLL_INTERVAL: Duration = Duration::from_millis(5);

/// The interval between scans for processes that were started while others were being killed.
pub(crate) const RESCAN_INTERVAL: Duration = Duration::from_millis(50);

/// How many processes are tracked by a pidfd each during termination; the others are tracked by their identity.
pub(crate) const PIDFDS_MAX: usize = 256;

/// How much of a process's environment is searched for a tag; no system allows a larger one.
pub(crate) const ENVIRON_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// The lowest size limit of a check's log.
pub(crate) const CHECK_LOG_BYTES_MIN: u64 = 1_024;

/// How much of the end of a check's output is returned.
pub(crate) const CHECK_TAIL_BYTES: usize = 4_000;

/// The read size for the pipes of commands and checks.
pub(crate) const PIPE_READ_BYTES: usize = 64 * 1024;

/// The free space below which no further worktree is created on a file system.
pub const DISK_FLOOR_BYTES: u64 = 64 * 1024 * 1024;

/// The lowest size limit of a worker's two log files together.
pub const WORKER_LOG_BYTES_MIN: u64 = 4_096;

/// How much of the end of a worker's output is returned.
pub(crate) const WORKER_TAIL_BYTES: usize = 4_000;

/// The read size for the pipes of workers: there may be hundreds of wrappers, each with a buffer of its own.
pub(crate) const WORKER_READ_BYTES: usize = 16 * 1024;

/// How many reads of one pipe may follow one wait, so that a flood of output does not starve everything else.
pub(crate) const READS_PER_WAIT: usize = 16;

/// How many reads empty a pipe after its process has exited; no pipe holds more.
pub(crate) const READS_AFTER_EXIT: usize = 64;

/// The interval at which a worker's orphaned descendants are reaped.
pub(crate) const REAP_INTERVAL: Duration = Duration::from_secs(1);
