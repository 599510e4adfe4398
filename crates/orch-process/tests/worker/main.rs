//! Tests of workers with real processes, in a test program of their own because it becomes a child subreaper.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

mod ended;
mod started;
mod watched;
mod worker_sandbox;
