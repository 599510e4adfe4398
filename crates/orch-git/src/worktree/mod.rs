//! Worktrees: creating, reusing, locking and removing them.
//!
//! `add` and `reuse` create one, `remove` deletes one that was salvaged, `list` lists the registered ones, and `open`
//! opens one; `registration` reads one registration from git's files.
//! `excluded` keeps out of its work what was written into it before the work began.
//! `attic` moves damaged ones aside.
//! `survey`, `nested` and `unsaved` find what a removal would lose.
//! `lock_reason` is the lock of git, and `lock` the locks between our own processes.

mod add;
mod attic;
mod deletion;
mod excluded;
mod hand_over;
mod list;
mod lock;
mod lock_reason;
mod nested;
mod open;
mod outer_folder;
mod pristine;
mod registration;
mod relink;
mod remove;
mod reuse;
mod survey;
mod unsaved;

pub(super) use add::is_path_available;
pub use add::{CheckoutTarget, WorktreeSpec};
pub use attic::FoundWorktree;
pub(super) use deletion::delete_folder;
pub use deletion::{exists_at, is_folder_at, sweep_deleted_folders};
pub use list::{RegisteredWorktree, canonicalize_existing};
pub(super) use lock::RepositoryLock;
pub(super) use lock::pause_before_retry;
pub use open::Worktree;
pub(super) use open::parse_path_file;
pub use reuse::{ReuseOutcome, WorktreeObstacle};
