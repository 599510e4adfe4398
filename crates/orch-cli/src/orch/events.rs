//! `orch events`.

use orch_contract::Event;
use orch_contract::orch::events::EventsAnswer;
use orch_core::id::EventId;
use orch_core::limit;
use orch_core::time::Span;
use orch_scheduler::TaskRef;
use orch_scheduler::events::{Events, events, follow};

use super::naming::{NamedRun, task};
use crate::arguments::{event, list_limit};
use crate::context::Context;
use crate::failure::Failure;
use crate::respond::{Outcome, Reply, Written};

/// List what happened, oldest first
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch events --after e-100 --follow")]
pub struct Args {
    /// Only what came after this event
    #[arg(long, value_name = "EVENT", value_parser = event)]
    after: Option<EventId>,
    /// Go on with what happens from now on, until interrupted
    #[arg(long)]
    follow: bool,
    /// Only what happened to this task, KEY or RUN/KEY
    #[arg(long, value_name = "TASK", value_parser = task)]
    task: Option<TaskRef>,
    /// Show at most this many events; followed ones come in parts of this size
    #[arg(long, value_name = "N", default_value_t = limit::LIST_DEFAULT, value_parser = list_limit)]
    limit: u32,
}

/// How long one look for new events lasts.
const LOOK: Span = Span::minutes(10);

/// Runs the command.
///
/// # Errors
/// There is no such run or task, or the store failed.
pub fn run(args: Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    let task = args.task.map(|task| run.task(task, context)).transpose()?;
    let request = Events { run: run.settle(context)?, task, after: args.after, limit: args.limit };
    if args.follow {
        return stream(request, context);
    }
    let page = events(context.session()?, &request)?;
    let answer = EventsAnswer { events: Event::all(&page.items), total: Some(page.total), next: page.next };
    Ok(Reply::new(answer).into())
}

/// Prints events in parts, until nobody reads them any more.
fn stream(mut request: Events, context: &mut Context<'_>) -> Result<Outcome, Failure> {
    loop {
        let batch = follow(context.session()?, &request, LOOK)?;
        let Some(last) = batch.last() else { continue };
        request.after = Some(last.id);
        let answer = EventsAnswer { events: Event::all(&batch), total: None, next: None };
        if context.stream(answer) != Written::Whole {
            return Ok(Outcome::Streamed);
        }
    }
}
