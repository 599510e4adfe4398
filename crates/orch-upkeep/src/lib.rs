//! The scheduler's operations that remove and repair: runs with what they left, their branches, worktrees of attempts, and the attic.
//!
//! Each refuses, or keeps a copy of, what exists nowhere else.

pub mod clean;
pub mod repair;
pub mod rm;
pub mod worktree;
