//! The supervisor: takes runs from plan to branch by starting workers, judging what they report, and merging it.
//!
//! It holds no truth: everything it knows is in the store, so that killing it at any time hurts nobody, two of them
//! share the work, and a new one goes on where the last one stopped. Workers run under wrappers that outlive it.
//! [`drive_runs`] is the loop; [`worker_pool`] says who works and starts them, [`background`] does what takes long beside the loop,
//! [`budget_watch`] looks after what died and what is spent, [`wrapper_watch`] notices who dies, and [`stall`] says why nothing moves.

pub mod background;
mod budget_watch;
pub mod notify;
pub mod preflight;
mod stall;
mod stop_reason;
pub mod worker_pool;
mod wrapper_watch;

use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use orch_core::event::Event;
use orch_core::id::{EventId, RunId, Slug};
use orch_core::refusal::Refusal;
use orch_core::run::{PauseReason, Run, RunOutcome, RunState, RunStatus};
use orch_core::task::TaskState;
use orch_core::time::{Time, TimeSpan};
use orch_store::TxEnd;
use orch_store::driver::WriteDurability;
use orch_store::table::supervisor::Supervisor;
use orch_store::table::{event, supervisor, task as task_table, thread, worker};

use crate::wrapper::ProgramPaths;
use background::BackgroundWork;
use orch_inbox::liveness;
use orch_inbox::wake::{PollOutcome, is_readable, wait_with_files};
use orch_inbox::{Error, Session, wake};
use orch_process::{ProcessIdentity, host_id};
use orch_scheduler::fresh_read::read_fresh;
use orch_scheduler::{lookup, ps};
pub use stop_reason::StopReason;
use worker_pool::WorkerPool;
use wrapper_watch::WrapperWatch;

/// Opens the store again, from any thread.
pub type SessionOpener = Arc<dyn Fn() -> Result<Session, Error> + Send + Sync>;

/// Until when a supervisor goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriveUntil {
    /// Until its runs are finished.
    Finished,
    /// Until nothing moves by itself.
    Idle,
}

/// A supervisor that is to be run.
pub struct DriveConfig<'a> {
    /// Opens the store.
    pub open: SessionOpener,
    /// Where the store is, as `ORCH_STORE` takes it.
    pub store: String,
    /// In whose name it leads.
    pub who: Slug,
    /// Which run; all unfinished ones when not given.
    pub run: Option<Slug>,
    /// Who works.
    pub crew: WorkerPool,
    /// Until when.
    pub until: DriveUntil,
    /// Ends after one pass, and leaves the workers to themselves.
    pub once: bool,
    /// Our own programs.
    pub programs: ProgramPaths,
    /// Gets a byte for each interrupt.
    pub stop: Option<OwnedFd>,
    /// Where what it prints goes, when it has no terminal.
    pub log: Option<String>,
    /// Hears what happens.
    pub listen: &'a mut dyn FnMut(SupervisorEvent<'_>) -> ListenerResponse,
}

/// What a supervisor says.
#[derive(Debug)]
pub enum SupervisorEvent<'a> {
    /// Something happened in one of its runs.
    Event(&'a Event),
    /// Something that a person should know.
    Note(&'a str),
    /// A moment has passed: a live view may be drawn again.
    Tick,
}

/// What whoever hears it makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenerResponse {
    /// Nobody hears any more.
    Closed,
    /// It was taken.
    Accepted,
    /// It was taken, and a moment is wanted within this time, whether or not something happens.
    WakeWithin(TimeSpan),
}

/// How a supervisor ended.
#[derive(Clone, Debug)]
pub struct DriveOutcome {
    /// Its runs, as they are.
    pub runs: Vec<Run>,
    /// Whether every task of them is done.
    pub complete: bool,
    /// Whether it was interrupted.
    pub interrupted: bool,
    /// Why it stopped before its runs were finished.
    pub reason: Option<StopReason>,
}

/// What one pass came to.
#[derive(Clone, Debug, Default)]
struct PassSummary {
    /// How many workers are under way.
    workers: usize,
    /// The processes of those that have claimed their work.
    processes: Vec<String>,
    /// How many of them wait for an answer.
    waiting: usize,
    /// How many attempts are under way at agents that we do not start.
    others: usize,
    /// Whether something was begun, or is under way in this process.
    busy: bool,
    /// When something may come by itself.
    next: Option<Time>,
    /// In what time something that failed is tried again.
    soon: Option<Duration>,
    /// When the time that a run may take comes near its end, or is over.
    limit: Option<Time>,
    /// Whether what tasks use is bounded in time.
    times_tasks: bool,
}

/// How long it sleeps at most while somebody may be killed of whose end nothing tells, or tasks use up their time.
const LOOK: TimeSpan = TimeSpan::from_seconds(2);

/// How soon a process that is about to be gone is looked for again.
const INSTANT: Duration = Duration::from_millis(10);

/// How long it sleeps at most.
const REST: TimeSpan = TimeSpan::from_seconds(60);

/// Drives.
///
/// # Errors
/// There is no such run, or the store failed.
pub fn drive_runs(mut drive: DriveConfig<'_>) -> Result<DriveOutcome, Error> {
    let mut session = (drive.open)()?;
    let scope = DriveScope::resolve_runs(&mut session, drive.run.as_ref())?;
    register_supervisor(&mut session, &drive, &scope)?;
    let news = WakeCounter::default();
    let interrupts = spawn_interrupt_listener(drive.stop.take(), &session, &news);
    let mut chores = BackgroundWork::new(Arc::clone(&drive.open), drive.who.clone(), news.clone());
    let mut cursor = scope.begin;
    let (mut is_told, mut said) = (false, stall::StallReporter::default());
    let (mut told, mut watch) = (budget_watch::BudgetWatch::default(), WrapperWatch::default());
    let outcome = loop {
        let mark = news.take_snapshot(&mut session)?;
        let asked = interrupts.load(Ordering::SeqCst);
        if asked > 0 && !is_told {
            is_told = true;
            report_interrupt(&mut session, &scope, &mut drive)?;
        }
        if asked > 1 {
            // Also those that have claimed their work since.
            stop_all_workers(&mut session, &scope)?;
        }
        cursor = report_new_events(&mut session, &scope, cursor, &mut drive)?;
        for note in chores.take_notes() {
            (drive.listen)(SupervisorEvent::Note(&note));
        }
        let pass = run_pass(&mut session, &mut drive, &scope, (&mut chores, &mut told), asked == 0)?;
        let mut heard = (drive.listen)(SupervisorEvent::Tick);
        if let Some(reason) = decide_stop(&mut session, &drive, &scope, &pass, asked)? {
            break Some(reason);
        }
        if pass.workers <= pass.waiting && !pass.busy {
            for reason in said.new_reasons(&mut session, &scope, &mut drive.crew)? {
                (drive.listen)(SupervisorEvent::Note(&reason));
            }
            heard = (drive.listen)(SupervisorEvent::Tick);
        }
        if heard == ListenerResponse::Closed {
            break None;
        }
        watch.watch_only(&pass.processes);
        sleep_until_wake(&mut session, &pass, &watch, &news, mark, heard)?;
    };
    chores.join_all();
    report_new_events(&mut session, &scope, cursor, &mut drive)?;
    unregister_supervisor(&mut session)?;
    let interrupted = interrupts.load(Ordering::SeqCst) > 0;
    let runs = scope.load_runs(&mut session)?;
    let complete = !runs.is_empty() && runs.iter().all(is_complete);
    session.checkpoint_if_due();
    Ok(DriveOutcome { runs, complete, interrupted, reason: outcome.and_then(|over| over.0) })
}

/// Why a supervisor is done, where that is not the end of its runs.
struct StopDecision(Option<StopReason>);

/// One pass over everything, in the order in which things depend on each other.
fn run_pass(
    session: &mut Session,
    drive: &mut DriveConfig<'_>,
    scope: &DriveScope,
    (chores, told): (&mut BackgroundWork, &mut budget_watch::BudgetWatch),
    starts: bool,
) -> Result<PassSummary, Error> {
    read_fresh(session, |_, _| Ok(()))?;
    budget_watch::reap_orphaned_workers(session, scope.only)?;
    chores.collect_finished();
    let mut pass = PassSummary::default();
    for run in scope.load_runs(session)? {
        pass.busy |= chores.resume_pending_effects(session, run.id)?;
        if !run.state.status().is_unfinished() {
            // A worker whose work was taken away takes a moment to end.
            let counted = drive.crew.count_active(session, &run)?;
            pass.workers += counted.workers;
            pass.processes.extend(counted.processes);
            continue;
        }
        told.enforce_run_budget(session, &run)?;
        chores.verify_and_merge(session, &run)?;
        if starts && run.state.status() == RunStatus::Open {
            drive.crew.dispatch_ready(session, &run, (chores, told), &drive.who)?;
        }
        // What was sent just now is to be started now: our own commits wake us from no sleep.
        let run = session.read(|tx, _| lookup::load_run(tx, run.id))?;
        let counted = drive.crew.count_active(session, &run)?;
        pass.workers += counted.workers;
        pass.waiting += counted.waiting;
        pass.others += counted.others;
        pass.processes.extend(counted.processes);
        let now = session.clock_now();
        pass.limit = earliest(pass.limit, run.budget.wall_time_marks(run.created_at).find(|at| *at > now));
        pass.times_tasks |= run.budget.task_wall.is_some();
        if starts {
            let begun = drive.crew.start_wrappers(session, &run, &drive.programs, &drive.store)?;
            pass.workers += begun;
            pass.busy |= begun > 0;
        }
        pass.next = earliest(pass.next, next_timer(session, &run)?);
    }
    pass.next = earliest(pass.next, drive.crew.next_cooldown_end(session)?);
    pass.soon = chores.next_retry_in();
    pass.busy |= chores.is_busy();
    if pass.workers == 0 && drive.crew.has_children() {
        // A wrapper writes down its end first, and is gone an instant later, of which nobody tells.
        pass.busy = true;
        pass.soon = Some(pass.soon.map_or(INSTANT, |soon| soon.min(INSTANT)));
    }
    Ok(pass)
}

fn earliest(one: Option<Time>, other: Option<Time>) -> Option<Time> {
    [one, other].into_iter().flatten().min()
}

/// When something of a run may come by itself: a lease, a default answer, the end of a delay.
fn next_timer(session: &mut Session, run: &Run) -> Result<Option<Time>, Error> {
    session.read(|tx, now| {
        // One that is due already hides none that comes.
        let thread = thread::next_timer(tx)?.filter(|at| *at > now);
        Ok(earliest(thread, task_table::next_retry_time(tx, run.id, now)?))
    })
}

/// Whether there is nothing left to wait for.
fn decide_stop(
    session: &mut Session,
    drive: &DriveConfig<'_>,
    scope: &DriveScope,
    pass: &PassSummary,
    asked: usize,
) -> Result<Option<StopDecision>, Error> {
    let runs = scope.load_runs(session)?;
    if asked > 0 {
        let quiet = pass.workers <= pass.waiting && !pass.busy;
        return Ok((quiet || asked > 2).then_some(StopDecision(Some(StopReason::Interrupted))));
    }
    if runs.iter().all(|run| !run.state.status().is_unfinished()) {
        // What was asked for before the end is done before the end.
        return Ok((!pass.busy && pass.workers == 0).then_some(StopDecision(None)));
    }
    if drive.once {
        return Ok((!pass.busy || pass.workers > 0).then_some(StopDecision(Some(StopReason::OnePass))));
    }
    if pass.workers > pass.waiting || pass.busy {
        return Ok(None);
    }
    if drive.until == DriveUntil::Idle && pass.next.is_none() {
        return Ok(Some(StopDecision(Some(StopReason::Idle))));
    }
    let halted = runs.iter().find_map(|run| match &run.state {
        RunState::Paused(pause) if pause.reason != PauseReason::Requested => {
            let why = pause.message.clone().unwrap_or_else(|| pause.reason.name().to_owned());
            Some(StopReason::Paused { run: run.name.clone(), why })
        }
        _ => None,
    });
    if let Some(reason) = halted {
        return Ok(Some(StopDecision(Some(reason))));
    }
    if pass.others == 0
        && pass.next.is_none()
        && let Some(run) = drive.crew.find_stuck_run(session, &runs)?
    {
        return Ok(Some(StopDecision(Some(StopReason::NoWorker { run }))));
    }
    Ok(None)
}

/// What happens in this process and changes nothing in the store: a chore that ends, an interrupt.
#[derive(Clone, Debug, Default)]
pub(crate) struct WakeCounter(Arc<AtomicUsize>);

/// How things stood when a pass began.
#[derive(Clone, Copy, Debug)]
struct WakeSnapshot {
    committed: i64,
    happened: usize,
    at: Time,
}

impl WakeCounter {
    /// Wakes the loop. To be called after what there is to see can be seen.
    pub(crate) fn wake_loop(&self, folder: &Path) {
        self.0.fetch_add(1, Ordering::SeqCst);
        wake::signal_waiters(folder);
    }

    fn take_snapshot(&self, session: &mut Session) -> Result<WakeSnapshot, Error> {
        let committed = session.change_counter()?;
        Ok(WakeSnapshot { committed, happened: self.0.load(Ordering::SeqCst), at: session.clock_now() })
    }
}

/// Sleeps until something has happened since the pass began, or may have come by itself.
fn sleep_until_wake(
    session: &mut Session,
    pass: &PassSummary,
    watch: &WrapperWatch,
    news: &WakeCounter,
    mark: WakeSnapshot,
    heard: ListenerResponse,
) -> Result<(), Error> {
    let unseen = pass.workers > watch.watched_count();
    let at_most = if unseen || (pass.times_tasks && pass.workers > 0) { LOOK } else { REST };
    let at_most = match heard {
        ListenerResponse::WakeWithin(span) => at_most.min(span),
        ListenerResponse::Accepted | ListenerResponse::Closed => at_most,
    };
    let soon = pass
        .soon
        .and_then(|soon| i64::try_from(soon.as_millis()).ok())
        .map(|soon| TimeSpan(soon.saturating_add(1)));
    let at_most = soon.map_or(at_most, |soon| soon.min(at_most));
    // What was due when the pass began, and still stands, is for somebody else.
    let next = earliest(pass.next.filter(|next| *next > mark.at), pass.limit);
    let handles = watch.handles();
    wait_with_files(session, at_most, &handles, |session| {
        let now = news.take_snapshot(session)?;
        let has_ended = handles.iter().any(|handle| is_readable(*handle));
        let is_new = now.committed != mark.committed || now.happened != mark.happened || has_ended;
        let is_due = next.is_some_and(|next| now.at >= next);
        Ok(if is_new || is_due { PollOutcome::Found(()) } else { PollOutcome::NotYet(next) })
    })?;
    Ok(())
}

/// Which runs are driven.
pub(crate) struct DriveScope {
    ids: Vec<RunId>,
    only: Option<RunId>,
    /// Where its telling begins.
    begin: EventId,
}

impl DriveScope {
    fn resolve_runs(session: &mut Session, run: Option<&Slug>) -> Result<Self, Error> {
        session.read(|tx, _| {
            let ids: Vec<RunId> = match run {
                Some(_) => vec![lookup::find_run(tx, run)?.id],
                None => lookup::find_runs(tx, None)?.iter().map(|run| run.id).collect(),
            };
            if ids.is_empty() {
                return Err(Refusal::RunNotFound { run: None }.into());
            }
            let only = match ids[..] {
                [only] => Some(only),
                _ => None,
            };
            Ok(Self { ids, only, begin: event::newest_id(tx)? })
        })
    }

    /// The runs, as they are now.
    fn load_runs(&self, session: &mut Session) -> Result<Vec<Run>, Error> {
        session.read(|tx, _| self.ids.iter().map(|id| lookup::load_run(tx, *id)).collect())
    }
}

fn is_complete(run: &Run) -> bool {
    match &run.state {
        RunState::Finished(RunOutcome::Succeeded) => run.counts.in_state(TaskState::Cancelled) == 0,
        RunState::Finished(RunOutcome::Partial | RunOutcome::Failed)
        | RunState::Open
        | RunState::Paused(_)
        | RunState::Cancelled => false,
    }
}

/// Tells what has happened since.
fn report_new_events(
    session: &mut Session,
    scope: &DriveScope,
    after: EventId,
    drive: &mut DriveConfig<'_>,
) -> Result<EventId, Error> {
    let mut cursor = after;
    for run in scope.load_runs(session)? {
        let events = session.read(|tx, _| Ok(event::list_by_run(tx, run.id, after, 10_000)?))?;
        for event in events {
            cursor = cursor.max(event.id);
            (drive.listen)(SupervisorEvent::Event(&event));
        }
    }
    Ok(cursor)
}

/// Writes down that we are here, for whoever wants to end everything.
fn register_supervisor(
    session: &mut Session,
    drive: &DriveConfig<'_>,
    scope: &DriveScope,
) -> Result<(), Error> {
    let row = |now| Supervisor {
        process: ProcessIdentity::of_current_process().to_string(),
        host: host_id().to_owned(),
        run: scope.only,
        log: drive.log.clone(),
        started_at: now,
    };
    session.write(WriteDurability::Process, |tx, now| {
        for other in supervisor::list_all(tx)? {
            let dead = other.host == host_id()
                && !other.process.parse::<ProcessIdentity>().is_ok_and(ProcessIdentity::is_alive);
            if dead {
                supervisor::delete(tx, &other.process)?;
            }
        }
        supervisor::upsert(tx, &row(now))?;
        Ok(TxEnd::Commit(()))
    })
}

fn unregister_supervisor(session: &mut Session) -> Result<(), Error> {
    session.write(WriteDurability::Process, |tx, _| {
        supervisor::delete(tx, &ProcessIdentity::of_current_process().to_string())?;
        Ok(TxEnd::Commit(()))
    })
}

/// Says what an interrupt does, and who still works.
fn report_interrupt(
    session: &mut Session,
    scope: &DriveScope,
    drive: &mut DriveConfig<'_>,
) -> Result<(), Error> {
    let workers = session.read(|tx, _| ps::list_workers(tx, scope.only))?;
    let names: Vec<String> = workers
        .iter()
        .map(|worker| {
            worker.attempt.as_ref().map_or_else(|| worker.row.thread.to_string(), ToString::to_string)
        })
        .collect();
    let note = if names.is_empty() {
        "Interrupted: nothing more is started.".to_owned()
    } else {
        let names = names.join(", ");
        format!("Interrupted: nothing more is started; still at work: {names}. Interrupt again to end them.")
    };
    (drive.listen)(SupervisorEvent::Note(&note));
    Ok(())
}

/// Asks every worker of ours to end, with grace.
fn stop_all_workers(session: &mut Session, scope: &DriveScope) -> Result<(), Error> {
    for row in session.read(|tx, _| Ok(worker::list_live(tx, scope.only)?))? {
        liveness::request_stop(&row);
    }
    Ok(())
}

/// Counts interrupts, and wakes the loop for each.
fn spawn_interrupt_listener(
    stop: Option<OwnedFd>,
    session: &Session,
    news: &WakeCounter,
) -> Arc<AtomicUsize> {
    let count = Arc::new(AtomicUsize::new(0));
    let Some(stop) = stop else { return count };
    let (counter, news, folder) = (Arc::clone(&count), news.clone(), session.store_folder().to_owned());
    let watch = move || {
        let mut byte = [0_u8; 1];
        while rustix::io::read(stop.as_fd(), &mut byte).is_ok_and(|read| read > 0) {
            counter.fetch_add(1, Ordering::SeqCst);
            news.wake_loop(&folder);
        }
    };
    // Without a thread an interrupt is not heard, as if there were no pipe.
    let _ = std::thread::Builder::new().name("interrupts".to_owned()).spawn(watch);
    count
}
