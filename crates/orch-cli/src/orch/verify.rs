//! `orch verify`.

use orch_contract::orch::judgement::VerifyAnswer;
use orch_contract::{Attempt, Check};
use orch_scheduler::TaskRef;
use orch_scheduler::verify::{Verified, verify};

use super::naming::{self, NamedRun, task};
use super::task::Manner;
use super::view;
use crate::context::Context;
use crate::failure::Failure;
use crate::fingerprint::Fingerprint;
use crate::respond::Outcome;

/// Run the checks on what an attempt reported, and judge it by them
///
/// The run's checks run first, then the task's, in the attempt's worktree. An attempt whose checks fail is rejected:
/// the task is tried again, and the next attempt is told what was wrong. The exit status is 4 then.
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch verify parser")]
pub struct Args {
    /// Which task, KEY or RUN/KEY
    #[arg(value_name = "TASK", value_parser = task)]
    task: TaskRef,
    #[command(flatten)]
    manner: Manner,
}

/// Runs the command.
///
/// # Errors
/// No attempt was reported, a check did not pass, or the store failed.
pub fn run(args: Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    let who = context.lead()?;
    let task = run.task(args.task, context)?;
    let fingerprint = Fingerprint::of(context.command()).with("as", &who).with("task", naming::text(&task));
    context.progress(&format!("Running the checks of {} …", naming::text(&task)));
    let mut reply = context.change(&args.manner.repeatable, fingerprint, answer, |session, receipt| {
        verify(session, receipt, &who, &task)
    })?;
    view::widen(context.session()?, &mut reply.data.task, args.manner.detail.full)?;
    Ok(reply.into())
}

fn answer(verified: &Verified) -> VerifyAnswer {
    VerifyAnswer {
        task: view::brief(&verified.task),
        attempt: Attempt::of(&verified.attempt, verified.worktree.as_ref(), None),
        checks: verified.checks.iter().map(Check::of).collect(),
    }
}
