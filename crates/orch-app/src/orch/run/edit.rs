//! `orch run edit`: changes to a run.

use orch_contract::orch::run::RunResponse;
use orch_core::id::Slug;
use orch_core::run::RunEdit;
use orch_scheduler::run::edit_run;
use serde::Serialize;

use super::run_response;
use crate::app::App;
use crate::error::AppError;
use crate::request::{Answer, Request, RequestKey};

/// Changes a run's title, goal, rules or limits.
#[derive(Debug, Serialize)]
pub struct EditRun {
    /// The lead who decides.
    pub agent: Slug,
    /// The run; the only unfinished one when absent.
    pub run: Option<Slug>,
    /// The changes.
    pub edit: RunEdit,
}

impl Request for EditRun {
    const COMMAND: &'static str = "orch run edit";
    type View = RunResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<RunResponse> {
        if self.edit.is_empty() {
            return Err(AppError::invalid_argument("OPTIONS", "Say what to change."));
        }
        app.change(key, run_response, |session, receipt| {
            edit_run(session, receipt, &self.agent, self.run.as_ref(), &self.edit)
        })
    }
}
