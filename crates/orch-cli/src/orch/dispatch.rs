//! `orch dispatch`.

use std::cell::RefCell;
use std::collections::BTreeMap;

use orch_contract::orch::dispatch::{BulkDispatch, DispatchResponse, DispatchedTask, UndispatchedTask};
use orch_contract::{AttemptView, ErrorView, ReasonView};
use orch_core::id::{Slug, TaskName};
use orch_core::limit;
use orch_core::refusal::Refusal;
use orch_inbox::Error;
use orch_scheduler::TaskSelector;
use orch_scheduler::dispatch as engine;
use orch_scheduler::ready::{ReadyRequest, list_ready_tasks};
use orch_store::page::PageRequest;

use super::naming::NamedRun;
use super::task::ChangeOptions;
use crate::arguments::{parse_list_limit, parse_slug};
use crate::context::CommandRuntime;
use crate::respond::{CommandOutcome, CommandReply};
use orch_app::AppError;
use orch_app::error as failure;
use orch_app::fingerprint::RequestFingerprint;
use orch_app::naming;
use orch_app::naming::parse_task;
use orch_app::orch::view;

/// Dispatch a ready task to an agent, or all ready tasks
///
/// Each dispatch creates a new attempt with its own thread in the agent's inbox.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "EXAMPLES:\n  orch dispatch parser --to w1\n  orch dispatch --all --to w1,w2 --limit 8"
)]
pub struct DispatchArgs {
    /// The task, KEY or RUN/KEY
    #[arg(value_name = "TASK", value_parser = parse_task, required_unless_present = "all")]
    task: Option<TaskSelector>,
    /// Dispatch all ready tasks, in the order of `orch ready`
    #[arg(long, conflicts_with = "task")]
    all: bool,
    /// The agent, instead of each task's own; with --all several agents share the work
    #[arg(long, value_name = "AGENT", value_delimiter = ',', value_parser = parse_slug)]
    to: Vec<Slug>,
    /// Dispatch at most this many tasks [default: 100]
    #[arg(long, value_name = "N", conflicts_with = "task", value_parser = parse_list_limit)]
    limit: Option<u32>,
    #[command(flatten)]
    manner: ChangeOptions,
}

/// Runs the command.
///
/// # Errors
/// The task is not ready, has a live attempt or names no agent, the run is full, or the store failed.
pub fn run(
    args: DispatchArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    let who = context.calling_lead()?;
    match args.task {
        Some(task) => {
            let to = match args.to.as_slice() {
                [] => None,
                [agent] => Some(agent),
                _ => return Err(AppError::invalid_argument("--to", "One task goes to one agent.")),
            };
            dispatch_one(context, &args.manner, &who, &run.resolve_task(task, context)?, to)
        }
        None => {
            let request = engine::DispatchAllRequest {
                run: run.resolve_run(context)?,
                to: args.to,
                limit: args.limit.unwrap_or(limit::LIST_DEFAULT),
            };
            let reply = dispatch_all(context, &args.manner, &who, &request)?;
            if args.limit.is_none() {
                warn_of_limit(context, &request, &reply.data)?;
            }
            Ok(reply.into())
        }
    }
}

fn dispatch_one(
    context: &mut CommandRuntime<'_>,
    manner: &ChangeOptions,
    who: &Slug,
    task: &TaskSelector,
    to: Option<&Slug>,
) -> Result<CommandOutcome, AppError> {
    let unseen = RefCell::new(BTreeMap::new());
    let fingerprint = RequestFingerprint::for_command(context.command())
        .with_argument("as", who)
        .with_argument("task", naming::task_text(task))
        .with_optional("to", to);
    let mut reply = context.run_change(
        &manner.repeatable,
        fingerprint,
        |outcome: &engine::DispatchOutcome| {
            unseen.replace(unknown_agents([outcome]));
            DispatchResponse::One(Box::new(dispatched_view(outcome)))
        },
        |session, receipt| engine::dispatch_task(session, receipt, who, task, to),
    )?;
    warn_of_unknown_agents(context, &unseen.into_inner());
    if let DispatchResponse::One(dispatched) = &mut reply.data {
        view::add_long_texts(context.open_session()?, &mut dispatched.task, manner.detail.full)?;
    }
    Ok(reply.into())
}

fn dispatch_all(
    context: &mut CommandRuntime<'_>,
    manner: &ChangeOptions,
    who: &Slug,
    request: &engine::DispatchAllRequest,
) -> Result<CommandReply<DispatchResponse>, AppError> {
    let unseen = RefCell::new(BTreeMap::new());
    let fingerprint = RequestFingerprint::for_command(context.command())
        .with_argument("as", who)
        .with_optional("run", request.run.as_ref())
        .with_argument("all", true)
        .with_list("to", &request.to)
        .with_argument("limit", request.limit);
    let mut reply = context.run_change(
        &manner.repeatable,
        fingerprint,
        |outcome: &engine::DispatchAllOutcome| {
            unseen.replace(unknown_agents(&outcome.dispatched));
            DispatchResponse::All(BulkDispatch {
                dispatched: outcome.dispatched.iter().map(dispatched_view).collect(),
                refused: outcome
                    .refused
                    .iter()
                    .map(|(task, refusal)| not_dispatched(task, refusal))
                    .collect(),
            })
        },
        |session, receipt| engine::dispatch_all_ready(session, receipt, who, request),
    )?;
    warn_of_unknown_agents(context, &unseen.into_inner());
    if let DispatchResponse::All(BulkDispatch { dispatched, .. }) = &mut reply.data
        && manner.detail.full
    {
        for dispatched in dispatched {
            view::add_long_texts(context.open_session()?, &mut dispatched.task, true)?;
        }
    }
    Ok(reply)
}

/// Says that a limit nobody named, and not the work, was at its end.
fn warn_of_limit(
    context: &mut CommandRuntime<'_>,
    request: &engine::DispatchAllRequest,
    answer: &DispatchResponse,
) -> Result<(), AppError> {
    let DispatchResponse::All(all) = answer else { return Ok(()) };
    if all.dispatched.len() as u64 != u64::from(request.limit) {
        return Ok(());
    }
    let page = PageRequest { limit: 1, after: None };
    let ready = list_ready_tasks(
        context.open_session()?,
        &ReadyRequest { run: request.run.clone(), label: None, page },
    )?;
    if ready.total > 0 {
        let (limit, more) = (request.limit, ready.total);
        context.add_warning(format!("{limit} were sent, as many as without --limit; {more} more are ready."));
    }
    Ok(())
}

fn dispatched_view(outcome: &engine::DispatchOutcome) -> DispatchedTask {
    DispatchedTask {
        task: view::task_view(&outcome.task),
        attempt: AttemptView::from_attempt(&outcome.attempt, outcome.worktree.as_ref(), None),
        thread: outcome.thread.as_ref().map(view::thread_view),
    }
}

fn not_dispatched(task: &TaskName, error: &Error) -> UndispatchedTask {
    let (view, reasons) = match error {
        Error::Refused(refusal) => {
            let reasons = match refusal {
                Refusal::TaskNotReady { reasons, .. } => ReasonView::from_reasons(reasons, task),
                Refusal::CapacityReached { max, .. } => ReasonView::from_reasons(
                    &[orch_core::refusal::NotReadyReason::Capacity { max: *max }],
                    task,
                ),
                _ => Vec::new(),
            };
            (ErrorView::from_refusal(refusal), reasons)
        }
        other => (failure::error_view(other), Vec::new()),
    };
    UndispatchedTask { task: task.to_string(), code: view.code, message: view.message, reasons }
}

/// Agents that were never seen before, each once, with the first task that one of them got.
fn unknown_agents<'a>(
    outcomes: impl IntoIterator<Item = &'a engine::DispatchOutcome>,
) -> BTreeMap<Slug, TaskName> {
    let mut names = BTreeMap::new();
    for outcome in outcomes.into_iter().filter(|outcome| !outcome.agent_seen) {
        let task = &outcome.attempt.name.task;
        names.entry(outcome.attempt.agent.clone()).or_insert_with(|| task.clone());
    }
    names
}

fn warn_of_unknown_agents(context: &mut CommandRuntime<'_>, strangers: &BTreeMap<Slug, TaskName>) {
    for (agent, task) in strangers {
        context.add_warning(format!(
            "No agent {agent} was ever seen; if the name is mistyped, `orch recall {task}` takes the work back."
        ));
    }
}
