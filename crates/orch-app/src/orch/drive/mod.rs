//! `orch drive`: takes runs from plan to branch with workers of its own.

mod check;
mod detach;
mod pages;
mod plan;

use std::os::fd::OwnedFd;
use std::sync::Arc;

use orch_contract::orch::blocked::StuckTaskView;
use orch_contract::orch::drive::DriveEnd;
use orch_contract::run::{RunPauseView, RunSummary};
use orch_contract::{ErrorCode, ErrorView, EventView, operation};
use orch_core::event::Event;
use orch_core::id::Slug;
use orch_core::limit;
use orch_core::run::{Budget, Run};
use orch_core::shell;
use orch_core::time::TimeSpan;
use orch_inbox::Session;
use orch_profile::ProfileReference;
use orch_scheduler::lookup;
use orch_supervisor::supervisor::notify::EventNotifier;
use orch_supervisor::supervisor::stall::StallReason;
use orch_supervisor::supervisor::worker_pool::{ProfileSlots, WorkerPool};
use orch_supervisor::supervisor::{
    DriveConfig, DriveOutcome, DriveUntil, SessionOpener, StopReason, SupervisorEvent, drive_runs,
    find_requested_pauses, resume_stopped_run,
};
use orch_supervisor::wrapper::ProgramPaths;

use crate::app::App;
use crate::error::AppError;
use crate::inbox::run::{check_profile, own_programs};

pub use orch_supervisor::supervisor::ListenerResponse;
pub use pages::DrivePages;

/// The number of workers when nothing names one.
const WORKERS_DEFAULT: usize = 4;

/// The runs to drive, and the workers and rules to drive them with.
#[derive(Clone, Debug)]
pub struct DriveRequest {
    /// The lead in whose name it decides.
    pub agent: Slug,
    /// The run; all unfinished runs when absent.
    pub run: Option<Slug>,
    /// The profiles of the workers, each with its most workers at once.
    pub profiles: Vec<(ProfileReference, Option<usize>)>,
    /// The most workers at once, of all profiles together.
    pub workers: Option<usize>,
    /// The most attempts at once at tasks with a label.
    pub labels: Vec<(Slug, usize)>,
    /// Ends as soon as nothing moves by itself, and not only when the runs are finished.
    pub until_idle: bool,
    /// Ends after one pass.
    pub once: bool,
    /// How long one attempt may take.
    pub attempt_limit: Option<TimeSpan>,
    /// Whether the caller named the run, rather than its surroundings.
    pub names_run: bool,
    /// Whether it waits until runs that were paused on request before are resumed: a person watches it.
    pub waits_for_resumption: bool,
    /// Whether workers that print nothing for too long are terminated.
    pub end_silent: bool,
    /// Whether profiles whose cost is not known in time are used under a limit of cost.
    pub allow_unmetered: bool,
    /// Runs checks although their results were known before the drive.
    pub no_check_cache: bool,
    /// The most checks of merges at once in each run.
    pub merge_check_jobs: Option<usize>,
    /// The file that the door prints to, where it is not a terminal.
    pub log: Option<String>,
}

impl DriveRequest {
    /// Returns the arguments of `orch drive` that resume this drive; a plan was added before.
    #[must_use]
    pub fn resume_words(&self, run: Option<&Slug>) -> Vec<String> {
        let mut words: Vec<String> = run.map(ToString::to_string).into_iter().collect();
        let mut option = |name: &str, value: String| words.extend([format!("--{name}"), value]);
        for (reference, limit) in &self.profiles {
            let name = reference.to_string();
            option("profile", limit.map_or_else(|| name.clone(), |limit| format!("{name}={limit}")));
        }
        for (label, limit) in &self.labels {
            option("label", format!("{label}={limit}"));
        }
        if let Some(workers) = self.workers {
            option("workers", workers.to_string());
        }
        if let Some(limit) = self.attempt_limit {
            option("attempt-limit", format!("{}ms", limit.0));
        }
        if let Some(jobs) = self.merge_check_jobs {
            option("merge-check-jobs", jobs.to_string());
        }
        if self.until_idle {
            option("until", "idle".to_owned());
        }
        if self.end_silent {
            option("on-silence", "end".to_owned());
        }
        if self.allow_unmetered {
            words.push("--allow-unmetered".to_owned());
        }
        if self.no_check_cache {
            words.push("--no-check-cache".to_owned());
        }
        words
    }

    fn resume_command(&self, driven: &DriveOutcome) -> String {
        let run = match driven.runs.as_slice() {
            [run] => Some(&run.name),
            _ => None,
        };
        let options = self.resume_words(run);
        shell::join_words(["orch", "drive"].into_iter().chain(options.iter().map(String::as_str)))
    }

    /// Loads the profiles and returns the workers.
    fn worker_pool(&self, app: &mut App<'_>) -> Result<WorkerPool, AppError> {
        let named: usize = self.profiles.iter().filter_map(|(_, limit)| *limit).sum();
        let workers = self.workers.unwrap_or(if named > 0 { named } else { WORKERS_DEFAULT });
        let registry = app.profile_registry()?;
        let mut slots = Vec::new();
        for (reference, limit) in &self.profiles {
            if let ProfileReference::Path(path) = reference {
                app.require_outside_attempts(path)?;
            }
            let profile = check_profile(&registry, reference)?;
            let reference = match reference {
                ProfileReference::Name(_) | ProfileReference::Model(..) => reference.to_string(),
                // A wrapper starts in another folder.
                ProfileReference::Path(path) => {
                    std::path::absolute(path).unwrap_or_else(|_| path.clone()).display().to_string()
                }
            };
            slots.push(ProfileSlots { profile, reference, limit: limit.unwrap_or(workers) });
        }
        let mut pool = WorkerPool::new(slots, workers, registry);
        pool.attempt_limit = self.attempt_limit;
        pool.labels = self.labels.iter().cloned().collect();
        pool.ends_silent = self.end_silent;
        pool.allows_unmetered = self.allow_unmetered;
        pool.name_humans(app.named_humans()?);
        Ok(pool)
    }
}

/// A signal of a supervisor to its door.
#[derive(Debug)]
pub enum DriveSignal<'a> {
    /// An event of one of its runs.
    Event(EventView),
    /// A note for people.
    Note(&'a str),
    /// A moment in which a live view may be redrawn.
    Tick,
}

/// A drive whose workers, programs and notices are set up.
pub struct DriveSetup {
    request: DriveRequest,
    pool: WorkerPool,
    open: SessionOpener,
    store: String,
    programs: ProgramPaths,
    notifier: Option<EventNotifier>,
}

impl App<'_> {
    /// Sets up a drive: loads the profiles and settings, and starts nothing.
    ///
    /// # Errors
    /// A profile or the settings cannot be read.
    pub fn set_up_drive(&mut self, mut request: DriveRequest) -> Result<DriveSetup, AppError> {
        self.apply_drive_defaults(&mut request)?;
        let mut pool = request.worker_pool(self)?;
        require_metering(self.session()?, &request, &mut pool)?;
        let (open, store) = self.session_opener()?;
        Ok(DriveSetup {
            request,
            pool,
            open: Arc::new(open),
            store,
            programs: own_programs()?,
            notifier: None,
        })
    }

    /// Creates the notifier of the user's settings.
    fn event_notifier(&mut self, store: &str) -> Result<Option<EventNotifier>, AppError> {
        let settings = self.user_settings()?;
        let folder = self.session()?.store_folder().to_owned();
        Ok(settings.notify.map(|notify| EventNotifier::new(notify, folder, store.to_owned())))
    }
}

impl DriveSetup {
    /// Returns the setup with other programs, for a drive in a folder of its own.
    pub(super) fn with_programs(self, programs: ProgramPaths) -> Self {
        Self { programs, ..self }
    }

    /// Starts the notices that the user's settings ask for.
    ///
    /// # Errors
    /// The settings cannot be read.
    pub fn start_notices(&mut self, app: &mut App<'_>) -> Result<(), AppError> {
        self.notifier = app.event_notifier(&self.store)?;
        Ok(())
    }

    /// Resumes the named run if `orch stop` paused it; refuses to start if a person has to resume the runs first.
    ///
    /// # Errors
    /// The runs are paused on request, and the drive does not wait; or the run is unknown.
    pub fn require_resumed(&self, app: &mut App<'_>) -> Result<(), AppError> {
        let DriveRequest { agent, run, names_run, waits_for_resumption, .. } = &self.request;
        if let Some(run) = run.as_ref().filter(|_| *names_run) {
            resume_stopped_run(app.session()?, agent, run)?;
        }
        if let Some(run) = run {
            app.remember_lead(run);
        }
        if *waits_for_resumption {
            return Ok(());
        }
        let paused = find_requested_pauses(app.session()?, run.as_ref())?;
        match paused.iter().find_map(StopReason::of_pause) {
            Some(reason) => Err(incomplete_error(&paused, &reason.to_string(), false).into()),
            None => Ok(()),
        }
    }

    /// Returns what opens the store.
    pub(super) fn opener(&self) -> SessionOpener {
        Arc::clone(&self.open)
    }

    /// Returns the pages of a live view, over a connection of their own.
    ///
    /// # Errors
    /// The store cannot be opened.
    pub fn pages(&self) -> Result<DrivePages, AppError> {
        Ok(DrivePages::new((self.open)()?, self.request.run.clone()))
    }

    /// Supervises the runs until they are finished or the door stops it; each byte of `stop` is an interrupt.
    ///
    /// # Errors
    /// The run is unknown, or the store failed.
    pub fn supervise(
        self,
        stop: OwnedFd,
        listen: &mut dyn FnMut(DriveSignal<'_>) -> ListenerResponse,
    ) -> Result<DrivenRuns, AppError> {
        self.supervise_observed(stop, &mut |_| {}, listen)
    }

    /// Supervises the runs, and passes each event to an observer before the door.
    pub(super) fn supervise_observed(
        self,
        stop: OwnedFd,
        observe: &mut dyn FnMut(&Event),
        listen: &mut dyn FnMut(DriveSignal<'_>) -> ListenerResponse,
    ) -> Result<DrivenRuns, AppError> {
        let Self { request, pool, open, store, programs, notifier } = self;
        let outcome = drive_runs(DriveConfig {
            open,
            store,
            who: request.agent.clone(),
            run: request.run.clone(),
            crew: pool,
            until: if request.until_idle { DriveUntil::Idle } else { DriveUntil::Finished },
            once: request.once,
            waits_for_resumption: request.waits_for_resumption,
            no_check_cache: request.no_check_cache,
            merge_check_jobs: request.merge_check_jobs.unwrap_or(limit::MERGE_CHECK_JOBS_DEFAULT),
            programs,
            stop: Some(stop),
            log: request.log.clone(),
            listen: &mut |signal| {
                if let SupervisorEvent::Event(event) = &signal {
                    observe(event);
                }
                forward_signal(signal, notifier.as_ref(), listen)
            },
        })?;
        Ok(DrivenRuns { request, outcome, notifier })
    }
}

/// Checks that the limits of cost of the runs can hold with the workers of a drive.
fn require_metering(
    session: &mut Session,
    request: &DriveRequest,
    pool: &mut WorkerPool,
) -> Result<(), AppError> {
    // A run that does not exist is refused by the drive itself.
    let runs = session.query(|tx| lookup::find_runs(tx, request.run.as_ref())).unwrap_or_default();
    pool.check_metering(&Budget::default());
    for run in runs.iter().filter(|run| run.state.status().is_unfinished()) {
        let unmetered = pool.check_metering(&run.budget);
        if !unmetered.is_empty() {
            return Err(unmetered_error(run, &unmetered).into());
        }
    }
    Ok(())
}

fn unmetered_error(run: &Run, profiles: &[Slug]) -> ErrorView {
    let names: Vec<String> = profiles.iter().map(Slug::to_string).collect();
    let listed = names.join(", ");
    let name = &run.name;
    let message = format!(
        "The cost of run {name} has a limit, and what workers of {listed} cost is not known in time to keep it."
    );
    ErrorView::new(ErrorCode::Unmetered, message)
        .with_detail("profiles", names)
        .with_detail("run", name.to_string())
        .with_hint(format!("orch run edit {name} --attempt-reserve USD"))
}

/// Explains why nothing moves, and names the command that helps.
fn stall_note(reason: &StallReason) -> String {
    match reason {
        StallReason::Paused { run } => format!("The run {run} is paused: orch run resume {run}"),
        StallReason::NoTask { run } => {
            format!("The run {run} has no task yet: orch task add TITLE --run {run}")
        }
        StallReason::NoProfile { agent } => {
            format!(
                "No profile is called {agent}, so its work waits for another process: inbox claim --as {agent}"
            )
        }
        StallReason::CoolingDown { profile, cause } => {
            format!("No worker of {profile} is started for now: {cause}")
        }
    }
}

/// Sends notices, and forwards the signal to the door after the notifier's complaints.
fn forward_signal(
    signal: SupervisorEvent<'_>,
    notifier: Option<&EventNotifier>,
    listen: &mut dyn FnMut(DriveSignal<'_>) -> ListenerResponse,
) -> ListenerResponse {
    let mut complaints = Vec::new();
    let stalled;
    let signal = match signal {
        SupervisorEvent::Event(event) => {
            let view = EventView::from_event(event);
            if notifier.is_some_and(|notifier| !send_notice(notifier, event, &view)) {
                complaints.push("The command of [notify] is too slow; a notice was left out.".to_owned());
            }
            DriveSignal::Event(view)
        }
        SupervisorEvent::Note(note) => DriveSignal::Note(note),
        SupervisorEvent::Stalled(reason) => {
            stalled = stall_note(reason);
            DriveSignal::Note(&stalled)
        }
        SupervisorEvent::Tick => DriveSignal::Tick,
    };
    complaints.extend(notifier.iter().flat_map(|notifier| notifier.take_complaints()));
    for complaint in &complaints {
        if listen(DriveSignal::Note(complaint)) == ListenerResponse::Closed {
            return ListenerResponse::Closed;
        }
    }
    listen(signal)
}

/// Sends a notice of an event; false when the user's program is too slow to take it.
fn send_notice(notifier: &EventNotifier, event: &Event, view: &EventView) -> bool {
    let text = ["question", "reason", "outcome"].into_iter().find_map(|name| view.data.get(name)?.as_str());
    // An event consists of texts and numbers, which always have a JSON form.
    let document = serde_json::to_string(view).unwrap_or_default();
    notifier.notify_event(event, text, document).is_ok()
}

/// The end of a drive.
pub struct DrivenRuns {
    request: DriveRequest,
    outcome: DriveOutcome,
    notifier: Option<EventNotifier>,
}

impl DrivenRuns {
    /// Waits for the last notices and returns the notifier's complaints.
    pub fn drain_notices(&mut self) -> Vec<String> {
        let Some(mut notifier) = self.notifier.take() else { return Vec::new() };
        notifier.drain_and_join();
        notifier.take_complaints().collect()
    }

    /// Returns the command that resumes an interrupted drive.
    #[must_use]
    pub fn resume_command(&self) -> Option<String> {
        (self.is_interrupted() && !self.outcome.complete).then(|| self.request.resume_command(&self.outcome))
    }

    pub(super) fn is_interrupted(&self) -> bool {
        self.outcome.interrupted
    }

    pub(super) fn is_complete(&self) -> bool {
        self.outcome.complete
    }

    /// Returns why the drive stopped before every task was done.
    pub(super) fn stop_reason(&self) -> String {
        let reason = self.outcome.reason.as_ref();
        reason.map_or_else(|| "not every task is done".to_owned(), ToString::to_string)
    }

    /// Returns the answer of a complete drive; an incomplete one is an error, so that scripts notice.
    ///
    /// # Errors
    /// Not every task is done.
    pub fn into_end(self) -> Result<DriveEnd, AppError> {
        let driven = &self.outcome;
        let next = next_commands(driven);
        if driven.complete {
            let runs = driven.runs.iter().map(RunSummary::from_run).collect();
            return Ok(DriveEnd { runs, complete: true, reason: None, next });
        }
        let mut reason = self.stop_reason();
        if let (Some(StopReason::Stuck { .. }), Some(failed)) = (&driven.reason, driven.stuck.first()) {
            reason = format!("{reason}. {}", operation::failure_message(failed));
        }
        let mut error = incomplete_error(&driven.runs, &reason, driven.interrupted);
        if !driven.stuck.is_empty() {
            let stuck: Vec<StuckTaskView> = driven.stuck.iter().map(StuckTaskView::from_operation).collect();
            // Texts and numbers always have a JSON form.
            error = error.with_detail("stuck", serde_json::to_value(stuck).unwrap_or_default());
        }
        if error.hint.is_none()
            && let Some(hint) = remedy_command(driven).or_else(|| next.first().cloned())
        {
            error = error.with_hint(hint);
        }
        Err(error.into())
    }
}

/// The error of a drive that ends before its runs are complete, with the pause of the first run that is paused.
fn incomplete_error(runs: &[Run], reason: &str, interrupted: bool) -> ErrorView {
    let names: Vec<String> = runs.iter().map(|run| run.name.to_string()).collect();
    let message = format!("{}: {}.", names.join(", "), reason.trim_end_matches('.'));
    let error = ErrorView::new(ErrorCode::RunIncomplete, message)
        .with_detail("runs", names)
        .with_detail("interrupted", interrupted);
    let Some(pause) = runs.iter().find_map(RunPauseView::of_run) else { return error };
    let next = pause.next.clone();
    // Texts and times always have a JSON form.
    let error = error
        .with_detail("pause", serde_json::to_value(pause).unwrap_or_default())
        .with_detail("next", next.clone());
    match next.into_iter().next() {
        Some(first) => error.with_hint(first),
        None => error,
    }
}

/// Returns the command that removes the reason for the stop, where one command does.
fn remedy_command(driven: &DriveOutcome) -> Option<String> {
    match driven.reason.as_ref()? {
        StopReason::NoWorker { run } => Some(format!("orch drive {run} --profile claude")),
        StopReason::OverBudget { next, .. } => next.clone(),
        StopReason::Stuck { .. } => {
            driven.stuck.first().and_then(|failed| operation::next_commands(failed).into_iter().next())
        }
        StopReason::Paused { .. } | StopReason::Interrupted | StopReason::OnePass | StopReason::Idle => None,
    }
}

fn next_commands(driven: &DriveOutcome) -> Vec<String> {
    let mut next = Vec::new();
    for run in &driven.runs {
        if driven.complete {
            if let Some(ground) = &run.ground {
                let onto = ground.base_branch.as_deref().unwrap_or("BRANCH");
                next.push(format!("orch review {}", run.name));
                next.push(format!("orch land {} --onto {onto}", run.name));
            }
        } else {
            next.push(format!("orch status {}", run.name));
        }
    }
    next
}
