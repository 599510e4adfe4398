//! `orch status`.

use orch_contract::orch::status::{ActiveTask, ClashView, FailedTask, StatusResponse};
use orch_contract::run::{RunHeader, RunProgress, TaskCountsView};
use orch_contract::task::slug_texts;
use orch_core::id::Slug;
use orch_core::time::TimeSpan;
use orch_inbox::Session;
use orch_scheduler::clashes;
use orch_scheduler::events::wait_for_event;
use orch_scheduler::status::{RunOverview, load_overview};

use super::naming::NamedRun;
use crate::arguments::parse_slug;
use crate::context::CommandRuntime;
use crate::respond::{CommandOutcome, CommandReply, WriteOutcome};
use orch_app::AppError;
use orch_app::orch::view;

/// Show the progress of a run
#[derive(Debug, clap::Args)]
#[command(after_help = "EXAMPLE:\n  orch status ship --watch")]
pub struct StatusArgs {
    /// The run [default: the only unfinished one]
    #[arg(value_name = "RUN", value_parser = parse_slug)]
    named: Option<Slug>,
    /// Redraw on every change until the run ends
    #[arg(long)]
    watch: bool,
}

/// How long a page that nothing changed stays as it is; it tells ages, which grow.
const REDRAW: TimeSpan = TimeSpan::from_seconds(5);

/// Runs the command.
///
/// # Errors
/// There is no such run, or several and none was named, or the store failed.
pub fn run(
    args: &StatusArgs,
    context: &mut CommandRuntime<'_>,
    run: &NamedRun,
) -> Result<CommandOutcome, AppError> {
    let run = run.resolve_run_or(args.named.as_ref(), context)?;
    if args.watch {
        return watch_status(run, context);
    }
    let (answer, _) = load_status(context.open_session()?, run.as_ref())?;
    Ok(CommandReply::new(answer).into())
}

/// Prints the status whenever it changes; for people also when only time has passed.
fn watch_status(mut run: Option<Slug>, context: &mut CommandRuntime<'_>) -> Result<CommandOutcome, AppError> {
    let mut last = None;
    loop {
        let (answer, unfinished) = load_status(context.open_session()?, run.as_ref())?;
        if last.as_ref().is_none_or(|last| has_changed(last, &answer)) || context.is_for_people() {
            if run.is_none() {
                // The run that was meant at first stays the one that is watched.
                run = Some(Slug::from_stored(answer.run.id.clone()));
            }
            let written = context.redraw_page(answer.clone());
            if written != WriteOutcome::Complete || !unfinished {
                return Ok(CommandOutcome::Streamed);
            }
            last = Some(answer);
        }
        wait_for_event(context.open_session()?, REDRAW)?;
    }
}

/// Whether anything but the ages of questions changed.
fn has_changed(last: &StatusResponse, now: &StatusResponse) -> bool {
    let ageless = |status: &StatusResponse| {
        let mut status = status.clone();
        status.questions.iter_mut().for_each(|question| question.age_ms = 0);
        status
    };
    ageless(last) != ageless(now)
}

/// The status now, and whether the run is unfinished.
pub(super) fn load_status(
    session: &mut Session,
    run: Option<&Slug>,
) -> Result<(StatusResponse, bool), AppError> {
    let status = load_overview(session, run)?;
    let unfinished = status.run.state.status().is_unfinished();
    Ok((status_response(&status), unfinished))
}

/// The status now without what git would have to be asked for.
pub(super) fn load_status_without_git(
    session: &mut Session,
    run: Option<&Slug>,
) -> Result<StatusResponse, AppError> {
    Ok(status_response(&orch_scheduler::status::load_overview_without_clashes(session, run)?))
}

fn clash_view(clash: &clashes::AttemptClash) -> ClashView {
    let attempts = clash.attempts.iter().map(ToString::to_string).collect();
    ClashView { attempts, files: clash.files.clone() }
}

fn status_response(status: &RunOverview) -> StatusResponse {
    let active = status.active.iter().map(|active| ActiveTask {
        task: view::short_task_view(&active.shown),
        since: active.since.into(),
        progress: active.progress.clone(),
        percent: active.percent,
        lease_expires_at: active.lease_expires_at.map(Into::into),
    });
    let failed = status.failed.iter().map(|failed| FailedTask {
        task: view::short_task_view(&failed.shown),
        reason: failed.reason.clone(),
    });
    StatusResponse {
        run: RunHeader::from_run(&status.run),
        counts: TaskCountsView::from_counts(&status.run.counts),
        active: active.collect(),
        questions: status.questions.iter().map(view::question_view).collect(),
        ready: status.ready.iter().map(view::short_task_view).collect(),
        failed: failed.collect(),
        clashes: status.clashes.iter().map(clash_view).collect(),
        progress: RunProgress::from_counts(&status.run.counts),
        critical_path: slug_texts(&status.critical_path),
        eta_ms: status.eta.map(|span| span.0),
    }
}
