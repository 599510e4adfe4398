//! `orch reject`: the lead rejects a reported attempt.

use orch_contract::orch::task::TaskResponse;
use orch_core::id::Slug;
use orch_scheduler::TaskSelector;
use orch_scheduler::judge::{LeadVerdict, judge_attempt};
use serde::Serialize;

use crate::app::App;
use crate::request::{Answer, Request, RequestKey};

/// Rejects a reported attempt, whatever its checks say.
#[derive(Debug, Serialize)]
pub struct RejectAttempt {
    /// The lead who decides.
    pub agent: Slug,
    /// The task.
    pub task: TaskSelector,
    /// The reason, which the next attempt is told.
    pub reason: String,
    /// Answers with the long texts.
    #[serde(skip)]
    pub full: bool,
}

impl Request for RejectAttempt {
    const COMMAND: &'static str = "orch reject";
    type View = TaskResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<TaskResponse> {
        let verdict = LeadVerdict::Reject { reason: self.reason.clone() };
        app.change_task(key, self.full, |session, receipt| {
            judge_attempt(session, receipt, &self.agent, &self.task, &verdict)
        })
    }
}
