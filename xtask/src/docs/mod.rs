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
use orch_cli::inbox::InboxCli;
use orch_cli::orch::OrchCli;
use orch_contract::ErrorCode;
use orch_contract::schema::derived;

use self::contract::CodeRow;

use crate::tree::{ChoreResult, repository_root};

/// One generated document.
pub(crate) struct GeneratedPage {
    /// Its path from the root.
    pub(crate) path: String,
    /// What it should hold.
    pub(crate) text: String,
}

/// Writes every generated document, or only compares.
pub(crate) fn run(check: bool) -> ChoreResult {
    let pages = all_pages();
    let stale: Vec<&GeneratedPage> = pages.iter().filter(|page| !is_current(page)).collect();
    let gone = stale_pages(&pages)?;
    if check && !(stale.is_empty() && gone.is_empty()) {
        let names: Vec<&str> =
            stale.iter().map(|page| page.path.as_str()).chain(gone.iter().map(String::as_str)).collect();
        return Err(format!("not what the code says: {}; run `cargo xtask docs`.", names.join(", ")));
    }
    for page in &stale {
        write_page(page)?;
    }
    for path in &gone {
        fs::remove_file(repository_root().join(path))
            .map_err(|error| format!("{path} could not be removed: {error}."))?;
    }
    let (all, written, removed) = (pages.len(), stale.len(), gone.len());
    println!("{all} generated documents are current; {written} were written, {removed} removed.");
    Ok(())
}

fn is_current(page: &GeneratedPage) -> bool {
    fs::read_to_string(repository_root().join(&page.path)).is_ok_and(|there| there == page.text)
}

fn write_page(page: &GeneratedPage) -> ChoreResult {
    let path = repository_root().join(&page.path);
    let failed = |error: io::Error| format!("{} could not be written: {error}.", page.path);
    fs::create_dir_all(path.parent().unwrap_or(&path)).map_err(failed)?;
    fs::write(&path, &page.text).map_err(failed)
}

/// Pages of commands that no longer exist.
fn stale_pages(pages: &[GeneratedPage]) -> Result<Vec<String>, String> {
    let Ok(command_schemas) = fs::read_dir(repository_root().join(cli::FOLDER)) else {
        return Ok(Vec::new());
    };
    let mut gone = Vec::new();
    for entry in command_schemas {
        let entry = entry.map_err(|error| format!("{} could not be listed: {error}.", cli::FOLDER))?;
        let path = format!("{}/{}", cli::FOLDER, entry.file_name().to_string_lossy());
        if pages.iter().all(|page| page.path != path) {
            gone.push(path);
        }
    }
    gone.sort();
    Ok(gone)
}

fn all_pages() -> Vec<GeneratedPage> {
    let programs = vec![OrchCli::command(), InboxCli::command()];
    let (orch, inbox) = (derived::orch_schemas(), derived::inbox_schemas());
    let mut pages = vec![
        machines::machines_page(),
        schemas::schema_page("orch", orch.clone()),
        schemas::schema_page("inbox", inbox.clone()),
    ];
    pages.push(contract::contract_page(&code_rows(), &orch.into_iter().chain(inbox).collect()));
    pages.extend(cli::command_pages(programs));
    pages
}

/// Every code with what it means.
fn code_rows() -> Vec<CodeRow> {
    let row = |code: &ErrorCode| CodeRow {
        name: code.name(),
        meaning: code.meaning(),
        exit_status: code.exit_status(),
        retryable: code.is_retryable(),
    };
    ErrorCode::ALL.iter().map(row).collect()
}
