//! The folders of a run on disk: its repository and branch, the worktrees of its attempts, and the check trees in which its checks run; what its workers are told about them, and what of it is left.
//!
//! Nothing here decides about tasks: the callers do, with what these functions return, and record it.

pub mod branch_protection;
pub mod check_cache;
pub mod check_key;
pub mod check_tree;
pub mod checks;
pub mod continuation;
pub mod disk_space;
pub mod git_locks;
pub mod orphans;
pub mod run_location;
pub mod run_remains;
pub mod run_repository;
pub mod task_outcome;
pub mod tracked_branch;
pub mod work_message;
pub mod worktree_pool;
