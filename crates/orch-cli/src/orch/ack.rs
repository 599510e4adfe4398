//! `orch ack`.

use orch_contract::orch::cursor::AckAnswer;
use orch_core::id::EventId;
use orch_scheduler::ack::{Ack, ack};

use super::naming::NamedRun;
use crate::arguments::{Repeatable, event};
use crate::context::Context;
use crate::failure::Failure;
use crate::fingerprint::Fingerprint;
use crate::respond::Outcome;

/// Acknowledge events, so that `orch wait` no longer returns them
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch ack --through e-12")]
pub struct Args {
    /// The last event to acknowledge, the `cursor` of `orch wait`
    #[arg(long, value_name = "EVENT", value_parser = event)]
    through: EventId,
    #[command(flatten)]
    repeatable: Repeatable,
}

/// Runs the command.
///
/// # Errors
/// The event lies beyond the newest, there is no such run, or the store failed.
pub fn run(args: &Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    let agent = context.lead()?;
    let request = Ack { agent, run: run.settle(context)?, through: args.through };
    let fingerprint = Fingerprint::of(context.command())
        .with("as", &request.agent)
        .maybe("run", request.run.as_ref())
        .with("through", request.through);
    let reply = context.change(
        &args.repeatable,
        fingerprint,
        |cursor: &EventId| AckAnswer { cursor: cursor.to_string() },
        |session, receipt| ack(session, receipt, &request),
    )?;
    Ok(reply.into())
}
