//! The world outside the store: git, processes and disks. Nothing else in the engine touches them.
//!
//! Nothing here decides and nothing here knows of runs, tasks or attempts: it does what it is told,
//! so that doing it again after a crash is harmless, and says what it found.
//! Start at [`git::Repository`] for worktrees, merges and salvage, at [`process::Check`] for commands,
//! and at [`process::Worker`] for what runs long and may leave others behind.

pub mod disk;
pub mod environment;
pub mod git;
pub mod limit;
pub mod process;

pub use environment::Environment;
