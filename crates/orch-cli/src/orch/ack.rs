//! `orch ack`.

use orch_contract::orch::cursor::EventAckResponse;
use orch_core::id::EventId;
use orch_scheduler::ack::{EventAckRequest, acknowledge_events};

use super::naming::NamedRun;
use crate::arguments::{RequestIdOption, parse_event_id};
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;
use orch_app::AppError;
use orch_app::fingerprint::RequestFingerprint;

/// Acknowledge events, so that `orch wait` no longer returns them
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch ack --through e-12")]
pub struct AckArgs {
    /// The last event to acknowledge, the `cursor` of `orch wait`
    #[arg(long, value_name = "EVENT", value_parser = parse_event_id)]
    through: EventId,
    #[command(flatten)]
    repeatable: RequestIdOption,
}

/// Runs the command.
///
/// # Errors
/// The event lies beyond the newest, there is no such run, or the store failed.
pub fn run(
    args: &AckArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    let agent = context.calling_lead()?;
    let request = EventAckRequest { agent, run: run.resolve_run(context)?, through: args.through };
    let fingerprint = RequestFingerprint::for_command(context.command())
        .with_argument("as", &request.agent)
        .with_optional("run", request.run.as_ref())
        .with_argument("through", request.through);
    let reply = context.run_change(
        &args.repeatable,
        fingerprint,
        |cursor: &EventId| EventAckResponse { cursor: cursor.to_string() },
        |session, receipt| acknowledge_events(session, receipt, &request),
    )?;
    Ok(reply.into())
}
