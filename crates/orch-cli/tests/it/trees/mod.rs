//! Stories of runs in real repositories: worktrees, checks that the tool runs, and merging.
//!
//! [`ground`] makes the repository and moves workers in their trees; every other file is a subject.

pub(crate) mod ground;

mod bases;
mod checks;
mod contents;
mod crowd;
mod forgetting;
mod landing;
mod merging;
mod names;
mod preparing;
mod property;
mod repeats;
mod reports;
mod showing;
mod states;
mod surroundings;
