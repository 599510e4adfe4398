//! Tests with the real git program in temporary folders.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

mod attic;
mod branch;
mod carry;
mod crash;
mod diff;
mod ground;
mod hand_over;
mod isolated;
mod merge;
mod ref_health;
mod references;
mod repository;
mod reuse;
mod salvage;
mod snapshot;
mod stale_locks;
mod test_host;
mod unsaved;
mod worktrees;
