//! `orch run show`.

use orch_contract::Run;
use orch_contract::orch::run::RunShowAnswer;
use orch_contract::run::StateCounts;
use orch_core::id::Slug;
use orch_scheduler::run::show;

use crate::arguments::{Detail, Paging, slug};
use crate::context::Context;
use crate::failure::Failure;
use crate::orch::naming::NamedRun;
use crate::orch::view;
use crate::respond::{Outcome, Reply};

/// Show a run and its tasks, oldest first
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch run show ship")]
pub(super) struct Args {
    /// Which run; the only unfinished one when not given
    #[arg(value_name = "RUN", value_parser = slug)]
    named: Option<Slug>,
    #[command(flatten)]
    paging: Paging,
    #[command(flatten)]
    detail: Detail,
}

pub(super) fn run(args: &Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    let run = run.or(args.named.as_ref(), context)?;
    let session = context.session()?;
    let shown = show(session, run.as_ref(), &args.paging.page())?;
    let mut tasks = view::briefs(&shown.tasks.items);
    view::widen_all(session, &mut tasks, args.detail.full)?;
    let answer = RunShowAnswer {
        run: Run::of(&shown.run),
        counts: StateCounts::of(&shown.run.counts),
        tasks,
        total: shown.tasks.total,
        next: shown.tasks.next,
    };
    Ok(Reply::new(answer).into())
}
