//! Many processes, killed processes, and a world that fails: the built programs under what happens to them in earnest.
//!
//! [`place`] is where a test works and how it waits; the storms themselves live in orch-testkit, so that
//! `cargo xtask soak` can let them rage for hours. A test that needs what the machine does not have says loudly
//! that it did not run, and fails where `ORCH_REQUIRE_TOOLS` names it.

#![expect(clippy::unwrap_used, reason = "a test may end with a panic, in its helpers too")]

mod place;

mod beginnings;
mod crash;
mod damage;
mod limits;
mod storm;
mod trace;
mod unheard;
mod waits;
mod workers;
