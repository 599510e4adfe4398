//! What every table function does, on whichever database is behind the store.
//!
//! Each module exercises one table through `exercise(open)`, where `open` opens one more connection to one store.
//! [`on_sqlite`] runs them all on SQLite; another database gets a module like it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod agent;
mod attempt;
mod dependency;
mod event;
mod fixture;
mod lease_token;
mod message;
mod on_sqlite;
mod plans;
mod request;
mod run;
mod task;
mod thread;
mod transaction;
mod worker;
mod worktree;

/// Opens one more connection to the store under test.
type StoreOpener<'a> = &'a (dyn Fn() -> orch_store::Store + Sync);
