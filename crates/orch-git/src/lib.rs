//! Git, by the `git` program: commits, references, worktrees, merges, and what keeps work from being lost.
//!
//! Start at [`Repository`]; [`Worktree`] is one checkout of it.
//! `program` is the only file that starts git, and what git answers is read by pure parsers.
//! Nothing here deletes a branch or a file that holds work: removing a worktree takes the proof
//! that it was salvaged, and references move only from where the caller saw them.

mod config;
mod create;
mod diff;
mod error;
mod ignored_files;
mod index;
mod limit;
mod merge;
mod name;
mod program;
mod ref_removal;
mod reference;
mod repository;
mod revision;
mod salvage;
mod snapshot;
mod status;
mod version;
mod worktree;

pub use diff::{ChangedAreas, DiffStyle, DiffText, FileDiffStat, LineCount};
pub use error::{GitError, GitFailureCause, UnsupportedContent};
pub use ignored_files::{CopiedFiles, SkipReason};
pub use merge::{CommitRelation, MergeAllOutcome, MergeConflict, MergeOutcome};
pub use name::{BlobId, CommitId, RefName, TreeId};
pub use program::Git;
pub use reference::RefTip;
pub use repository::Repository;
pub use revision::{AheadBehind, CommitSummary, WorktreeHead};
pub use salvage::{RestoredWorktree, Salvage};
pub use status::{DirtyFile, FileChangeKind, WorktreeStatus};
pub use worktree::{
    CheckoutTarget, RegisteredWorktree, ReuseOutcome, ScratchLock, Worktree, WorktreeObstacle, WorktreeSpec,
    canonicalize_existing, sweep_deleted_folders,
};
