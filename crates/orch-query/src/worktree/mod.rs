//! `orch worktree list|show`: the recorded worktrees of attempts, compared with what is on the disk.

pub mod list;
pub mod show;
