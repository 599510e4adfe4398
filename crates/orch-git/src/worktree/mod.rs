//! Worktrees: creating, reusing, locking and removing them.
//!
//! `add` and `reuse` create one, `remove` deletes one that was salvaged, `list` lists the registered ones, and `open`
//! opens one.
//! `excluded` keeps out of its work what was written into it before the work began.
//! `lock_reason` is the lock of git, and `lock` the locks between our own processes.

mod add;
mod excluded;
mod list;
mod lock;
mod lock_reason;
mod open;
mod outer_folder;
mod relink;
mod remove;
mod reuse;

pub(super) use add::is_path_available;
pub use add::{CheckoutTarget, WorktreeSpec};
pub use list::{RegisteredWorktree, canonicalize_existing};
pub(super) use lock::RepositoryLock;
pub(super) use lock::pause_before_retry;
pub use open::Worktree;
pub(super) use open::parse_path_file;
pub(super) use remove::delete_folder;
pub use remove::sweep_deleted_folders;
pub use reuse::{ReuseOutcome, WorktreeObstacle};
