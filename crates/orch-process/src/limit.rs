//! The bounds of what programs may cost: outputs, waits, rooms on a disk.

use std::time::Duration;

/// How long the processes of a check may take to end after they were asked to.
pub const CHECK_GRACE: Duration = Duration::from_secs(5);

/// How long to wait until processes are gone that cannot refuse to go.
pub const KILL_WAIT: Duration = Duration::from_secs(5);

/// How often to look whether processes are gone, where nothing tells.
pub const KILL_LOOK: Duration = Duration::from_millis(5);

/// How often to look for processes that others started while these were being killed.
pub const KILL_ROUND: Duration = Duration::from_millis(50);

/// How many processes that are to end are held by a handle each; of the others their number is looked at.
pub const HANDLES_MAX: usize = 256;

/// How much of a process's variables is read when it is looked for by one of them; no system lets them be more.
pub const ENVIRON_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// The shortest log that a check may be given.
pub const CHECK_LOG_BYTES_MIN: u64 = 1_024;

/// How much of the end of a check's output is handed back.
pub const CHECK_TAIL_BYTES: usize = 4_000;

/// How much is read at once from a pipe.
pub(crate) const PIPE_BYTES: usize = 64 * 1024;

/// How much room a disk must have left before another worktree is made on it.
pub const DISK_FLOOR_BYTES: u64 = 64 * 1024 * 1024;

/// The smallest log that a worker may be given, of two files.
pub const WORKER_LOG_BYTES_MIN: u64 = 4_096;

/// How much of the end of a worker's output is handed back.
pub const WORKER_TAIL_BYTES: usize = 4_000;

/// How much of a worker's output is read at once: hundreds of workers may be watched, each by a process.
pub(crate) const OUTPUT_BYTES: usize = 16 * 1024;

/// How often a worker that keeps writing is read before anything else is looked at.
pub(crate) const OUTPUT_READS: usize = 16;

/// How often a worker that has ended is read: a pipe holds no more than this.
pub(crate) const OUTPUT_READS_LAST: usize = 64;

/// How long the dead that a worker left to us may wait until it is noted.
pub(crate) const REAP_LOOK: Duration = Duration::from_secs(1);
