//! The responses of the commands of `orch`, one file per command or group.

pub mod agents;
pub mod blocked;
pub mod brief;
pub mod cursor;
pub mod demo;
pub mod dependency;
pub mod diff;
pub mod dispatch;
pub mod doctor;
pub mod drive;
pub mod events;
pub mod graph;
pub mod judgement;
pub mod land;
pub mod log;
pub mod meter;
pub mod plan;
pub mod reconcile;
pub mod request;
pub mod run;
pub mod status;
pub mod task;
pub mod tell;
pub mod timeline;
pub mod why;
pub mod worktree;
