//! `cargo xtask docs`: the documents that are made from the code, so that they cannot be wrong about it.
//!
//! [`machines`] writes docs/state-machines.md, [`cli`] docs/cli/, [`contract`] docs/contract.md,
//! [`schemas`] the JSON Schemas that the programs contain.

mod cli;
mod contract;
mod machines;
mod schemas;

use std::{fs, io};

use clap::CommandFactory;
use orch_cli::inbox::Inbox;
use orch_cli::orch::Orch;
use orch_contract::Code;
use orch_contract::schema::derived;

use self::contract::CodeRow;

use crate::tree::{Done, root};

/// One generated document.
pub(crate) struct Page {
    /// Its path from the root.
    pub(crate) path: String,
    /// What it should hold.
    pub(crate) text: String,
}

/// Writes every generated document, or only compares.
pub(crate) fn run(check: bool) -> Done {
    let pages = pages();
    let stale: Vec<&Page> = pages.iter().filter(|page| !is_current(page)).collect();
    let gone = gone(&pages)?;
    if check && !(stale.is_empty() && gone.is_empty()) {
        let names: Vec<&str> =
            stale.iter().map(|page| page.path.as_str()).chain(gone.iter().map(String::as_str)).collect();
        return Err(format!("not what the code says: {}; run `cargo xtask docs`.", names.join(", ")));
    }
    for page in &stale {
        write(page)?;
    }
    for path in &gone {
        fs::remove_file(root().join(path))
            .map_err(|error| format!("{path} could not be removed: {error}."))?;
    }
    let (all, written, removed) = (pages.len(), stale.len(), gone.len());
    println!("{all} generated documents are current; {written} were written, {removed} removed.");
    Ok(())
}

fn is_current(page: &Page) -> bool {
    fs::read_to_string(root().join(&page.path)).is_ok_and(|there| there == page.text)
}

fn write(page: &Page) -> Done {
    let path = root().join(&page.path);
    let failed = |error: io::Error| format!("{} could not be written: {error}.", page.path);
    fs::create_dir_all(path.parent().unwrap_or(&path)).map_err(failed)?;
    fs::write(&path, &page.text).map_err(failed)
}

/// Pages of commands that are not there any more.
fn gone(pages: &[Page]) -> Result<Vec<String>, String> {
    let Ok(entries) = fs::read_dir(root().join(cli::FOLDER)) else { return Ok(Vec::new()) };
    let mut gone = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| format!("{} could not be listed: {error}.", cli::FOLDER))?;
        let path = format!("{}/{}", cli::FOLDER, entry.file_name().to_string_lossy());
        if pages.iter().all(|page| page.path != path) {
            gone.push(path);
        }
    }
    gone.sort();
    Ok(gone)
}

fn pages() -> Vec<Page> {
    let programs = vec![Orch::command(), Inbox::command()];
    let (orch, inbox) = (derived::orch_schemas(), derived::inbox_schemas());
    let mut pages = vec![
        machines::page(),
        schemas::schema_page("orch", orch.clone()),
        schemas::schema_page("inbox", inbox.clone()),
    ];
    pages.push(contract::page(&codes(), &orch.into_iter().chain(inbox).collect()));
    pages.extend(cli::pages(programs));
    pages
}

/// Every code with what it means.
fn codes() -> Vec<CodeRow> {
    let row = |code: &Code| CodeRow {
        name: code.name(),
        meaning: code.meaning(),
        exit_status: code.exit_status(),
        retryable: code.retryable(),
    };
    Code::ALL.iter().map(row).collect()
}
