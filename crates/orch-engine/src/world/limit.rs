//! The bounds of what the world may cost: versions, outputs, waits.

use std::time::Duration;

/// The oldest git that merges without a checkout (`merge-tree --write-tree`): major and minor.
pub const GIT_VERSION_MIN: (u32, u32) = (2, 38);

/// How much of a git command's output is read.
pub const GIT_OUTPUT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How much of what git complains about is kept.
pub const GIT_STDERR_BYTES_MAX: usize = 2_000;

/// How long one git command may take; the checkout of a very large tree is the longest.
pub const GIT_COMMAND_LIMIT: Duration = Duration::from_secs(60 * 60);

/// How long to wait for other processes that change which worktrees there are: a few short commands each.
pub const ADMINISTRATION_WAIT: Duration = Duration::from_secs(120);

/// How long to wait for another process that writes the files of a tree.
pub const TREE_WAIT: Duration = Duration::from_secs(20 * 60);

/// How often to try a lock that another process holds.
pub const LOCK_RETRY: Duration = Duration::from_millis(2);

/// How many locks the worktrees of one repository share among them.
pub const TREE_LOCKS: u64 = 1_024;

/// How long the processes of a check may take to end after they were asked to.
pub const CHECK_GRACE: Duration = Duration::from_secs(5);

/// How long to wait until processes are gone that cannot refuse to go.
pub const KILL_WAIT: Duration = Duration::from_secs(5);

/// How often to look whether the processes of a check are gone.
pub const KILL_LOOK: Duration = Duration::from_millis(5);

/// The shortest log that a check may be given.
pub const CHECK_LOG_BYTES_MIN: u64 = 1_024;

/// How much of the end of a check's output is handed back.
pub const CHECK_TAIL_BYTES: usize = 4_000;

/// How much is read at once from a pipe.
pub(crate) const PIPE_BYTES: usize = 64 * 1024;

/// How much room a disk must have left before another worktree is made on it.
pub const DISK_FLOOR_BYTES: u64 = 64 * 1024 * 1024;
