//! Git by the `git` program: commits, references, worktrees, merges, salvage.
//!
//! Start at [`Repository`]; a [`Worktree`] is one checkout of it.
//! `program` is the only file that starts git, and all output of git is parsed by pure functions.
//! No branch or file that holds work is ever deleted: removing a worktree requires its [`Salvage`], and references move
//! only from where the caller expects them.
//!
//! The crate knows no other crate of this workspace: [`HostPrograms`] is what its caller provides.

mod branch;

mod config;
mod conversions;
mod create;
mod diff;
mod error;
mod flush;
mod git_folders;
mod hooks;
mod host;
mod identity;
mod ignored_files;
mod index;
mod index_entry;
mod isolated;
mod limit;
mod lock_file;
mod merge;
mod move_obstacle;
mod name;
mod plain_ref;
mod program;
mod recognised_merge;
mod ref_health;
mod ref_removal;
mod reference;
mod repository;
mod revision;
mod salvage;
mod snapshot;
mod stale_lock;
mod status;
mod unsaved_content;
mod version;
mod worktree;
mod written_files;

#[cfg(test)]
extern crate self as orch_git;
#[cfg(test)]
#[path = "../tests/it/test_host.rs"]
mod test_host;

pub use branch::BranchMove;
pub use diff::{ChangedAreas, DiffStyle, DiffText, FileDiffStat, LineCount};
pub use error::{GitError, GitFailureCause};
pub use git_folders::read_git_folders;
pub use host::{ExceededLimit, HostPrograms, LockUse, ProgramLimits, ProgramOutput, READING_COMMANDS};
pub use identity::UserIdentity;
pub use ignored_files::{CopiedFiles, SkipReason};
pub use isolated::{
    IsolatedCheckout, delete_checkout_settings, list_isolated_checkouts, remove_empty_folders,
};
pub use merge::{CommitRelation, MergeAllOutcome, MergeConflict, MergeOutcome};
pub use move_obstacle::MoveObstacle;
pub use name::{BlobId, CommitId, RefName, TreeId};
pub use program::Git;
pub use ref_health::{RefCondition, record_seen_branch, was_seen_in_this_boot};
pub use reference::{BranchFingerprint, BranchReading, RefLogEntry, RefTip, read_loose_branch};
pub use repository::Repository;
pub use revision::{AheadBehind, CommitSummary};
pub use salvage::{RestoredWorktree, Salvage, SalvageRequest};
pub use stale_lock::{GitLock, GitLockState, LockScope};
pub use status::{DirtyFile, FileChangeKind, WorktreeHead, WorktreeStatus};
pub use unsaved_content::{NestedProblem, UnsavedContent, UnsavedProblem};
pub use worktree::{
    CheckoutTarget, FoundWorktree, RegisteredWorktree, ReuseOutcome, Worktree, WorktreeObstacle,
    WorktreeSpec, canonicalize_existing, exists_at, is_folder_at, sweep_deleted_folders,
};
pub use written_files::{WrittenFiles, digest_text};
