//! Profiles as files, and the output of clients as they print it.

#![expect(clippy::unwrap_used, reason = "a test that cannot continue has failed")]

mod brief;
mod clients;
mod document;
mod events;
mod files;
