//! `orch status`.

use orch_contract::orch::status::{Active, Clash, Failed, StatusAnswer};
use orch_contract::run::{Progress, RunBrief, StateCounts};
use orch_contract::task::texts;
use orch_core::id::Slug;
use orch_core::time::Span;
use orch_inbox::Session;
use orch_scheduler::clashes;
use orch_scheduler::events::changed;
use orch_scheduler::status::{Status, status};

use super::naming::NamedRun;
use super::view;
use crate::arguments::slug;
use crate::context::Context;
use crate::failure::Failure;
use crate::respond::{Outcome, Reply, Written};

/// Show a run at a glance
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch status ship --watch")]
pub struct Args {
    /// Which run; the only unfinished one when not given
    #[arg(value_name = "RUN", value_parser = slug)]
    named: Option<Slug>,
    /// Show it again whenever it changes, until the run ends
    #[arg(long)]
    watch: bool,
}

/// How long a page that nothing changed stays as it is; it tells ages, which grow.
const REDRAW: Span = Span::seconds(5);

/// Runs the command.
///
/// # Errors
/// There is no such run, or several and none was named, or the store failed.
pub fn run(args: &Args, context: &mut Context<'_>, run: &NamedRun) -> Result<Outcome, Failure> {
    let run = run.or(args.named.as_ref(), context)?;
    if args.watch {
        return watch(run, context);
    }
    let (answer, _) = look(context.session()?, run.as_ref())?;
    Ok(Reply::new(answer).into())
}

/// Prints the status whenever it changes; for people also when only time has passed.
fn watch(mut run: Option<Slug>, context: &mut Context<'_>) -> Result<Outcome, Failure> {
    let mut last = None;
    loop {
        let (answer, unfinished) = look(context.session()?, run.as_ref())?;
        if last.as_ref().is_none_or(|last| differs(last, &answer)) || context.for_people() {
            if run.is_none() {
                // The run that was meant at first stays the one that is watched.
                run = Some(Slug::stored(answer.run.id.clone()));
            }
            let written = context.redraw(answer.clone());
            if written != Written::Whole || !unfinished {
                return Ok(Outcome::Streamed);
            }
            last = Some(answer);
        }
        changed(context.session()?, REDRAW)?;
    }
}

/// Whether anything but the ages of questions changed.
fn differs(last: &StatusAnswer, now: &StatusAnswer) -> bool {
    let ageless = |status: &StatusAnswer| {
        let mut status = status.clone();
        status.questions.iter_mut().for_each(|question| question.age_ms = 0);
        status
    };
    ageless(last) != ageless(now)
}

/// The status now, and whether the run is unfinished.
pub(super) fn look(session: &mut Session, run: Option<&Slug>) -> Result<(StatusAnswer, bool), Failure> {
    let status = status(session, run)?;
    let unfinished = status.run.state.status().unfinished();
    Ok((answer(&status), unfinished))
}

/// The status now without what git would have to be asked for.
pub(super) fn glance(session: &mut Session, run: Option<&Slug>) -> Result<StatusAnswer, Failure> {
    Ok(answer(&orch_scheduler::status::glance(session, run)?))
}

fn clash(clash: &clashes::Clash) -> Clash {
    let attempts = clash.attempts.iter().map(ToString::to_string).collect();
    Clash { attempts, files: clash.files.clone() }
}

fn answer(status: &Status) -> StatusAnswer {
    let active = status.active.iter().map(|active| Active {
        task: view::short(&active.shown),
        since: active.since.into(),
        progress: active.progress.clone(),
        percent: active.percent,
        lease_expires_at: active.lease_expires_at.map(Into::into),
    });
    let failed = status
        .failed
        .iter()
        .map(|failed| Failed { task: view::short(&failed.shown), reason: failed.reason.clone() });
    StatusAnswer {
        run: RunBrief::of(&status.run),
        counts: StateCounts::of(&status.run.counts),
        active: active.collect(),
        questions: status.questions.iter().map(view::question).collect(),
        ready: status.ready.iter().map(view::short).collect(),
        failed: failed.collect(),
        clashes: status.clashes.iter().map(clash).collect(),
        progress: Progress::of(&status.run.counts),
        critical_path: texts(&status.critical_path),
        eta_ms: status.eta.map(|span| span.0),
    }
}
