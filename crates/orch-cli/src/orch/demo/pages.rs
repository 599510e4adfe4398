//! The demo's input: the help pages of both programs.

use std::path::Path;

use clap::Command;

use crate::entry::CliProgram;
use crate::inbox::InboxCli;
use crate::orch::OrchCli;
use orch_app::AppError;

/// Writes one page per command into `pages/` and returns how many there are.
///
/// # Errors
/// A file cannot be written.
pub(super) fn write_pages(folder: &Path) -> Result<usize, AppError> {
    let mut pages = Vec::new();
    for mut program in [OrchCli::full_parser(), InboxCli::full_parser()] {
        program.build();
        collect_pages(&program, program.get_name(), &mut pages);
    }
    for (name, text) in &pages {
        let path = folder.join("pages").join(format!("{name}.txt"));
        std::fs::write(&path, text).map_err(|error| super::folder::file_failure("write", &path, &error))?;
    }
    Ok(pages.len())
}

fn collect_pages(command: &Command, name: &str, pages: &mut Vec<(String, String)>) {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help")
    {
        let name = format!("{name}-{}", below.get_name());
        if below.has_subcommands() {
            collect_pages(below, &name, pages);
        } else {
            pages.push((name, below.clone().render_long_help().to_string()));
        }
    }
}
