//! Workers as real processes. A program of its own, because it becomes the parent of every orphan.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod ended;
mod started;
mod watched;
mod worker_sandbox;
