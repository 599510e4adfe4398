//! Stories of the engine's operations, one module per subject, on a store of their own with a clock they advance.

#![expect(clippy::unwrap_used, reason = "a test that cannot continue has failed")]

mod attempts;
mod budgets;
mod bulk;
mod clocks;
mod costs;
mod costs_with_git;
mod crowds;
mod freshness;
mod graph;
mod kept_reports;
mod leases;
mod lists;
mod notes;
mod plans;
mod questions;
mod receipts;
mod runs;
mod waits;
