//! `orch status`: a run at a glance.

use orch_contract::ErrorCode;
use orch_contract::orch::blocked::StuckTaskView;
use orch_contract::orch::run::{OpenRunsResponse, StatusOrRuns};
use orch_contract::orch::status::ReviewView;
use orch_contract::orch::status::{ActiveTask, ClashView, FailedTask, StatusResponse};
use orch_contract::run::{RunHeader, RunProgress, RunSummary, TaskCountsView};
use orch_contract::task::slug_texts;
use orch_contract::{TokensView, UsdAmount};
use orch_core::id::Slug;
use orch_core::refusal::Refusal;
use orch_core::time::TimeSpan;
use orch_inbox::{Error, Session};
use orch_query::clashes::AttemptClash;
use orch_query::events::wait_for_event;
use orch_query::ps::{RunDriving, load_driving};
use orch_query::status::{RunOverview, load_overview, load_overview_without_clashes};
use orch_scheduler::run::show_run;
use orch_store::page::PageRequest;
use serde::Serialize;

use super::view::{profile_usage_views, question_view, short_task_view};
use crate::app::App;
use crate::error::AppError;
use crate::request::{Answer, Reply, Request, RequestKey};

/// Shows a run at a glance.
#[derive(Debug, Serialize)]
pub struct ShowStatus {
    /// The run; the only unfinished one when absent, or all unfinished ones.
    pub run: Option<Slug>,
}

impl Request for ShowStatus {
    const COMMAND: &'static str = "orch status";
    type View = StatusOrRuns;

    fn perform(&self, app: &mut App<'_>, _key: &RequestKey<'_>) -> Answer<StatusOrRuns> {
        match load_status(app.session()?, self.run.as_ref()) {
            Err(Error::Refused(Refusal::RunAmbiguous { runs })) => {
                Ok(Reply::new(StatusOrRuns::Runs(open_runs(app.session()?, &runs, "status")?)))
            }
            status => Ok(Reply::new(StatusOrRuns::Status(Box::new(status?.0)))),
        }
    }
}

/// Shows the status of the current run, all unfinished runs, or how to begin.
#[derive(Debug, Serialize)]
pub struct ShowOverview {
    /// The run; the only unfinished one when absent, or all unfinished ones.
    pub run: Option<Slug>,
}

impl Request for ShowOverview {
    const COMMAND: &'static str = "orch status";
    type View = StatusOrRuns;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<StatusOrRuns> {
        match (ShowStatus { run: self.run.clone() }).perform(app, key) {
            Err(error) if self.run.is_none() && is_beginning(&error) => {
                let next = ["orch run init TITLE", "orch prime", "orch demo", "orch --help"];
                let next = next.map(str::to_owned).to_vec();
                Ok(Reply::new(StatusOrRuns::Runs(OpenRunsResponse { runs: Vec::new(), next })))
            }
            answer => answer,
        }
    }
}

/// Whether an error means that no store or no run exists yet.
fn is_beginning(error: &AppError) -> bool {
    matches!(error.code(), ErrorCode::StoreNotFound | ErrorCode::RunNotFound)
}

/// How many runs are listed.
const RUNS_SHOWN: usize = 20;

/// Returns the unfinished runs and how to choose one.
pub(super) fn open_runs(
    session: &mut Session,
    names: &[Slug],
    command: &str,
) -> Result<OpenRunsResponse, Error> {
    let page = PageRequest { limit: 1, after: None };
    let mut runs = Vec::new();
    for name in names.iter().take(RUNS_SHOWN) {
        runs.push(RunSummary::from_run(&show_run(session, Some(name), &page)?.run));
    }
    let mut next: Vec<String> =
        names.iter().take(RUNS_SHOWN).map(|name| format!("orch {command} {name}")).collect();
    next.extend(names.first().map(|name| format!("orch run use {name}")));
    Ok(OpenRunsResponse { runs, next })
}

/// How long an unchanged status stays current: it tells ages, which grow.
const REDRAW: TimeSpan = TimeSpan::from_seconds(5);

/// A status that is shown again whenever it changes, until the run ends.
#[derive(Debug)]
pub struct StatusWatch {
    run: Option<Slug>,
    last: Option<StatusResponse>,
    ended: bool,
}

impl StatusWatch {
    /// Watches a run; the only unfinished one when none is named.
    #[must_use]
    pub fn new(run: Option<Slug>) -> Self {
        Self { run, last: None, ended: false }
    }

    /// Waits for the next status; none after the run's end.
    ///
    /// With `also_unchanged`, a status whose ages alone have changed is returned as well.
    ///
    /// # Errors
    /// The run is unknown.
    pub fn next_status(
        &mut self,
        app: &mut App<'_>,
        also_unchanged: bool,
    ) -> Result<Option<StatusResponse>, AppError> {
        while !self.ended {
            if self.last.is_some() {
                wait_for_event(app.session()?, REDRAW)?;
            }
            let (status, unfinished) = load_status(app.session()?, self.run.as_ref())?;
            if also_unchanged || self.last.as_ref().is_none_or(|last| has_changed(last, &status)) {
                // The run that was found first stays the one that is watched.
                self.run.get_or_insert_with(|| Slug::from_stored(status.run.id.clone()));
                self.ended = !unfinished;
                self.last = Some(status.clone());
                return Ok(Some(status));
            }
        }
        Ok(None)
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

/// Loads the status of a run, and whether the run is unfinished.
pub(super) fn load_status(
    session: &mut Session,
    run: Option<&Slug>,
) -> Result<(StatusResponse, bool), Error> {
    let status = load_overview(session, run)?;
    let unfinished = status.run.state.status().is_unfinished();
    let driving = load_driving(session, &status.run.name)?;
    Ok((status_response(&status, &driving), unfinished))
}

/// Loads the status of a run without the clashes, which git would be asked for.
pub(super) fn load_status_without_clashes(
    session: &mut Session,
    run: Option<&Slug>,
) -> Result<StatusResponse, Error> {
    let status = load_overview_without_clashes(session, run)?;
    let driving = load_driving(session, &status.run.name)?;
    Ok(status_response(&status, &driving))
}

fn clash_view(clash: &AttemptClash) -> ClashView {
    let attempts = clash.attempts.iter().map(ToString::to_string).collect();
    ClashView { attempts, files: clash.files.clone() }
}

fn status_response(status: &RunOverview, driving: &RunDriving) -> StatusResponse {
    let active = status.active.iter().map(|active| ActiveTask {
        task: short_task_view(&active.shown),
        since: active.since.into(),
        progress: active.progress.clone(),
        percent: active.percent,
        lease_expires_at: active.lease_expires_at.map(Into::into),
        cost_usd: active.spent.cost_micros.map(UsdAmount),
        tokens: TokensView::of_usage(active.spent),
    });
    let failed = status
        .failed
        .iter()
        .map(|failed| FailedTask { task: short_task_view(&failed.shown), reason: failed.reason.clone() });
    let waiting = status.waiting.iter().map(|one| StuckTaskView::from_reasons(&one.task, &one.reasons));
    let mut response = StatusResponse {
        run: RunHeader::from_run(&status.run),
        counts: TaskCountsView::from_counts(&status.run.counts),
        active: active.collect(),
        questions: status.questions.iter().map(question_view).collect(),
        reviews: status.reviews.iter().filter_map(ReviewView::from_event).collect(),
        stuck: (status.stuck.iter().map(StuckTaskView::from_operation)).chain(waiting).collect(),
        ready: status.ready.iter().map(short_task_view).collect(),
        failed: failed.collect(),
        clashes: status.clashes.iter().map(clash_view).collect(),
        profiles: profile_usage_views(&status.profiles),
        progress: RunProgress::from_counts(&status.run.counts),
        critical_path: slug_texts(&status.critical_path),
        eta_ms: status.eta.map(|span| span.0),
        driven: driving.driven,
        next: Vec::new(),
    };
    response.next = response.next_commands(&driving.profiles);
    response
}
