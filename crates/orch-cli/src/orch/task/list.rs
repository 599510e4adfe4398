//! `orch task list`.

use orch_contract::orch::task::TasksAnswer;
use orch_core::id::Slug;
use orch_core::task::TaskState;
use orch_scheduler::task::{List, list};

use crate::arguments::{Detail, Paging, slug};
use crate::context::Context;
use crate::failure::Failure;
use crate::orch::naming::NamedRun;
use crate::orch::view;
use crate::respond::{Outcome, Reply};

/// List a run's tasks, oldest first
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch task list --state failed --state skipped")]
pub(super) struct Args {
    /// Only tasks in this state; may be given several times
    #[arg(long = "state", value_name = "STATE", value_delimiter = ',', value_parser = state)]
    states: Vec<TaskState>,
    /// Only tasks with this label
    #[arg(long, value_name = "LABEL", value_parser = slug)]
    label: Option<Slug>,
    #[command(flatten)]
    paging: Paging,
    #[command(flatten)]
    detail: Detail,
}

pub(super) fn run(args: Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    let request =
        List { run: run.settle(context)?, states: args.states, label: args.label, page: args.paging.page() };
    let session = context.session()?;
    let page = list(session, &request)?;
    let mut tasks = view::briefs(&page.items);
    view::widen_all(session, &mut tasks, args.detail.full)?;
    Ok(Reply::new(TasksAnswer { tasks, total: page.total, next: page.next }).into())
}

fn state(text: &str) -> Result<TaskState, String> {
    TaskState::parse(text).ok_or_else(|| {
        let names = TaskState::ALL.map(TaskState::name);
        format!("a task is one of {}", names.join(" "))
    })
}
