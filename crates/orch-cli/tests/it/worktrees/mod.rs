//! Worktrees through the door: listed, taken away, brought back, used again, and what is left over found.

mod fixture;
mod git_locks;
mod lost_branch;
mod prune;
mod reconcile;
mod remove_and_restore;
mod reuse;
