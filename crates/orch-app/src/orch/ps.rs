//! `orch ps`: workers and supervisors as processes.

use orch_contract::orch::drive::{PsResponse, SupervisorView, WorkerView};
use orch_core::id::Slug;
use orch_query::ps::{SupervisorProcess, WorkerProcess, list_processes};
use serde::Serialize;

use crate::app::App;
use crate::request::{Answer, Reply, Request, RequestKey};

/// Lists the processes of workers and supervisors.
#[derive(Debug, Serialize)]
pub struct ListProcesses {
    /// The run; all runs when absent.
    pub run: Option<Slug>,
}

impl Request for ListProcesses {
    const COMMAND: &'static str = "orch ps";
    type View = PsResponse;

    fn perform(&self, app: &mut App<'_>, _key: &RequestKey<'_>) -> Answer<PsResponse> {
        let found = list_processes(app.session()?, self.run.as_ref())?;
        Ok(Reply::new(PsResponse {
            workers: found.workers.iter().map(worker_view).collect(),
            supervisors: found.supervisors.iter().map(supervisor_view).collect(),
        }))
    }
}

/// Returns a worker's process as an answer shows it.
pub(super) fn worker_view(shown: &WorkerProcess) -> WorkerView {
    let attempt = shown.attempt.as_ref().map(ToString::to_string);
    WorkerView::from_worker(&shown.row, attempt, shown.pid, shown.alive, shown.spent)
}

fn supervisor_view(shown: &SupervisorProcess) -> SupervisorView {
    SupervisorView {
        pid: shown.pid,
        alive: shown.alive,
        run: shown.run.as_ref().map(ToString::to_string),
        log: shown.row.log.clone(),
        started_at: shown.row.started_at.into(),
    }
}
