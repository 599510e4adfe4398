//! What every table function does, on whichever database is behind the store.
//!
//! Each module exercises one table through `exercise(open)`, where `open` opens one more connection to one store.
//! [`on_sqlite`] runs them all on SQLite; another database gets a module like it.

#![expect(clippy::unwrap_used, reason = "a test that cannot continue has failed")]

mod agent;
mod attempt;
mod attic;
mod backup;
mod batches;
mod dependency;
mod event;
mod fixture;
mod lease_token;
mod message;
mod on_sqlite;
mod plans;
mod removal;
mod request;
mod run;
mod store_identity;
mod task;
mod thread;
mod transaction;
mod usage;
mod worker;
mod worktree;

/// Opens one more connection to the store under test.
type StoreOpener<'a> = &'a (dyn Fn() -> orch_store::Store + Sync);

/// Every function of a table is exercised, not only its plan: another database has to do the same.
#[test]
fn every_table_function_is_exercised() {
    let room = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = |folder: &str| {
        let entries = std::fs::read_dir(room.join(folder)).unwrap().map(|entry| entry.unwrap().path());
        entries.map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
    };
    let exercises: String =
        files("tests/it").filter(|(name, _)| name != "plans").map(|(_, text)| text).collect();
    let mut missing = Vec::new();
    for (table, text) in files("src/table") {
        for line in text.lines().filter_map(|line| line.strip_prefix("pub fn ")) {
            let function = line.split(['(', '<']).next().unwrap();
            let called = |name: &str| {
                let call = format!("{name}::{function}");
                exercises.match_indices(&call).any(|(at, _)| {
                    let behind = exercises[at + call.len()..].chars().next();
                    behind.is_some_and(|next| !next.is_alphanumeric() && next != '_')
                })
            };
            if !called(&table) && !called(&format!("{table}_table")) {
                missing.push(format!("{table}::{function}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}
