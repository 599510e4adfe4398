//! Limits of git: versions, output, waiting times.

use std::time::Duration;

/// The oldest supported version, major and minor: the first with `merge-tree --write-tree`.
pub(crate) const GIT_VERSION_MIN: (u32, u32) = (2, 38);

/// The most output of a git command.
pub(crate) const GIT_OUTPUT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How many bytes of paths one query for attributes names; its answer repeats each path six times.
pub(crate) const ATTRIBUTE_QUERY_BYTES_MAX: usize = 2 * 1024 * 1024;

/// How much of the stderr of a git command is kept.
pub(crate) const GIT_STDERR_BYTES_MAX: usize = 2_000;

/// The time limit of a git command; the checkout of a very large tree takes longest.
pub(crate) const GIT_COMMAND_LIMIT: Duration = Duration::from_secs(60 * 60);

/// How long to wait for other processes that add or remove worktrees, which takes each a few short commands.
pub(crate) const REGISTRATION_WAIT: Duration = Duration::from_secs(120);

/// How long to wait for another process that writes the files of a worktree.
pub(crate) const TREE_WAIT: Duration = Duration::from_secs(20 * 60);

/// The interval at which a lock of another process is tried again.
pub(crate) const LOCK_RETRY_INTERVAL: Duration = Duration::from_millis(2);

/// How many lock files the worktrees of one repository share.
pub(crate) const TREE_LOCKS: u64 = 1_024;

/// The age below which a lock file of git is never stale.
pub(crate) const LOCK_AGE_MIN: Duration = Duration::from_secs(10);

/// The age below which a lock file of git is not stale where git processes cannot be seen.
pub(crate) const LOCK_AGE_UNSEEN_MIN: Duration = Duration::from_secs(15 * 60);

/// How long to wait for another process that flushes the repository; a slow disk with much dirty data takes longest.
pub(crate) const FLUSH_WAIT: Duration = Duration::from_secs(20 * 60);

/// How much data of all programs may wait for the disk where a flush synchronizes whole file systems.
pub(crate) const FOREIGN_DIRTY_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// How often the changed files are collected again because another git repacked them.
pub(crate) const FLUSH_TRIES: u32 = 3;

/// How many levels of folders below objects and references are searched.
pub(crate) const FOLDER_DEPTH_MAX: u32 = 64;

/// How many levels of borrowed object folders are followed, as git does.
pub(crate) const ALTERNATE_DEPTH_MAX: u32 = 5;

/// How many isolated checkouts one folder may hold.
pub(crate) const ISOLATED_CHECKOUTS_MAX: u32 = 32;

/// The time limit of a command that signs a commit: a program that asks for a passphrase must not wait for an answer.
pub(crate) const SIGNING_LIMIT: Duration = Duration::from_secs(30);

/// How long the status of a worktree may take before what git may be waiting for is looked for.
pub(crate) const STATUS_PATIENCE: Duration = Duration::from_secs(10);
