//! `orch worktree …`: what changes the recorded worktrees of attempts.
//!
//! Removing and restoring are effects: asked for in one transaction, performed after it.

pub mod prune;
pub mod remove;
pub mod restore;
