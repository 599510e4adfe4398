//! `orch answer`: answers the open question of a task's worker.

use orch_contract::MessageOrSummary;
use orch_contract::orch::tell::AnswerResponse;
use orch_core::id::Slug;
use orch_scheduler::TaskSelector;
use orch_scheduler::answer::{AnswerOutcome, answer_question};
use serde::Serialize;

use super::view::{add_long_texts, task_view};
use crate::app::App;
use crate::request::{Answer, Request, RequestKey};

/// Answers the open question of a task's worker.
#[derive(Debug, Serialize)]
pub struct AnswerQuestion {
    /// The lead who decides.
    pub agent: Slug,
    /// The task.
    pub task: TaskSelector,
    /// The answer.
    pub body: String,
    /// Answers with the long texts.
    #[serde(skip)]
    pub full: bool,
}

impl Request for AnswerQuestion {
    const COMMAND: &'static str = "orch answer";
    type View = AnswerResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<AnswerResponse> {
        let view = |outcome: &AnswerOutcome| AnswerResponse {
            task: task_view(&outcome.task),
            message: MessageOrSummary::from_message(&outcome.message, self.full),
        };
        let mut reply = app.change(key, view, |session, receipt| {
            answer_question(session, receipt, &self.agent, &self.task, &self.body)
        })?;
        add_long_texts(app.session()?, &mut reply.data.task, self.full)?;
        Ok(reply)
    }
}
