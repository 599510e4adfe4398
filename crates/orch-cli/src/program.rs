//! The two programs as the entry sees them.

use clap::{CommandFactory, FromArgMatches};
use orch_app::AppError;

use crate::arguments::GlobalOptions;
use crate::context::{CommandRuntime, ProgramIdentity};
use crate::respond::CommandOutcome;
use crate::usage::EarlyExit;

/// One of the two programs: its command line and its commands.
pub trait CliProgram: CommandFactory + FromArgMatches {
    /// The program's name and its rules for callers.
    const IDENTITY: ProgramIdentity;

    /// The command that runs when none is named.
    const DEFAULT_COMMAND: Option<&str> = None;

    /// Arranges the help of the program.
    #[must_use]
    fn arrange_help(parser: clap::Command) -> clap::Command {
        parser
    }

    /// Returns the parser with the options of every command.
    #[must_use]
    fn full_parser() -> clap::Command {
        let mut parser = Self::quick_parser();
        parser.build();
        Self::arrange_help(parser)
    }

    /// Returns the parser that builds the options of a command only when it meets the command.
    #[must_use]
    fn quick_parser() -> clap::Command {
        let variable = Self::IDENTITY.caller.agent_variable;
        let default =
            Self::IDENTITY.caller.agent_default.map(|name| format!(", else {name}")).unwrap_or_default();
        Self::command().mut_arg("who", |who| who.help(format!("Who you are{default} [env: {variable}]")))
    }

    /// Returns the command that this process continues after a re-exec, and its name.
    fn take_reexec_command() -> Option<Result<(Self, String), EarlyExit>> {
        None
    }

    /// Returns the options that every command takes.
    fn global_options(&self) -> &GlobalOptions;

    /// Runs the command.
    ///
    /// # Errors
    /// The command failed and changed nothing.
    fn run(self, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError>;
}
