//! `orch ps` and `orch stop`: lists and stops the processes of workers and supervisors.

use std::collections::BTreeMap;

use orch_core::id::{AttemptId, AttemptName, RunId, Slug, ThreadId};
use orch_core::run::{ResourceUsage, Run, RunStatus};
use orch_core::time::TimeSpan;
use orch_core::worker::Worker;
use orch_store::Transaction;
use orch_store::table::supervisor::{self, Supervisor};
use orch_store::table::{attempt, thread, usage, worker};

use orch_inbox::liveness::{self, WrapperLiveness};
use orch_inbox::wake::{PollOutcome, wait_until};
use orch_inbox::{Error, Session};
use orch_process::presence::{ProcessLiveness, process_liveness};
use orch_process::{ProcessIdentity, request_termination};
use orch_scheduler::orphaned;
use orch_scheduler::{lookup, run as run_operation};

/// A worker with the state of its process.
#[derive(Clone, Debug)]
pub struct WorkerProcess {
    /// The worker.
    pub row: Worker,
    /// Its attempt, if it works on one.
    pub attempt: Option<AttemptName>,
    /// The process id of its wrapper.
    pub pid: Option<u32>,
    /// Whether the wrapper runs on this host; `None` for another host.
    pub alive: Option<bool>,
    /// What its attempt used.
    pub spent: ResourceUsage,
}

/// A supervisor with the state of its process.
#[derive(Clone, Debug)]
pub struct SupervisorProcess {
    /// The supervisor.
    pub row: Supervisor,
    /// The run that it drives; all runs when not given.
    pub run: Option<Slug>,
    /// Its process id.
    pub pid: Option<u32>,
    /// Whether it runs on this host; `None` for another host.
    pub alive: Option<bool>,
}

/// The processes of a store.
#[derive(Clone, Debug)]
pub struct ProcessList {
    /// Workers, by thread.
    pub workers: Vec<WorkerProcess>,
    /// Supervisors, oldest first.
    pub supervisors: Vec<SupervisorProcess>,
}

/// The outcome of stopping.
#[derive(Clone, Debug, Default)]
pub struct StopOutcome {
    /// Runs that were paused.
    pub paused: Vec<Slug>,
    /// How many supervisors were asked to stop.
    pub supervisors: u64,
    /// How many workers were asked to stop.
    pub workers: u64,
    /// The threads of workers that are still running.
    pub left: Vec<ThreadId>,
}

/// Lists processes, of one run or of all runs.
///
/// # Errors
/// The run does not exist.
pub fn list_processes(session: &mut Session, run: Option<&Slug>) -> Result<ProcessList, Error> {
    session.read(|tx, _| {
        let only = match run {
            Some(_) => Some(lookup::find_run(tx, run)?.id),
            None => None,
        };
        Ok(ProcessList { workers: list_workers(tx, only)?, supervisors: list_supervisors(tx, only)? })
    })
}

/// Lists workers that have not ended.
pub fn list_workers(tx: &mut Transaction<'_>, run: Option<RunId>) -> Result<Vec<WorkerProcess>, Error> {
    let rows = worker::list_live(tx, run)?;
    let threads: Vec<ThreadId> = rows.iter().map(|row| row.thread).collect();
    let owners: BTreeMap<ThreadId, AttemptId> = if threads.is_empty() {
        BTreeMap::new()
    } else {
        let threads = thread::load_many(tx, &threads)?.into_iter();
        threads.filter_map(|thread| Some((thread.id, thread.head.reference?.attempt))).collect()
    };
    let used = if threads.is_empty() { Vec::new() } else { usage::list_by_threads(tx, &threads)? };
    let attempts: Vec<AttemptId> = owners.values().copied().collect();
    let mut names: BTreeMap<AttemptId, AttemptName> = BTreeMap::new();
    if !attempts.is_empty() {
        let attempts = attempt::load_many(tx, &attempts)?.into_iter();
        names.extend(attempts.map(|attempt| (attempt.id, attempt.name)));
    }
    let describe = |row: Worker| WorkerProcess {
        spent: used.iter().find(|(id, _)| *id == row.thread).map(|(_, sum)| sum.spent).unwrap_or_default(),
        attempt: owners.get(&row.thread).and_then(|attempt| names.get(attempt)).cloned(),
        pid: parse_pid(&row.process),
        alive: match liveness::wrapper_liveness(&row) {
            WrapperLiveness::Alive(_) => Some(true),
            WrapperLiveness::Dead => Some(false),
            WrapperLiveness::Elsewhere => None,
        },
        row,
    };
    Ok(rows.into_iter().map(describe).collect())
}

/// How many of the newest workers tell which profiles were used last.
const LAST_WORKERS: u32 = 20;

/// What drives a run: whether a supervisor is alive, and the profiles of the workers that were started last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunDriving {
    /// A supervisor on this host drives it.
    pub driven: bool,
    /// The profiles, the newest first.
    pub profiles: Vec<String>,
}

/// Returns what drives a run.
///
/// # Errors
/// The run does not exist.
pub fn load_driving(session: &mut Session, run: &Slug) -> Result<RunDriving, Error> {
    session.query(|tx| {
        let run = lookup::find_run(tx, Some(run))?.id;
        let driven = list_supervisors(tx, Some(run))?.iter().any(|one| one.alive == Some(true));
        let profiles = if driven { Vec::new() } else { worker::last_profiles(tx, LAST_WORKERS)? };
        Ok(RunDriving { driven, profiles })
    })
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
        let alive = match process_liveness(&row.host, &row.process) {
            ProcessLiveness::Alive => Some(true),
            ProcessLiveness::Dead => Some(false),
            ProcessLiveness::Elsewhere => None,
        };
        shown.push(SupervisorProcess { run, pid: parse_pid(&row.process), alive, row });
    }
    Ok(shown)
}

fn parse_pid(process: &str) -> Option<u32> {
    process.parse::<ProcessIdentity>().ok().map(ProcessIdentity::pid)
}

/// How long to wait beyond the workers' own grace period.
const PATIENCE: TimeSpan = TimeSpan::from_seconds(5);

/// Poll interval while waiting for a process to exit.
const EXIT_POLL_INTERVAL: TimeSpan = TimeSpan(10);

/// Stops all workers gracefully.
///
/// Runs are paused so that nothing is started again, supervisors and wrappers are asked to stop, and the processes of
/// killed wrappers are terminated.
///
/// # Errors
/// The run does not exist.
pub fn stop_all_workers(session: &mut Session, who: &Slug, run: Option<&Slug>) -> Result<StopOutcome, Error> {
    let found = list_processes(session, run)?;
    let mut stopped = StopOutcome::default();
    let runs: Vec<Run> = session.read(|tx, _| lookup::find_runs(tx, run))?;
    for run in runs.iter().filter(|run| run.state.status() == RunStatus::Open) {
        run_operation::change_run(session, None, who, Some(&run.name), run_operation::RunAction::Stop)?;
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

/// Waits until the workers have ended; returns the threads of those that have not.
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
    // A wrapper records its end a moment before it exits, and nothing signals the exit.
    let ours = found.workers.iter().filter(|one| one.alive == Some(true));
    let wrappers: Vec<ProcessIdentity> = ours.filter_map(|one| one.row.process.parse().ok()).collect();
    wait_until(session, at_most, |session| {
        if !left(session)?.is_empty() {
            return Ok(PollOutcome::NotYet(None));
        }
        let goes = wrappers.iter().any(|wrapper| wrapper.is_alive());
        Ok(if goes {
            PollOutcome::NotYet(Some(session.clock_now() + EXIT_POLL_INTERVAL))
        } else {
            PollOutcome::Found(())
        })
    })?;
    left(session)
}
