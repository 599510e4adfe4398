//! `orch run use`.

use orch_app::AppError;
use orch_app::orch::run::choose::UseRun;
use orch_app::values::parse_slug;
use orch_core::id::Slug;

use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Choose the run that commands in this worktree are about
///
/// --run and ORCH_RUN go before it. Each worktree of a repository has a choice of its own.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLES:\n  orch run use ship\n  orch run use --clear")]
pub(super) struct RunUseArgs {
    /// The run
    #[arg(value_name = "RUN", value_parser = parse_slug, required_unless_present = "clear")]
    named: Option<Slug>,
    /// Forget the choice
    #[arg(long, conflicts_with = "named")]
    clear: bool,
}

pub(super) fn run(args: RunUseArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    context.app().calling_lead()?;
    context.app().resolve_run_or(args.named.as_ref())?;
    context.show(&UseRun { run: args.named })
}
