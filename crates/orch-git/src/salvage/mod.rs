//! Salvage: everything that a worktree contains, kept as commits under a reference and restorable from there.
//!
//! The tree of the tip is the working tree byte for byte, including untracked files that are not ignored.
//! Its parents are the commit that was checked out and, if anything was staged, a commit of the index; during a merge also
//! a commit of the conflict stages.
//! If the reference held an earlier salvage, that is the last parent, so that nothing is lost.
//! Ignored files, empty folders, pipes, sockets and index flags without content are not kept.
//! What is neither kept nor worthless, such as an unfinished rebase, is listed as unsaved.
//!
//! `files` reads a worktree, `capture` writes the commits, `trailers` is the message of the tip, and `restore` creates a
//! worktree from them.

mod capture;
mod files;
mod restore;
mod trailers;

pub use capture::{Salvage, SalvageRequest};
pub use restore::RestoredWorktree;
