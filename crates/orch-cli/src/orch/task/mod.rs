//! `orch task …`: the units of work of a run.

mod add;
mod cancel;
mod edit;
mod list;
mod plan;
mod retry;
mod show;

pub(in crate::orch) use plan::{plan_failure as plan_refused, read_failure as plan_unreadable};

use clap::Subcommand;
use orch_contract::orch::task::TaskResponse;
use orch_inbox::{Error, Receipt, Response, Session};
use orch_scheduler::task::{TaskAction, change_task};
use orch_scheduler::{TaskOverview, TaskSelector};

use super::naming::NamedRun;
use crate::arguments::{DetailOption, RequestIdOption};
use crate::context::CommandRuntime;
use crate::respond::CommandOutcome;
use orch_app::AppError;
use orch_app::fingerprint::RequestFingerprint;
use orch_app::naming;
use orch_app::orch::view;

/// Add, list and change tasks
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct TaskArgs {
    #[command(subcommand)]
    command: TaskCommand,
}

#[derive(Debug, Subcommand)]
enum TaskCommand {
    Add(Box<add::TaskAddArgs>),
    List(list::TaskListArgs),
    Show(show::TaskShowArgs),
    Edit(Box<edit::TaskEditArgs>),
    Cancel(cancel::TaskCancelArgs),
    Retry(retry::TaskRetryArgs),
}

/// Runs the command.
///
/// # Errors
/// As the command says.
pub fn run(
    args: TaskArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    match args.command {
        TaskCommand::Add(args) => add::run(*args, context, run),
        TaskCommand::List(args) => list::run(args, context, run),
        TaskCommand::Show(args) => show::run(args, context, run),
        TaskCommand::Edit(args) => edit::run(*args, context, run),
        TaskCommand::Cancel(args) => cancel::run(args, context, run),
        TaskCommand::Retry(args) => retry::run(args, context, run),
    }
}

/// How a change of a task is repeated and shown.
#[derive(Debug, clap::Args)]
pub(super) struct ChangeOptions {
    #[command(flatten)]
    pub(super) repeatable: RequestIdOption,
    #[command(flatten)]
    pub(super) detail: DetailOption,
}

/// Makes a change that is answered with the task.
pub(super) fn run_task_change(
    context: &mut CommandRuntime<'_>,
    manner: &ChangeOptions,
    fingerprint: RequestFingerprint,
    operation: impl FnOnce(
        &mut Session,
        Option<&Receipt<'_, TaskOverview>>,
    ) -> Result<Response<TaskOverview>, Error>,
) -> Result<CommandOutcome, AppError> {
    let mut reply = context.run_change(
        &manner.repeatable,
        fingerprint,
        |shown| TaskResponse { task: view::task_view(shown) },
        operation,
    )?;
    view::add_long_texts(context.open_session()?, &mut reply.data.task, manner.detail.full)?;
    Ok(reply.into())
}

/// Cancels or retries.
fn apply_task_verb(
    task: TaskSelector,
    manner: &ChangeOptions,
    verb: TaskAction,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    let who = context.calling_lead()?;
    let task = run.resolve_task(task, context)?;
    let fingerprint = RequestFingerprint::for_command(context.command())
        .with_argument("as", &who)
        .with_argument("task", naming::task_text(&task));
    run_task_change(context, manner, fingerprint, |session, receipt| {
        change_task(session, receipt, &who, &task, verb)
    })
}
