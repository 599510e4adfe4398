//! `orch dispatch`.

use std::cell::RefCell;
use std::collections::BTreeMap;

use orch_contract::orch::dispatch::{DispatchAnswer, Dispatched, DispatchedAll, NotDispatched};
use orch_contract::{Attempt, ErrorView, Reason};
use orch_core::id::{Slug, TaskName};
use orch_core::limit;
use orch_core::refusal::Refusal;
use orch_inbox::Error;
use orch_scheduler::TaskRef;
use orch_scheduler::dispatch as engine;
use orch_scheduler::ready::{Ready, ready};
use orch_store::page::PageRequest;

use super::naming::{self, NamedRun, task};
use super::task::Manner;
use super::view;
use crate::arguments::{list_limit, slug};
use crate::context::Context;
use crate::failure::{self, Failure};
use crate::fingerprint::Fingerprint;
use crate::respond::{Outcome, Reply};

/// Send a ready task to an agent, or all ready tasks
///
/// Each dispatch is a new attempt with a thread of its own in the agent's inbox.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "EXAMPLES:\n  orch dispatch parser --to w1\n  orch dispatch --all --to w1,w2 --limit 8"
)]
pub struct Args {
    /// Which task, KEY or RUN/KEY
    #[arg(value_name = "TASK", value_parser = task, required_unless_present = "all")]
    task: Option<TaskRef>,
    /// Send everything that is ready, in the order of `orch ready`
    #[arg(long, conflicts_with = "task")]
    all: bool,
    /// To whom, instead of each task's own agent; with --all several share the work
    #[arg(long, value_name = "AGENT", value_delimiter = ',', value_parser = slug)]
    to: Vec<Slug>,
    /// The most tasks to send [default: 100]
    #[arg(long, value_name = "N", conflicts_with = "task", value_parser = list_limit)]
    limit: Option<u32>,
    #[command(flatten)]
    manner: Manner,
}

/// Runs the command.
///
/// # Errors
/// The task is not ready, has a live attempt or names no agent, the run is full, or the store failed.
pub fn run(args: Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    let who = context.lead()?;
    match args.task {
        Some(task) => {
            let to = match args.to.as_slice() {
                [] => None,
                [agent] => Some(agent),
                _ => return Err(Failure::invalid("--to", "One task goes to one agent.")),
            };
            one(context, &args.manner, &who, &run.task(task, context)?, to)
        }
        None => {
            let request = engine::All {
                run: run.settle(context)?,
                to: args.to,
                limit: args.limit.unwrap_or(limit::LIST_DEFAULT),
            };
            let reply = all(context, &args.manner, &who, &request)?;
            if args.limit.is_none() {
                warn_of_more(context, &request, &reply.data)?;
            }
            Ok(reply.into())
        }
    }
}

fn one(
    context: &mut Context<'_>,
    manner: &Manner,
    who: &Slug,
    task: &TaskRef,
    to: Option<&Slug>,
) -> Result<Outcome, Failure> {
    let unseen = RefCell::new(BTreeMap::new());
    let fingerprint =
        Fingerprint::of(context.command()).with("as", who).with("task", naming::text(task)).maybe("to", to);
    let mut reply = context.change(
        &manner.repeatable,
        fingerprint,
        |outcome: &engine::Dispatched| {
            unseen.replace(strangers([outcome]));
            DispatchAnswer::One(Box::new(dispatched(outcome)))
        },
        |session, receipt| engine::one(session, receipt, who, task, to),
    )?;
    warn(context, &unseen.into_inner());
    if let DispatchAnswer::One(dispatched) = &mut reply.data {
        view::widen(context.session()?, &mut dispatched.task, manner.detail.full)?;
    }
    Ok(reply.into())
}

fn all(
    context: &mut Context<'_>,
    manner: &Manner,
    who: &Slug,
    request: &engine::All,
) -> Result<Reply<DispatchAnswer>, Failure> {
    let unseen = RefCell::new(BTreeMap::new());
    let fingerprint = Fingerprint::of(context.command())
        .with("as", who)
        .maybe("run", request.run.as_ref())
        .with("all", true)
        .list("to", &request.to)
        .with("limit", request.limit);
    let mut reply = context.change(
        &manner.repeatable,
        fingerprint,
        |outcome: &engine::DispatchedAll| {
            unseen.replace(strangers(&outcome.dispatched));
            DispatchAnswer::All(DispatchedAll {
                dispatched: outcome.dispatched.iter().map(dispatched).collect(),
                refused: outcome.refused.iter().map(|(task, refusal)| refused(task, refusal)).collect(),
            })
        },
        |session, receipt| engine::all(session, receipt, who, request),
    )?;
    warn(context, &unseen.into_inner());
    if let DispatchAnswer::All(DispatchedAll { dispatched, .. }) = &mut reply.data
        && manner.detail.full
    {
        for dispatched in dispatched {
            view::widen(context.session()?, &mut dispatched.task, true)?;
        }
    }
    Ok(reply)
}

/// Says that a limit nobody named, and not the work, was at its end.
fn warn_of_more(
    context: &mut Context<'_>,
    request: &engine::All,
    answer: &DispatchAnswer,
) -> Result<(), Failure> {
    let DispatchAnswer::All(all) = answer else { return Ok(()) };
    if all.dispatched.len() as u64 != u64::from(request.limit) {
        return Ok(());
    }
    let page = PageRequest { limit: 1, after: None };
    let ready = ready(context.session()?, &Ready { run: request.run.clone(), label: None, page })?;
    if ready.total > 0 {
        let (limit, more) = (request.limit, ready.total);
        context.warn(format!("{limit} were sent, as many as without --limit; {more} more are ready."));
    }
    Ok(())
}

fn dispatched(outcome: &engine::Dispatched) -> Dispatched {
    Dispatched {
        task: view::brief(&outcome.task),
        attempt: Attempt::of(&outcome.attempt, outcome.worktree.as_ref(), None),
        thread: outcome.thread.as_ref().map(view::thread),
    }
}

fn refused(task: &TaskName, error: &Error) -> NotDispatched {
    let (view, reasons) = match error {
        Error::Refused(refusal) => {
            let reasons = match refusal {
                Refusal::TaskNotReady { reasons, .. } => Reason::all(reasons, task),
                Refusal::CapacityReached { max, .. } => {
                    Reason::all(&[orch_core::refusal::Reason::Capacity { max: *max }], task)
                }
                _ => Vec::new(),
            };
            (ErrorView::of(refusal), reasons)
        }
        other => (failure::of_error(other), Vec::new()),
    };
    NotDispatched { task: task.to_string(), code: view.code, message: view.message, reasons }
}

/// Agents that were never seen before, each once, with the first task that one of them got.
fn strangers<'a>(outcomes: impl IntoIterator<Item = &'a engine::Dispatched>) -> BTreeMap<Slug, TaskName> {
    let mut names = BTreeMap::new();
    for outcome in outcomes.into_iter().filter(|outcome| !outcome.agent_seen) {
        let task = &outcome.attempt.name.task;
        names.entry(outcome.attempt.agent.clone()).or_insert_with(|| task.clone());
    }
    names
}

fn warn(context: &mut Context<'_>, strangers: &BTreeMap<Slug, TaskName>) {
    for (agent, task) in strangers {
        context.warn(format!(
            "No agent {agent} was ever seen; if the name is mistyped, `orch recall {task}` takes the work back."
        ));
    }
}
