//! Attempts.

use orch_core::attempt as core;
use orch_core::attempt::AttemptState;
use orch_core::message as core_message;
use orch_core::task::Checks;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text::said;
use crate::time::Stamp;
use crate::word::Word;

/// One try at a task by one worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attempt {
    /// Its name, `RUN/KEY@N`.
    pub id: String,
    /// The task, `RUN/KEY`.
    pub task: String,
    /// Which try, from 1.
    pub number: u32,
    /// Who works on it: the claimer once there is one, before that whom it was sent to.
    pub agent: String,
    /// Its state.
    pub state: Word<AttemptState>,
    /// Its thread, `th-N`.
    pub thread: String,
    /// Where it works; null for a run without worktrees.
    pub worktree: Option<Worktree>,
    /// What the checks said.
    pub checks: Word<Checks>,
    /// What its worker reported.
    pub result: Option<String>,
    /// When it was made.
    pub created_at: Stamp,
    /// When it ended.
    pub ended_at: Option<Stamp>,
    /// Why it ended without a result.
    pub reason: Option<String>,
}

/// The checked-out tree of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Worktree {
    /// Its folder.
    pub path: String,
    /// Its branch.
    pub branch: String,
    /// The commit it began from.
    pub base_commit: String,
    /// The commit it is at.
    pub head_commit: Option<String>,
}

impl Attempt {
    /// The attempt with the message that closed its thread.
    #[must_use]
    pub fn of(attempt: &core::Attempt, closing: Option<&core_message::Message>) -> Self {
        let body_of = |kind| {
            closing
                .filter(|message| message.content.kind == kind)
                .and_then(|message| said(&message.content.body))
        };
        Self {
            id: attempt.name.to_string(),
            task: attempt.name.task.to_string(),
            number: attempt.name.number,
            agent: attempt.agent.to_string(),
            state: attempt.state.into(),
            thread: attempt.thread.to_string(),
            worktree: None,
            checks: attempt.checks.into(),
            result: body_of(core_message::MessageKind::Result),
            created_at: attempt.created_at.into(),
            ended_at: attempt.ended_at.map(Stamp::from),
            reason: attempt
                .reason
                .as_deref()
                .and_then(said)
                .or_else(|| body_of(core_message::MessageKind::Failure)),
        }
    }
}
