//! Isolated checkouts: the files of one commit beside a git folder of their own, which borrows the repository's objects.
//!
//! A linked worktree shares settings, hooks, attributes and excludes with all others, so that a command in one of them
//! changes what a checkout in another one is.
//! Here the settings are those that were saved before, there are no hooks, and git's index is outside the checkout.
//! Before each use the git folder is written again, and whatever belongs neither to the commit nor to a record is removed.

mod checkout;
mod git_folder;
mod pool;
mod settings;

pub use checkout::IsolatedCheckout;
pub use pool::{delete_checkout_settings, list_isolated_checkouts, remove_empty_folders};
