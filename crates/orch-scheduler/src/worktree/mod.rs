//! `orch worktree …`: the recorded worktrees of attempts, compared with what is on the disk.
//!
//! Removing and restoring are effects: asked for in one transaction, performed after it.

pub mod prune;
pub mod remove;
pub mod restore;
pub mod subject;

pub use subject::WorktreeSummary;
