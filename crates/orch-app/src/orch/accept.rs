//! `orch accept`: the lead accepts a reported attempt.

use orch_contract::orch::task::TaskResponse;
use orch_core::id::Slug;
use orch_scheduler::TaskSelector;
use orch_scheduler::judge::{LeadVerdict, judge_attempt};
use serde::Serialize;

use crate::app::App;
use crate::request::{Answer, Request, RequestKey};

/// Accepts a reported attempt, whatever its checks say.
#[derive(Debug, Serialize)]
pub struct AcceptAttempt {
    /// The lead who decides.
    pub agent: Slug,
    /// The task.
    pub task: TaskSelector,
    /// The commit in place of the reported one.
    pub commit: Option<String>,
    /// The reason.
    pub reason: Option<String>,
    /// Answers with the long texts.
    #[serde(skip)]
    pub full: bool,
}

impl Request for AcceptAttempt {
    const COMMAND: &'static str = "orch accept";
    type View = TaskResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<TaskResponse> {
        let verdict = LeadVerdict::Accept { commit: self.commit.clone(), reason: self.reason.clone() };
        app.change_task(key, self.full, |session, receipt| {
            judge_attempt(session, receipt, &self.agent, &self.task, &verdict)
        })
    }
}
