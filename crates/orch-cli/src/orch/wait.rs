//! `orch wait`.

use orch_contract::orch::cursor::WaitAnswer;
use orch_contract::task::texts;
use orch_contract::{Code, ErrorView, Event};
use orch_core::event::Wake;
use orch_core::id::EventId;
use orch_core::limit;
use orch_core::time::Span;
use orch_inbox::{Awaited, Error};
use orch_scheduler::wait::{Wait, Waited, wait};

use super::naming::NamedRun;
use crate::arguments::{EmptyOk, duration, event, list_limit};
use crate::context::Context;
use crate::failure::Failure;
use crate::respond::{Outcome, Reply};

/// Wait until something needs the lead
///
/// Returns at once if something is there that was not acknowledged with `orch ack`.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch wait --for question,failed,lost,finished --timeout 10m")]
pub struct Args {
    /// What to wait for: question reported done failed lost finished; may be given several times
    /// [default: question,failed,lost,finished]
    #[arg(long = "for", value_name = "KIND", value_delimiter = ',', value_parser = wake)]
    wakes: Vec<Wake>,
    /// Wait for what comes after this event, instead of after the acknowledged ones
    #[arg(long, value_name = "EVENT", value_parser = event)]
    after: Option<EventId>,
    /// How long to wait
    #[arg(long, value_name = "DURATION", default_value = "100s", value_parser = duration)]
    timeout: Span,
    /// Show at most this many events
    #[arg(long, value_name = "N", default_value_t = limit::LIST_DEFAULT, value_parser = list_limit)]
    limit: u32,
    #[command(flatten)]
    empty: EmptyOk,
}

/// Runs the command.
///
/// # Errors
/// The wait timed out, a run that was waited for ended with unfinished work, or the store failed.
pub fn run(args: Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    let agent = context.agent_or("--as", None)?;
    let finish_wanted = args.wakes.contains(&Wake::Finished);
    let request = Wait {
        agent,
        run: run.settle(context)?,
        wakes: if args.wakes.is_empty() { Wake::DEFAULT.to_vec() } else { args.wakes },
        after: args.after,
        timeout: args.timeout,
        limit: args.limit,
    };
    let named = request.run.as_ref().map(ToString::to_string);
    match wait(context.session()?, &request) {
        Ok(waited) if finish_wanted && !waited.incomplete.is_empty() => Err(incomplete(&waited)),
        Ok(waited) => Ok(Reply::new(WaitAnswer { run: named, ..answer(&waited) }).into()),
        Err(Error::TimedOut(Awaited::Events(cursor))) if args.empty.empty_ok => {
            Ok(Reply::new(WaitAnswer { events: Vec::new(), cursor: cursor.to_string(), run: named }).into())
        }
        Err(error) => Err(error.into()),
    }
}

fn answer(waited: &Waited) -> WaitAnswer {
    WaitAnswer { events: Event::all(&waited.events), cursor: waited.cursor.to_string(), run: None }
}

/// A run was to be waited for until it is finished, and it ended with unfinished work.
fn incomplete(waited: &Waited) -> Failure {
    let WaitAnswer { events, cursor, .. } = answer(waited);
    let runs = texts(&waited.incomplete);
    let message = match runs.as_slice() {
        [run] => format!("The run {run} ended with unfinished work."),
        runs => format!("Runs ended with unfinished work: {}.", runs.join(", ")),
    };
    let mut error = ErrorView::new(Code::RunIncomplete, message);
    if let Some(run) = runs.first() {
        error = error.hint(format!("orch status {run}"));
    }
    // Events are texts and numbers, which always have a JSON form.
    let events = serde_json::to_value(events).unwrap_or_default();
    error.detail("events", events).detail("cursor", cursor).detail("runs", runs).into()
}

fn wake(text: &str) -> Result<Wake, String> {
    Wake::parse(text).ok_or_else(|| {
        let names = Wake::ALL.map(Wake::name);
        format!("it is one of {}", names.join(" "))
    })
}
