//! Text for the responses of `orch`.

mod agents;
mod blocked;
pub mod brief;
mod clean;
mod coordination;
mod demo;
mod diff;
mod dispatch;
mod drive;
mod events;
pub mod graph;
mod judgement;
mod land;
mod lead;
pub mod live;
mod log;
mod meter;
mod profile;
mod report;
mod review;
mod run;
mod setup;
pub mod state;
mod status;
mod store;
mod task;
mod timeline;
mod usage;
mod web;
mod worktree;

/// Formats a number with its noun: `1 task`, `3 tasks`.
fn counted_noun(count: impl TryInto<u64>, one: &str, many: &str) -> String {
    let count = count.try_into().unwrap_or(u64::MAX);
    format!("{count} {}", if count == 1 { one } else { many })
}
