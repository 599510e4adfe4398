//! What both programs tell about themselves: schemas, shell completions, manual pages.

use std::path::PathBuf;

use clap::{Args, Command};
use clap_complete::Shell;
use orch_contract::schema::SchemaAnswer;
use orch_contract::{Code, ErrorView};
use serde_json::{Map, Value};

use crate::failure::Failure;
use crate::respond::{Outcome, Reply};

/// Print the JSON Schema of what commands answer
#[derive(Args, Debug)]
#[command(after_help = "EXAMPLES:\n  inbox schema claim\n  orch schema task add")]
pub struct SchemaArgs {
    /// The command; every command of the program when not given
    #[arg(value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// Picks the schemas that are asked for.
///
/// # Errors
/// There is no such command.
pub fn schema(
    args: &SchemaArgs,
    program: &str,
    mut schemas: Map<String, Value>,
) -> Result<Reply<SchemaAnswer>, Failure> {
    let asked = args.command.join(" ");
    let asked = asked.strip_prefix(program).map_or(asked.as_str(), str::trim_start);
    let full = format!("{program} {asked}");
    schemas.retain(|command, _| asked.is_empty() || *command == full);
    if schemas.is_empty() {
        let error = ErrorView::new(Code::InvalidArgument, format!("There is no command {full}."));
        return Err(error.detail("argument", "COMMAND").hint(format!("{program} --help")).into());
    }
    Ok(Reply::new(SchemaAnswer { schemas }))
}

/// Print a script that completes commands in a shell
#[derive(Args, Debug)]
#[command(
    after_help = "EXAMPLE:\n  inbox completions bash > ~/.local/share/bash-completion/completions/inbox"
)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: Shell,
}

/// The completion script.
#[must_use]
pub fn completions(args: &CompletionsArgs, mut parser: Command) -> Outcome {
    let name = parser.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut parser, name, &mut script);
    Outcome::Document(String::from_utf8_lossy(&script).into_owned())
}

/// Write manual pages into a folder
#[derive(Args, Debug)]
#[command(after_help = "EXAMPLE:\n  inbox man /usr/local/share/man/man1")]
pub struct ManArgs {
    /// The folder, which must exist
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

/// Writes the manual pages and tells where they are.
///
/// # Errors
/// The folder cannot be written.
pub fn man(args: &ManArgs, parser: Command) -> Result<Outcome, Failure> {
    clap_mangen::generate_to(parser, &args.folder).map_err(|error| {
        let folder = args.folder.display();
        Failure::invalid("DIR", format!("The manual pages cannot be written to {folder}: {error}."))
    })?;
    Ok(Outcome::Document(format!("{}\n", args.folder.display())))
}
