//! Git, by the `git` program: commits, references, worktrees, merges, and what keeps work from being lost.
//!
//! Start at [`Repository`]; [`Worktree`] is one checkout of it.
//! `program` is the only file that starts git, and what git answers is read by pure parsers.
//! Nothing here deletes a branch or a file that holds work: removing a worktree takes the proof
//! that it was salvaged, and references move only from where the caller saw them.

mod carry;
mod create;
mod diff;
mod error;
mod forget;
mod index;
mod limit;
mod merge;
mod name;
mod program;
mod reference;
mod repository;
mod revision;
mod salvage;
mod settings;
mod snapshot;
mod status;
mod version;
mod worktree;

pub use carry::{Carried, Skipped};
pub use diff::{Areas, DiffStyle, DiffText, FileChange, LineCount};
pub use error::{Cause, GitError, Unsupported};
pub use merge::{Conflict, Merge, MergeAll, Relation};
pub use name::{BlobId, CommitId, RefName, TreeId};
pub use program::Git;
pub use reference::RefEntry;
pub use repository::Repository;
pub use revision::{CommitLine, Distance, Head};
pub use salvage::{Restored, Salvage};
pub use status::{Change, DirtyFile, TreeState};
pub use worktree::{
    Addition, Checkout, Reuse, ScratchHold, Unfit, Worktree, WorktreeEntry, real, sweep_removed,
};
