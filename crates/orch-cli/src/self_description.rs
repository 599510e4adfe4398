//! The descriptions of both programs: schemas, shell completions, manual pages.

use std::path::PathBuf;

use clap::{Args, Command};
use clap_complete::Shell;
use orch_contract::schema::SchemaResponse;
use orch_contract::{ErrorCode, ErrorView};
use serde_json::{Map, Value};

use crate::completion;
use crate::respond::CommandOutcome;
use orch_app::{AppError, Reply};

/// Print the JSON Schemas of responses
#[derive(Args, Debug)]
#[command(after_help = "EXAMPLES:\n  inbox schema claim\n  orch schema task add")]
pub struct SchemaArgs {
    /// The command [default: every command of the program]
    #[arg(value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// Returns the requested schemas.
///
/// # Errors
/// The command is unknown.
pub fn schema_response(
    args: &SchemaArgs,
    program: &str,
    mut schemas: Map<String, Value>,
) -> Result<Reply<SchemaResponse>, AppError> {
    let asked = args.command.join(" ");
    let asked = asked.strip_prefix(program).map_or(asked.as_str(), str::trim_start);
    let full = format!("{program} {asked}");
    schemas.retain(|command, _| asked.is_empty() || *command == full);
    if schemas.is_empty() {
        let error = ErrorView::new(ErrorCode::InvalidArgument, format!("unknown command '{full}'."));
        return Err(error.with_detail("argument", "COMMAND").with_hint(format!("{program} --help")).into());
    }
    Ok(Reply::new(SchemaResponse { schemas }))
}

/// Print a completion script for a shell
///
/// The script asks the program, which completes runs, tasks, agents, profiles and branches too.
#[derive(Args, Debug)]
#[command(
    after_help = "EXAMPLES:\n  orch completions bash > ~/.local/share/bash-completion/completions/orch\n  inbox completions bash > ~/.local/share/bash-completion/completions/inbox"
)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: Shell,
}

/// Returns the completion script.
#[must_use]
pub fn completion_script(args: &CompletionsArgs, program: &str) -> CommandOutcome {
    let script = completion::registration_script(&args.shell.to_string(), program);
    CommandOutcome::Document(script.unwrap_or_default())
}

/// Write manual pages into a folder
#[derive(Args, Debug)]
#[command(
    after_help = "EXAMPLES:\n  orch man /usr/local/share/man/man1\n  inbox man /usr/local/share/man/man1"
)]
pub struct ManArgs {
    /// The folder, which must exist
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

/// Writes the manual pages and returns their folder.
///
/// # Errors
/// The folder cannot be written.
pub fn write_manual(args: &ManArgs, parser: Command) -> Result<CommandOutcome, AppError> {
    clap_mangen::generate_to(parser, &args.folder).map_err(|error| {
        let folder = args.folder.display();
        AppError::invalid_argument("DIR", format!("The manual pages cannot be written to {folder}: {error}."))
    })?;
    Ok(CommandOutcome::Document(format!("{}\n", args.folder.display())))
}
