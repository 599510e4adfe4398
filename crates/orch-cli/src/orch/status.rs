//! `orch status`.

use orch_app::AppError;
use orch_app::orch::status::{ShowOverview, ShowStatus, StatusWatch};
use orch_app::values::parse_slug;
use orch_core::id::Slug;

use crate::context::CommandRuntime;
use crate::respond::{CommandOutcome, WriteOutcome};

/// Show the progress of a run
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch status ship --watch")]
pub(super) struct StatusArgs {
    /// The run [default: the only unfinished one]
    #[arg(value_name = "RUN", value_parser = parse_slug)]
    named: Option<Slug>,
    /// Redraw on every change until the run ends
    #[arg(short, long)]
    watch: bool,
}

/// Shows the current run, all unfinished ones, or how to begin: what `orch` alone prints.
pub(super) fn run_alone(context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let run = context.app().resolve_run()?;
    context.show(&ShowOverview { run })
}

pub(super) fn run(args: StatusArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let run = context.app().resolve_run_or(args.named.as_ref())?;
    if !args.watch {
        return context.show(&ShowStatus { run });
    }
    // For people ages grow, also where nothing else changes.
    let also_unchanged = context.is_for_people();
    let mut watch = StatusWatch::new(run);
    while let Some(status) = watch.next_status(context.app(), also_unchanged)? {
        if context.redraw_page(status) != WriteOutcome::Complete {
            break;
        }
    }
    Ok(CommandOutcome::Streamed)
}
