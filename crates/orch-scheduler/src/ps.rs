//! `orch ps` and `orch stop`: the processes that work, and the end of all of them.

use orch_core::id::{AttemptName, RunId, Slug, ThreadId};
use orch_core::run::{Run, RunStatus};
use orch_core::time::TimeSpan;
use orch_core::worker::Worker;
use orch_store::Transaction;
use orch_store::table::supervisor::{self, Supervisor};
use orch_store::table::{attempt, thread, worker};

use super::orphaned;
use super::{lookup, run as run_operation};
use orch_inbox::liveness::{self, WrapperLiveness};
use orch_inbox::wake::{PollOutcome, wait_until};
use orch_inbox::{Error, Session};
use orch_process::{ProcessIdentity, host_id, request_termination};

/// A worker with what is known of it.
#[derive(Clone, Debug)]
pub struct WorkerProcess {
    /// The worker.
    pub row: Worker,
    /// Its attempt, where it is one.
    pub attempt: Option<AttemptName>,
    /// The number of its wrapper.
    pub pid: Option<u32>,
    /// Whether that runs here; `None` where it is of another host.
    pub alive: Option<bool>,
}

/// A supervisor with what is known of it.
#[derive(Clone, Debug)]
pub struct SupervisorProcess {
    /// The supervisor.
    pub row: Supervisor,
    /// The run that it drives.
    pub run: Option<Slug>,
    /// Its number.
    pub pid: Option<u32>,
    /// Whether it runs here; `None` where it is of another host.
    pub alive: Option<bool>,
}

/// All processes.
#[derive(Clone, Debug)]
pub struct ProcessList {
    /// Workers, by thread.
    pub workers: Vec<WorkerProcess>,
    /// Supervisors, oldest first.
    pub supervisors: Vec<SupervisorProcess>,
}

/// What stopping came to.
#[derive(Clone, Debug, Default)]
pub struct StopOutcome {
    /// Runs that were paused.
    pub paused: Vec<Slug>,
    /// How many supervisors were asked to end.
    pub supervisors: u64,
    /// How many workers were asked to end.
    pub workers: u64,
    /// Those that have not.
    pub left: Vec<ThreadId>,
}

/// Lists processes, of one run or of all.
///
/// # Errors
/// There is no such run, or the store failed.
pub fn list_processes(session: &mut Session, run: Option<&Slug>) -> Result<ProcessList, Error> {
    session.read(|tx, _| {
        let only = match run {
            Some(_) => Some(lookup::find_run(tx, run)?.id),
            None => None,
        };
        Ok(ProcessList { workers: list_workers(tx, only)?, supervisors: list_supervisors(tx, only)? })
    })
}

/// Workers under way.
pub fn list_workers(tx: &mut Transaction<'_>, run: Option<RunId>) -> Result<Vec<WorkerProcess>, Error> {
    let mut shown = Vec::new();
    for row in worker::list_live(tx, run)? {
        let reference = thread::load(tx, row.thread)?.and_then(|thread| thread.head.reference);
        let attempt = match reference {
            Some(reference) => attempt::load(tx, reference.attempt)?.map(|attempt| attempt.name),
            None => None,
        };
        let alive = match liveness::wrapper_liveness(&row) {
            WrapperLiveness::Alive(_) => Some(true),
            WrapperLiveness::Dead => Some(false),
            WrapperLiveness::Elsewhere => None,
        };
        let pid = parse_pid(&row.process);
        shown.push(WorkerProcess { row, attempt, pid, alive });
    }
    Ok(shown)
}

fn list_supervisors(tx: &mut Transaction<'_>, only: Option<RunId>) -> Result<Vec<SupervisorProcess>, Error> {
    let mut shown = Vec::new();
    for row in supervisor::list_all(tx)? {
        if only.is_some() && row.run.is_some() && row.run != only {
            continue;
        }
        let run = match row.run {
            Some(id) => orch_store::table::run::load(tx, id)?.map(|run| run.name),
            None => None,
        };
        let process = row.process.parse::<ProcessIdentity>().ok();
        let alive = (row.host == host_id()).then(|| process.is_some_and(ProcessIdentity::is_alive));
        shown.push(SupervisorProcess { run, pid: parse_pid(&row.process), alive, row });
    }
    Ok(shown)
}

fn parse_pid(process: &str) -> Option<u32> {
    process.parse::<ProcessIdentity>().ok().map(ProcessIdentity::pid)
}

/// How long workers may take beyond their own grace.
const PATIENCE: TimeSpan = TimeSpan::from_seconds(5);

/// How soon a process that is about to be gone is looked for again.
const INSTANT: TimeSpan = TimeSpan(10);

/// Ends all workers, with grace: runs are paused so that nothing is started again, supervisors and wrappers are asked
/// to end, and what killed wrappers left behind is ended.
///
/// # Errors
/// There is no such run, or the store failed.
pub fn stop_all_workers(session: &mut Session, who: &Slug, run: Option<&Slug>) -> Result<StopOutcome, Error> {
    let found = list_processes(session, run)?;
    let mut stopped = StopOutcome::default();
    let runs: Vec<Run> = session.read(|tx, _| lookup::find_runs(tx, run))?;
    for run in runs.iter().filter(|run| run.state.status() == RunStatus::Open) {
        run_operation::change_run(session, None, who, Some(&run.name), run_operation::RunAction::Pause)?;
        stopped.paused.push(run.name.clone());
    }
    for one in &found.supervisors {
        let process = one.row.process.parse::<ProcessIdentity>().ok();
        if one.alive == Some(true) && process.is_some_and(request_termination) {
            stopped.supervisors += 1;
        }
    }
    let mut grace = TimeSpan(0);
    for one in &found.workers {
        match one.alive {
            Some(true) => {
                liveness::request_stop(&one.row);
                grace = grace.max(one.row.grace);
            }
            Some(false) => {
                orphaned::reap_worker(session, &one.row)?;
            }
            None => continue,
        }
        stopped.workers += 1;
    }
    stopped.left = wait_for_end(session, &found, TimeSpan(grace.0 + PATIENCE.0))?;
    Ok(stopped)
}

/// Waits until the workers have ended; those that have not are named.
fn wait_for_end(
    session: &mut Session,
    found: &ProcessList,
    at_most: TimeSpan,
) -> Result<Vec<ThreadId>, Error> {
    let threads: Vec<ThreadId> = found.workers.iter().map(|one| one.row.thread).collect();
    let left = |session: &mut Session| {
        session.read(|tx, _| {
            let live = worker::list_live(tx, None)?;
            Ok(live
                .iter()
                .map(|row| row.thread)
                .filter(|thread| threads.contains(thread))
                .collect::<Vec<_>>())
        })
    };
    // A wrapper writes down its end first, and is gone an instant later, of which nobody tells.
    let ours = found.workers.iter().filter(|one| one.alive == Some(true));
    let wrappers: Vec<ProcessIdentity> = ours.filter_map(|one| one.row.process.parse().ok()).collect();
    wait_until(session, at_most, |session| {
        if !left(session)?.is_empty() {
            return Ok(PollOutcome::NotYet(None));
        }
        let goes = wrappers.iter().any(|wrapper| wrapper.is_alive());
        Ok(if goes {
            PollOutcome::NotYet(Some(session.clock_now() + INSTANT))
        } else {
            PollOutcome::Found(())
        })
    })?;
    left(session)
}
