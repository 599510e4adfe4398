//! `orch run cancel`: ends a run.

use orch_contract::orch::run::RunResponse;
use orch_core::id::Slug;
use orch_scheduler::run::{RunAction, change_run};
use serde::Serialize;

use super::run_response;
use crate::app::App;
use crate::request::{Answer, Request, RequestKey};

/// Ends a run for good.
#[derive(Debug, Serialize)]
pub struct CancelRun {
    /// The lead who decides.
    pub agent: Slug,
    /// The run; the only unfinished one when absent.
    pub run: Option<Slug>,
}

impl Request for CancelRun {
    const COMMAND: &'static str = "orch run cancel";
    type View = RunResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<RunResponse> {
        app.change(key, run_response, |session, receipt| {
            change_run(session, receipt, &self.agent, self.run.as_ref(), RunAction::Cancel)
        })
    }
}
