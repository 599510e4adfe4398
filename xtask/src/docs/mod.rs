//! `cargo xtask docs`: the documents that are made from the code, so that they cannot be wrong about it.
//!
//! [`machines`] writes docs/state-machines.md.

mod cli;
mod machines;

use std::fs;

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
    let mut stale = Vec::new();
    for page in &pages {
        let path = root().join(&page.path);
        let there = fs::read_to_string(&path).unwrap_or_default();
        if there == page.text {
            continue;
        }
        stale.push(page.path.as_str());
        if !check {
            let folder = path.parent().unwrap_or(&path);
            fs::create_dir_all(folder)
                .map_err(|error| format!("{} could not be made: {error}.", folder.display()))?;
            fs::write(&path, &page.text)
                .map_err(|error| format!("{} could not be written: {error}.", page.path))?;
        }
    }
    if check && !stale.is_empty() {
        return Err(format!("{} is not what the code says; run `cargo xtask docs`.", stale.join(", ")));
    }
    let (all, changed) = (pages.len(), stale.len());
    println!(
        "{all} generated documents are current{}.",
        if changed == 0 { String::new() } else { format!(", {changed} written") }
    );
    Ok(())
}

fn pages() -> Vec<Page> {
    vec![machines::page()]
}
