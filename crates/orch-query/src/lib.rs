//! What the scheduler tells: the operations that only read, one per file.
//!
//! They see the store as if it had just been reconciled, and change nothing else.

pub mod agents;
pub mod ahead;
pub mod blocked;
pub mod brief;
pub mod clashes;
mod cooldowns;
pub mod diff;
pub mod doctor;
pub mod events;
pub(crate) mod failed_operations;
pub mod graph;
pub mod log;
pub mod meter;
pub mod plan_export;
pub mod profiles;
pub mod ps;
pub mod ready;
pub mod report;
pub(crate) mod repository_health;
pub mod review;
pub mod status;
pub mod task;
pub mod timeline;
pub mod usage;
pub mod wait;
pub mod why;
pub mod worktree;
