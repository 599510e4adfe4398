//! The bounds of what git may cost: versions, outputs, waits.

use std::time::Duration;

/// The oldest git that merges without a checkout (`merge-tree --write-tree`): major and minor.
pub(crate) const GIT_VERSION_MIN: (u32, u32) = (2, 38);

/// How much of a git command's output is read.
pub(crate) const GIT_OUTPUT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How much of what git complains about is kept.
pub(crate) const GIT_STDERR_BYTES_MAX: usize = 2_000;

/// How long one git command may take; the checkout of a very large tree is the longest.
pub(crate) const GIT_COMMAND_LIMIT: Duration = Duration::from_secs(60 * 60);

/// How long to wait for other processes that change which worktrees there are: a few short commands each.
pub(crate) const ADMINISTRATION_WAIT: Duration = Duration::from_secs(120);

/// How long to wait for another process that writes the files of a tree.
pub(crate) const TREE_WAIT: Duration = Duration::from_secs(20 * 60);

/// How often to try a lock that another process holds.
pub(crate) const LOCK_RETRY: Duration = Duration::from_millis(2);

/// How many locks the worktrees of one repository share among them.
pub(crate) const TREE_LOCKS: u64 = 1_024;
