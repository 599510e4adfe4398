//! Tests of what touches git, against the real program in folders of its own.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod carry;
mod crash;
mod diff;
mod ground;
mod merge;
mod references;
mod repository;
mod reuse;
mod salvage;
mod snapshot;
mod test_host;
mod worktrees;
