//! `orch lead`.

use orch_app::AppError;
use orch_app::orch::lead::TakeLead;
use orch_app::values::parse_slug;
use orch_core::id::Slug;

use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Make this session of an agent's client the lead of a run
///
/// The hooks that `orch setup` installs tell a session of the runs that it leads: those that it created, drives, or
/// took by this command.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch lead ship")]
pub(super) struct LeadArgs {
    /// The run [default: the only unfinished one]
    #[arg(value_name = "RUN", value_parser = parse_slug)]
    named: Option<Slug>,
    /// The client's name of the session [env: INBOX_SESSION, or the client's own variable]
    #[arg(long, value_name = "ID")]
    session: Option<String>,
}

pub(super) fn run(args: LeadArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    context.app().calling_lead()?;
    let run = context.app().resolve_run_or(args.named.as_ref())?;
    context.show(&TakeLead { run, session: args.session })
}
