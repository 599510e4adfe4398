//! Stories of runs in real repositories: worktrees, checks that the tool runs, and merging.
//!
//! [`fixture`] makes the repository and moves workers in their trees; every other file is a subject.

pub(crate) mod fixture;

mod again;
mod ahead;
mod bases;
mod boundaries;
mod branch;
mod check_environment;
mod checks;
mod cleaning;
mod contents;
mod crowd;
mod environment;
mod failing;
mod forgetting;
mod known_checks;
mod landing;
mod merging;
mod names;
mod preparing;
mod property;
mod repeats;
mod reports;
mod resolving;
mod reviewed;
mod reviewing;
mod showing;
mod states;
mod syncing;
mod trailers;
mod unsaved;
