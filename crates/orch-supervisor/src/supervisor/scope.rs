//! The runs that a supervisor drives.

use orch_core::id::{EventId, RunId, Slug};
use orch_core::refusal::Refusal;
use orch_core::run::Run;
use orch_inbox::{Error, Session};
use orch_scheduler::lookup;
use orch_store::Transaction;
use orch_store::table::{event, run as run_table};

/// The runs that a supervisor drives.
pub(super) struct DriveScope {
    ids: Vec<RunId>,
    /// The only run, when there is just one.
    pub(super) only: Option<RunId>,
    /// The newest event when the supervisor started.
    pub(super) begin: EventId,
}

impl DriveScope {
    /// Resolves the named run, or all unfinished runs.
    pub(super) fn resolve_runs(session: &mut Session, run: Option<&Slug>) -> Result<Self, Error> {
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

    /// Loads the runs: the unfinished ones with one statement.
    pub(super) fn load_runs(&self, tx: &mut Transaction<'_>) -> Result<Vec<Run>, Error> {
        if let Some(only) = self.only {
            return Ok(vec![lookup::load_run(tx, only)?]);
        }
        let mut unfinished = run_table::list_unfinished(tx)?;
        let mut runs = Vec::with_capacity(self.ids.len());
        for id in &self.ids {
            match unfinished.iter().position(|run| run.id == *id) {
                Some(index) => runs.push(unfinished.swap_remove(index)),
                None => runs.push(lookup::load_run(tx, *id)?),
            }
        }
        Ok(runs)
    }

    /// Whether the supervisor looks after the workers of a run: one that drives several runs looks after all workers.
    pub(super) fn covers(&self, run: Option<RunId>) -> bool {
        self.only.is_none() || run == self.only
    }
}
