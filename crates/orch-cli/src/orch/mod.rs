//! The program `orch`: the scheduler's door, one file per command.

use clap::{Parser, Subcommand};

use crate::arguments::Globals;
use crate::context::{Context, Identity};
use crate::entry::Program;
use crate::failure::Failure;
use crate::respond::Outcome;
use crate::self_description::{self, CompletionsArgs, ManArgs, SchemaArgs};

/// Schedule a graph of tasks over many workers
#[derive(Debug, Parser)]
#[command(name = "orch", version, arg_required_else_help = true)]
pub struct Orch {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Schema(SchemaArgs),
    Completions(CompletionsArgs),
    #[command(hide = true)]
    Man(ManArgs),
}

impl Program for Orch {
    const IDENTITY: Identity =
        Identity { program: "orch", agent_variable: "ORCH_AGENT", agent_default: Some("lead") };

    fn globals(&self) -> &Globals {
        &self.globals
    }

    fn run(self, _context: &mut Context<'_>) -> Result<Outcome, Failure> {
        Ok(match self.command {
            Command::Schema(args) => self_description::schema(&args, "orch", Vec::new())?.into(),
            Command::Completions(args) => self_description::completions(&args, Self::parser()),
            Command::Man(args) => self_description::man(&args, Self::parser())?,
        })
    }
}
