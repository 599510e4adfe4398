//! Many processes, killed processes, and a world that fails: the built programs under what happens to them in earnest.
//!
//! [`fixture`] is where a test works and how it waits; the storms themselves live in orch-testkit, so that
//! `cargo xtask soak` can let them rage for hours. A test that needs what the machine does not have says loudly
//! that it did not run, and fails where `ORCH_REQUIRE_TOOLS` names it.

#![expect(clippy::unwrap_used, reason = "a test may end with a panic, in its helpers too")]

mod fixture;

mod concurrent_start;
mod crash;
mod damage;
mod limits;
mod lost_replies;
mod storm;
mod trace;
mod waits;
mod workers;
