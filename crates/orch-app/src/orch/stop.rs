//! `orch stop`: terminates workers and supervisors.

use orch_contract::orch::drive::StopResponse;
use orch_core::id::Slug;
use orch_query::ps::stop_all_workers;
use serde::Serialize;

use crate::app::App;
use crate::request::{Answer, Reply, Request, RequestKey};

/// Terminates workers and supervisors, and pauses their runs.
#[derive(Debug, Serialize)]
pub struct StopWorkers {
    /// The lead who decides.
    pub agent: Slug,
    /// The run; all runs when absent.
    pub run: Option<Slug>,
}

impl Request for StopWorkers {
    const COMMAND: &'static str = "orch stop";
    type View = StopResponse;

    fn perform(&self, app: &mut App<'_>, _key: &RequestKey<'_>) -> Answer<StopResponse> {
        let session = app.session()?;
        // The processes of a copied store are the original's.
        session.require_writable()?;
        session.settle_move()?;
        let stopped = stop_all_workers(session, &self.agent, self.run.as_ref())?;
        Ok(Reply::new(StopResponse {
            paused: stopped.paused.iter().map(ToString::to_string).collect(),
            supervisors: stopped.supervisors,
            workers: stopped.workers,
            left: stopped.left.iter().map(ToString::to_string).collect(),
        }))
    }
}
