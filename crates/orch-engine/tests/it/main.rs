//! Stories of the engine's operations, one module per subject, on a store of their own with a clock they advance.
//!
//! [`profile`] reads profiles and what clients print; [`world`] tries what touches git and processes against the real things.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod attempts;
mod costs;
mod crowds;
mod freshness;
mod graph;
mod leases;
mod lists;
mod notes;
mod plans;
mod profile;
mod questions;
mod receipts;
mod runs;
mod waits;
mod world;
