//! `orch task …`: the units of work of a run.

mod add;
mod cancel;
mod edit;
mod list;
mod plan;
mod retry;
mod show;

pub(in crate::orch) use plan::{refused as plan_refused, unreadable as plan_unreadable};

use clap::Subcommand;
use orch_contract::orch::task::TaskAnswer;
use orch_inbox::{Answer, Error, Receipt, Session};
use orch_scheduler::task::{Verb, change};
use orch_scheduler::{TaskRef, TaskShown};

use super::naming::{self, NamedRun};
use super::view;
use crate::arguments::{Detail, Repeatable};
use crate::context::Context;
use crate::failure::Failure;
use crate::fingerprint::Fingerprint;
use crate::respond::Outcome;

/// Add, list and change tasks
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Add(Box<add::Args>),
    List(list::Args),
    Show(show::Args),
    Edit(Box<edit::Args>),
    Cancel(cancel::Args),
    Retry(retry::Args),
}

/// Runs the command.
///
/// # Errors
/// As the command says.
pub fn run(args: Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    match args.command {
        Command::Add(args) => add::run(*args, context, run),
        Command::List(args) => list::run(args, context, run),
        Command::Show(args) => show::run(args, context, run),
        Command::Edit(args) => edit::run(*args, context, run),
        Command::Cancel(args) => cancel::run(args, context, run),
        Command::Retry(args) => retry::run(args, context, run),
    }
}

/// How a change of a task is repeated and shown.
#[derive(Debug, clap::Args)]
pub(super) struct Manner {
    #[command(flatten)]
    pub(super) repeatable: Repeatable,
    #[command(flatten)]
    pub(super) detail: Detail,
}

/// Makes a change that is answered with the task.
pub(super) fn answer(
    context: &mut Context<'_>,
    manner: &Manner,
    fingerprint: Fingerprint,
    operation: impl FnOnce(&mut Session, Option<&Receipt<'_, TaskShown>>) -> Result<Answer<TaskShown>, Error>,
) -> Result<Outcome, Failure> {
    let mut reply = context.change(
        &manner.repeatable,
        fingerprint,
        |shown| TaskAnswer { task: view::brief(shown) },
        operation,
    )?;
    view::widen(context.session()?, &mut reply.data.task, manner.detail.full)?;
    Ok(reply.into())
}

/// Cancels or retries.
fn steer(
    task: TaskRef,
    manner: &Manner,
    verb: Verb,
    context: &mut Context<'_>,
    run: &NamedRun,
) -> Result<Outcome, Failure> {
    let who = context.lead()?;
    let task = run.task(task, context)?;
    let fingerprint = Fingerprint::of(context.command()).with("as", &who).with("task", naming::text(&task));
    answer(context, manner, fingerprint, |session, receipt| change(session, receipt, &who, &task, verb))
}
