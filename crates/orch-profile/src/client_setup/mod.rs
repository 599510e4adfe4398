//! What `orch setup` writes: which files each client reads, and how ours come into them and out again.

mod client;
mod edit;

pub use client::{ClientFile, ClientPlace, SetupClient, SetupScope, list_files, list_notes};
pub use edit::{EditProblem, FileEdit};
