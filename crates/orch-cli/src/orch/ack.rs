//! `orch ack`.

use orch_app::AppError;
use orch_app::orch::ack::AcknowledgeEvents;
use orch_app::values::parse_event_id;
use orch_core::id::EventId;

use crate::arguments::RequestIdOption;
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;

/// Acknowledge events, so that `orch wait` no longer returns them
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch ack --through e-12")]
pub(super) struct AckArgs {
    /// The last event to acknowledge, the `cursor` of `orch wait`
    #[arg(long, value_name = "EVENT", value_parser = parse_event_id)]
    through: EventId,
    #[command(flatten)]
    repeatable: RequestIdOption,
}

pub(super) fn run(args: AckArgs, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let agent = context.app().calling_lead()?;
    let run = context.app().resolve_run()?;
    context.answer(&AcknowledgeEvents { agent, run, through: args.through }, &args.repeatable)
}
