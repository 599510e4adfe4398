//! `orch verify`: runs the checks of a reported attempt, or again those of a rejected one.

use orch_contract::orch::judgement::VerifyResponse;
use orch_contract::{AttemptView, CheckView};
use orch_core::id::Slug;
use orch_scheduler::verify::{VerifyOutcome, VerifyRequest, verify_attempt};
use orch_scheduler::{AttemptSelector, TaskSelector};
use orch_workspace::check_cache::CheckReuse;
use serde::Serialize;

use super::view::{add_long_texts, task_view};
use crate::app::App;
use crate::request::{Answer, Request, RequestKey};

/// Runs the checks of a reported attempt and judges it by them.
#[derive(Debug, Serialize)]
pub struct VerifyTask {
    /// The lead who decides.
    pub agent: Slug,
    /// The task.
    pub task: TaskSelector,
    /// The number of the attempt; the last one when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u32>,
    /// Runs the checks again, on a rejected attempt too.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
    /// Runs the checks although their results are known.
    pub no_check_cache: bool,
    /// Answers with the long texts.
    #[serde(skip)]
    pub full: bool,
}

impl Request for VerifyTask {
    const COMMAND: &'static str = "orch verify";
    type View = VerifyResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<VerifyResponse> {
        let mut reply = app.change(key, verify_response, |session, receipt| {
            let request = VerifyRequest {
                attempt: AttemptSelector { task: self.task.clone(), number: self.number },
                again: self.again,
                reuse: CheckReuse::beginning_now(session, self.no_check_cache),
            };
            verify_attempt(session, receipt, &self.agent, &request)
        })?;
        add_long_texts(app.session()?, &mut reply.data.task, self.full)?;
        Ok(reply)
    }
}

fn verify_response(verified: &VerifyOutcome) -> VerifyResponse {
    VerifyResponse {
        task: task_view(&verified.task),
        attempt: AttemptView::from_attempt(&verified.attempt, verified.worktree.as_ref(), None),
        checks: verified.checks.iter().map(CheckView::from_check).collect(),
    }
}
