//! The supervisor: takes runs from plan to branch by starting workers, judging what they report, and merging it.
//!
//! It holds no truth: everything it knows is in the store, so that killing it at any time hurts nobody, two of them
//! share the work, and a new one goes on where the last one stopped. Workers run under wrappers that outlive it.
//! [`drive`] is the loop; [`crew`] says who works and starts them, [`chores`] does what takes long beside the loop,
//! [`care`] looks after what died and what is spent, [`watch`] notices who dies, and [`standstill`] says why nothing moves.

mod care;
pub mod check;
pub mod chores;
pub mod crew;
pub mod notify;
mod standstill;
mod stopped;
mod watch;

use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use orch_core::event::Event;
use orch_core::id::{EventId, RunId, Slug};
use orch_core::refusal::Refusal;
use orch_core::run::{Outcome, PauseReason, Run, RunState, RunStatus};
use orch_core::task::TaskState;
use orch_core::time::{Span, Time};
use orch_store::Ending;
use orch_store::driver::Durability;
use orch_store::table::supervisor::Supervisor;
use orch_store::table::{event, supervisor, task as task_table, thread, worker};

use crate::wrapper::Programs;
use chores::Chores;
use crew::Crew;
use orch_inbox::liveness;
use orch_inbox::wake::{Look, is_readable, wait_with};
use orch_inbox::{Error, Session, wake};
use orch_process::{ProcessIdentity, host};
use orch_scheduler::stage::read_fresh;
use orch_scheduler::{ps, scope};
pub use stopped::Stopped;
use watch::Watch;

/// Opens the store again, from any thread.
pub type Opener = Arc<dyn Fn() -> Result<Session, Error> + Send + Sync>;

/// Until when a supervisor goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Until its runs are finished.
    Finished,
    /// Until nothing moves by itself.
    Idle,
}

/// A supervisor that is to be run.
pub struct Drive<'a> {
    /// Opens the store.
    pub open: Opener,
    /// Where the store is, as `ORCH_STORE` takes it.
    pub store: String,
    /// In whose name it leads.
    pub who: Slug,
    /// Which run; all unfinished ones when not given.
    pub run: Option<Slug>,
    /// Who works.
    pub crew: Crew,
    /// Until when.
    pub until: Until,
    /// Ends after one pass, and leaves the workers to themselves.
    pub once: bool,
    /// Our own programs.
    pub programs: Programs,
    /// Gets a byte for each interrupt.
    pub stop: Option<OwnedFd>,
    /// Where what it prints goes, when it has no terminal.
    pub log: Option<String>,
    /// Hears what happens.
    pub listen: &'a mut dyn FnMut(Said<'_>) -> Heard,
}

/// What a supervisor says.
#[derive(Debug)]
pub enum Said<'a> {
    /// Something happened in one of its runs.
    Event(&'a Event),
    /// Something that a person should know.
    Note(&'a str),
    /// A moment has passed: a live view may be drawn again.
    Moment,
}

/// What whoever hears it makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Nobody hears any more.
    Nobody,
    /// It was taken.
    Taken,
    /// It was taken, and a moment is wanted within this time, whether or not something happens.
    Within(Span),
}

/// How a supervisor ended.
#[derive(Clone, Debug)]
pub struct Driven {
    /// Its runs, as they are.
    pub runs: Vec<Run>,
    /// Whether every task of them is done.
    pub complete: bool,
    /// Whether it was interrupted.
    pub interrupted: bool,
    /// Why it stopped before its runs were finished.
    pub reason: Option<Stopped>,
}

/// What one pass came to.
#[derive(Clone, Debug, Default)]
struct Pass {
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
const LOOK: Span = Span::seconds(2);

/// How soon a process that is about to be gone is looked for again.
const INSTANT: Duration = Duration::from_millis(10);

/// How long it sleeps at most.
const REST: Span = Span::seconds(60);

/// Drives.
///
/// # Errors
/// There is no such run, or the store failed.
pub fn drive(mut drive: Drive<'_>) -> Result<Driven, Error> {
    let mut session = (drive.open)()?;
    let scope = Scope::find(&mut session, drive.run.as_ref())?;
    enlist(&mut session, &drive, &scope)?;
    let news = News::default();
    let interrupts = watch_interrupts(drive.stop.take(), &session, &news);
    let mut chores = Chores::new(Arc::clone(&drive.open), drive.who.clone(), news.clone());
    let mut cursor = scope.begin;
    let (mut is_told, mut said) = (false, standstill::Said::default());
    let (mut told, mut watch) = (care::Told::default(), Watch::default());
    let outcome = loop {
        let mark = news.mark(&mut session)?;
        let asked = interrupts.load(Ordering::SeqCst);
        if asked > 0 && !is_told {
            is_told = true;
            say_who_works(&mut session, &scope, &mut drive)?;
        }
        if asked > 1 {
            // Also those that have claimed their work since.
            end_workers(&mut session, &scope)?;
        }
        cursor = tell(&mut session, &scope, cursor, &mut drive)?;
        for note in chores.take_notes() {
            (drive.listen)(Said::Note(&note));
        }
        let pass = pass(&mut session, &mut drive, &scope, (&mut chores, &mut told), asked == 0)?;
        let mut heard = (drive.listen)(Said::Moment);
        if let Some(reason) = over(&mut session, &drive, &scope, &pass, asked)? {
            break Some(reason);
        }
        if pass.workers <= pass.waiting && !pass.busy {
            for reason in said.look(&mut session, &scope, &mut drive.crew)? {
                (drive.listen)(Said::Note(&reason));
            }
            heard = (drive.listen)(Said::Moment);
        }
        if heard == Heard::Nobody {
            break None;
        }
        watch.keep(&pass.processes);
        sleep(&mut session, &pass, &watch, &news, mark, heard)?;
    };
    chores.finish();
    tell(&mut session, &scope, cursor, &mut drive)?;
    leave(&mut session)?;
    let interrupted = interrupts.load(Ordering::SeqCst) > 0;
    let runs = scope.runs(&mut session)?;
    let complete = !runs.is_empty() && runs.iter().all(is_complete);
    session.tend();
    Ok(Driven { runs, complete, interrupted, reason: outcome.and_then(|over| over.0) })
}

/// Why a supervisor is done, where that is not the end of its runs.
struct Over(Option<Stopped>);

/// One pass over everything, in the order in which things depend on each other.
fn pass(
    session: &mut Session,
    drive: &mut Drive<'_>,
    scope: &Scope,
    (chores, told): (&mut Chores, &mut care::Told),
    starts: bool,
) -> Result<Pass, Error> {
    read_fresh(session, |_, _| Ok(()))?;
    care::bury(session, scope.only)?;
    chores.reap();
    let mut pass = Pass::default();
    for run in scope.runs(session)? {
        pass.busy |= chores.left(session, run.id)?;
        if !run.state.status().unfinished() {
            // A worker whose work was taken away takes a moment to end.
            let counted = drive.crew.count(session, &run)?;
            pass.workers += counted.workers;
            pass.processes.extend(counted.processes);
            continue;
        }
        told.budget(session, &run)?;
        chores.judge(session, &run)?;
        if starts && run.state.status() == RunStatus::Open {
            drive.crew.dispatch(session, &run, (chores, told), &drive.who)?;
        }
        // What was sent just now is to be started now: our own commits wake us from no sleep.
        let run = session.read(|tx, _| scope::run_of(tx, run.id))?;
        let counted = drive.crew.count(session, &run)?;
        pass.workers += counted.workers;
        pass.waiting += counted.waiting;
        pass.others += counted.others;
        pass.processes.extend(counted.processes);
        let now = session.clock_now();
        pass.limit = earliest(pass.limit, run.budget.wall_moments(run.created_at).find(|at| *at > now));
        pass.times_tasks |= run.budget.task_wall.is_some();
        if starts {
            let begun = drive.crew.start(session, &run, &drive.programs, &drive.store)?;
            pass.workers += begun;
            pass.busy |= begun > 0;
        }
        pass.next = earliest(pass.next, timers(session, &run)?);
    }
    pass.next = earliest(pass.next, drive.crew.next_rest(session)?);
    pass.soon = chores.next_try();
    pass.busy |= chores.busy();
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
fn timers(session: &mut Session, run: &Run) -> Result<Option<Time>, Error> {
    session.read(|tx, now| {
        // One that is due already hides none that comes.
        let thread = thread::next_timer(tx)?.filter(|at| *at > now);
        Ok(earliest(thread, task_table::next_try(tx, run.id, now)?))
    })
}

/// Whether there is nothing left to wait for.
fn over(
    session: &mut Session,
    drive: &Drive<'_>,
    scope: &Scope,
    pass: &Pass,
    asked: usize,
) -> Result<Option<Over>, Error> {
    let runs = scope.runs(session)?;
    if asked > 0 {
        let quiet = pass.workers <= pass.waiting && !pass.busy;
        return Ok((quiet || asked > 2).then_some(Over(Some(Stopped::Interrupted))));
    }
    if runs.iter().all(|run| !run.state.status().unfinished()) {
        // What was asked for before the end is done before the end.
        return Ok((!pass.busy && pass.workers == 0).then_some(Over(None)));
    }
    if drive.once {
        return Ok((!pass.busy || pass.workers > 0).then_some(Over(Some(Stopped::OnePass))));
    }
    if pass.workers > pass.waiting || pass.busy {
        return Ok(None);
    }
    if drive.until == Until::Idle && pass.next.is_none() {
        return Ok(Some(Over(Some(Stopped::Idle))));
    }
    let halted = runs.iter().find_map(|run| match &run.state {
        RunState::Paused(pause) if pause.reason != PauseReason::Requested => {
            let why = pause.message.clone().unwrap_or_else(|| pause.reason.name().to_owned());
            Some(Stopped::Paused { run: run.name.clone(), why })
        }
        _ => None,
    });
    if let Some(reason) = halted {
        return Ok(Some(Over(Some(reason))));
    }
    if pass.others == 0
        && pass.next.is_none()
        && let Some(run) = drive.crew.stuck(session, &runs)?
    {
        return Ok(Some(Over(Some(Stopped::Nobody { run }))));
    }
    Ok(None)
}

/// What happens in this process and changes nothing in the store: a chore that ends, an interrupt.
#[derive(Clone, Debug, Default)]
pub(crate) struct News(Arc<AtomicUsize>);

/// How things stood when a pass began.
#[derive(Clone, Copy, Debug)]
struct Mark {
    committed: i64,
    happened: usize,
    at: Time,
}

impl News {
    /// Wakes the loop. To be called after what there is to see can be seen.
    pub(crate) fn tell(&self, folder: &Path) {
        self.0.fetch_add(1, Ordering::SeqCst);
        wake::signal(folder);
    }

    fn mark(&self, session: &mut Session) -> Result<Mark, Error> {
        let committed = session.change_counter()?;
        Ok(Mark { committed, happened: self.0.load(Ordering::SeqCst), at: session.clock_now() })
    }
}

/// Sleeps until something has happened since the pass began, or may have come by itself.
fn sleep(
    session: &mut Session,
    pass: &Pass,
    watch: &Watch,
    news: &News,
    mark: Mark,
    heard: Heard,
) -> Result<(), Error> {
    let unseen = pass.workers > watch.watched();
    let at_most = if unseen || (pass.times_tasks && pass.workers > 0) { LOOK } else { REST };
    let at_most = match heard {
        Heard::Within(span) => at_most.min(span),
        Heard::Taken | Heard::Nobody => at_most,
    };
    let soon = pass
        .soon
        .and_then(|soon| i64::try_from(soon.as_millis()).ok())
        .map(|soon| Span(soon.saturating_add(1)));
    let at_most = soon.map_or(at_most, |soon| soon.min(at_most));
    // What was due when the pass began, and still stands, is for somebody else.
    let next = earliest(pass.next.filter(|next| *next > mark.at), pass.limit);
    let handles = watch.handles();
    wait_with(session, at_most, &handles, |session| {
        let now = news.mark(session)?;
        let has_ended = handles.iter().any(|handle| is_readable(*handle));
        let is_new = now.committed != mark.committed || now.happened != mark.happened || has_ended;
        let is_due = next.is_some_and(|next| now.at >= next);
        Ok(if is_new || is_due { Look::Found(()) } else { Look::Nothing(next) })
    })?;
    Ok(())
}

/// Which runs are driven.
pub(crate) struct Scope {
    ids: Vec<RunId>,
    only: Option<RunId>,
    /// Where its telling begins.
    begin: EventId,
}

impl Scope {
    fn find(session: &mut Session, run: Option<&Slug>) -> Result<Self, Error> {
        session.read(|tx, _| {
            let ids: Vec<RunId> = match run {
                Some(_) => vec![scope::one_run(tx, run)?.id],
                None => scope::runs(tx, None)?.iter().map(|run| run.id).collect(),
            };
            if ids.is_empty() {
                return Err(Refusal::RunNotFound { run: None }.into());
            }
            let only = match ids[..] {
                [only] => Some(only),
                _ => None,
            };
            Ok(Self { ids, only, begin: event::newest(tx)? })
        })
    }

    /// The runs, as they are now.
    fn runs(&self, session: &mut Session) -> Result<Vec<Run>, Error> {
        session.read(|tx, _| self.ids.iter().map(|id| scope::run_of(tx, *id)).collect())
    }
}

fn is_complete(run: &Run) -> bool {
    match &run.state {
        RunState::Finished(Outcome::Succeeded) => run.counts.of(TaskState::Cancelled) == 0,
        RunState::Finished(Outcome::Partial | Outcome::Failed)
        | RunState::Open
        | RunState::Paused(_)
        | RunState::Cancelled => false,
    }
}

/// Tells what has happened since.
fn tell(
    session: &mut Session,
    scope: &Scope,
    after: EventId,
    drive: &mut Drive<'_>,
) -> Result<EventId, Error> {
    let mut cursor = after;
    for run in scope.runs(session)? {
        let events = session.read(|tx, _| Ok(event::of_run(tx, run.id, after, 10_000)?))?;
        for event in events {
            cursor = cursor.max(event.id);
            (drive.listen)(Said::Event(&event));
        }
    }
    Ok(cursor)
}

/// Writes down that we are here, for whoever wants to end everything.
fn enlist(session: &mut Session, drive: &Drive<'_>, scope: &Scope) -> Result<(), Error> {
    let row = |now| Supervisor {
        process: ProcessIdentity::own().to_string(),
        host: host().to_owned(),
        run: scope.only,
        log: drive.log.clone(),
        started_at: now,
    };
    session.write(Durability::Process, |tx, now| {
        for other in supervisor::all(tx)? {
            let dead = other.host == host()
                && !other.process.parse::<ProcessIdentity>().is_ok_and(ProcessIdentity::is_alive);
            if dead {
                supervisor::forget(tx, &other.process)?;
            }
        }
        supervisor::put(tx, &row(now))?;
        Ok(Ending::Keep(()))
    })
}

fn leave(session: &mut Session) -> Result<(), Error> {
    session.write(Durability::Process, |tx, _| {
        supervisor::forget(tx, &ProcessIdentity::own().to_string())?;
        Ok(Ending::Keep(()))
    })
}

/// Says what an interrupt does, and who still works.
fn say_who_works(session: &mut Session, scope: &Scope, drive: &mut Drive<'_>) -> Result<(), Error> {
    let workers = session.read(|tx, _| ps::workers(tx, scope.only))?;
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
    (drive.listen)(Said::Note(&note));
    Ok(())
}

/// Asks every worker of ours to end, with grace.
fn end_workers(session: &mut Session, scope: &Scope) -> Result<(), Error> {
    for row in session.read(|tx, _| Ok(worker::live(tx, scope.only)?))? {
        liveness::ask(&row);
    }
    Ok(())
}

/// Counts interrupts, and wakes the loop for each.
fn watch_interrupts(stop: Option<OwnedFd>, session: &Session, news: &News) -> Arc<AtomicUsize> {
    let count = Arc::new(AtomicUsize::new(0));
    let Some(stop) = stop else { return count };
    let (counter, news, folder) = (Arc::clone(&count), news.clone(), session.store_folder().to_owned());
    let watch = move || {
        let mut byte = [0_u8; 1];
        while rustix::io::read(stop.as_fd(), &mut byte).is_ok_and(|read| read > 0) {
            counter.fetch_add(1, Ordering::SeqCst);
            news.tell(&folder);
        }
    };
    // Without a thread an interrupt is not heard, as if there were no pipe.
    let _ = std::thread::Builder::new().name("interrupts".to_owned()).spawn(watch);
    count
}
