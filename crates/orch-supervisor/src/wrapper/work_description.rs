//! The work of a thread, as its work message describes it to any worker.

use std::path::{Path, PathBuf};

use orch_contract::work::{WorkPayload, WorkPayloadAnswer};
use orch_core::id::{AttemptName, CommitHash, MessageId, Slug, TaskName, ThreadId};
use orch_core::message::MessageKind;
use orch_core::thread::condition::TreeCondition;
use orch_inbox::Error;
use orch_inbox::claim::ClaimOutcome;
use orch_inbox::show::list_answered_questions;
use orch_profile::brief::QuestionWithAnswer;
use orch_store::Transaction;
use orch_store::table::{message, thread_condition};
use serde::{Deserialize, Serialize};

/// The work of a thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WorkDescription {
    pub thread: ThreadId,
    /// The attempt; `None` for work that no scheduler sent.
    pub attempt: Option<AttemptName>,
    pub payload: WorkPayload,
    /// The condition on the worktree under which the thread may be closed as done.
    pub condition: Option<TreeCondition>,
}

/// A work description without its thread, as a re-executed wrapper needs it.
#[derive(Deserialize, Serialize)]
pub(super) struct WorkDescriptionRecord {
    payload: WorkPayload,
    condition: Option<TreeConditionRecord>,
}

#[derive(Deserialize, Serialize)]
struct TreeConditionRecord {
    tree: String,
    branch: String,
    base: String,
    needs_commit: bool,
    #[serde(default)]
    merges: Option<String>,
}

impl WorkDescription {
    /// Loads the work of a claimed thread.
    pub(super) fn load_claimed(tx: &mut Transaction<'_>, claimed: &ClaimOutcome) -> Result<Self, Error> {
        let thread = &claimed.thread.thread;
        let first = message::list_by_thread(tx, thread.id, MessageId(0), 1)?.into_iter().next();
        let first = first.filter(|message| message.content.kind == MessageKind::Work);
        let payload = first.as_ref().and_then(|message| message.content.extra.payload.as_deref());
        let mut payload = payload.map(WorkPayload::parse_or_default).unwrap_or_default();
        if payload.title.is_empty() {
            payload.title.clone_from(&thread.head.subject);
        }
        let attempt = parse_attempt_name(&payload.attempt);
        if attempt.is_none() {
            // Work that no scheduler sent has its text only.
            payload.spec = first.map(|message| message.content.body).filter(|body| !body.is_empty());
        }
        let condition = thread_condition::load(tx, thread.id)?;
        let mut work = Self { thread: thread.id, attempt, payload, condition };
        // A later worker of the thread is told what an earlier one has asked.
        if thread.message_count > 1 {
            for (question, answer) in list_answered_questions(tx, thread.id)? {
                work.add_answer(&QuestionWithAnswer {
                    question: question.content.body,
                    answer: answer.content.body,
                    from: answer.content.from.to_string(),
                });
            }
        }
        Ok(work)
    }

    /// Adds an answer, for a worker that cannot resume its session and is briefed again.
    pub(super) fn add_answer(&mut self, found: &QuestionWithAnswer) {
        let answered = WorkPayloadAnswer {
            question: found.question.clone(),
            answer: found.answer.clone(),
            from: found.from.clone(),
        };
        if !self.payload.answers.contains(&answered) {
            self.payload.answers.push(answered);
        }
    }

    pub(super) fn to_record(&self) -> WorkDescriptionRecord {
        let condition = self.condition.as_ref().map(|condition| TreeConditionRecord {
            tree: condition.tree.clone(),
            branch: condition.branch.clone(),
            base: condition.base.to_string(),
            needs_commit: condition.needs_commit,
            merges: condition.merges.as_ref().map(ToString::to_string),
        });
        WorkDescriptionRecord { payload: self.payload.clone(), condition }
    }

    pub(super) fn from_record(thread: ThreadId, record: WorkDescriptionRecord) -> Self {
        let condition = record.condition.map(|condition| TreeCondition {
            tree: condition.tree,
            branch: condition.branch,
            base: CommitHash::from_stored(condition.base),
            needs_commit: condition.needs_commit,
            merges: condition.merges.map(CommitHash::from_stored),
        });
        let attempt = parse_attempt_name(&record.payload.attempt);
        Self { thread, attempt, payload: record.payload, condition }
    }

    /// Returns the worker's folder: its worktree, or the one that the workers of its run share; `None` where neither is known.
    pub(super) fn work_folder(&self) -> Option<PathBuf> {
        let tree = self.condition.as_ref().map(|condition| &condition.tree);
        tree.or(self.payload.folder.as_ref()).map(PathBuf::from)
    }

    /// Returns the path of the worker's log.
    pub(super) fn log_path(&self, store_folder: &Path) -> PathBuf {
        let logs = store_folder.join("logs");
        match &self.attempt {
            Some(name) => logs
                .join(name.task.run.as_str())
                .join(format!("{}.{}", name.task.key, name.number))
                .join("worker.log"),
            None => logs.join(format!("{}.log", self.thread)),
        }
    }
}

/// Parses `RUN/KEY@N`.
pub(super) fn parse_attempt_name(text: &str) -> Option<AttemptName> {
    let (task, number) = text.rsplit_once('@')?;
    let (run, key) = task.split_once('/')?;
    let task = TaskName { run: Slug::new(run).ok()?, key: Slug::new(key).ok()? };
    Some(AttemptName { task, number: number.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_restores_the_description() {
        let payload = WorkPayload { attempt: "r/a@2".to_owned(), ..WorkPayload::default() };
        let condition = TreeCondition {
            tree: "/a tree".to_owned(),
            branch: "orch/r/a.2".to_owned(),
            base: CommitHash::from_stored("abc".to_owned()),
            needs_commit: true,
            merges: Some(CommitHash::from_stored("def".to_owned())),
        };
        let attempt = parse_attempt_name("r/a@2");
        let whole = WorkDescription { thread: ThreadId(7), attempt, payload, condition: Some(condition) };
        let bare = WorkDescription {
            thread: ThreadId(8),
            attempt: None,
            payload: WorkPayload::default(),
            condition: None,
        };
        for work in [whole, bare] {
            let text = serde_json::to_string(&work.to_record()).unwrap();
            let record = serde_json::from_str(&text).unwrap();
            assert_eq!(WorkDescription::from_record(work.thread, record), work);
        }
    }

    #[test]
    fn names_of_attempts_are_parsed() {
        assert_eq!(parse_attempt_name("r/a.b@12").map(|name| name.to_string()), Some("r/a.b@12".to_owned()));
        for invalid in ["", "r/a", "a@1", "r/a@x", "R/a@1", "r/../@1"] {
            assert_eq!(parse_attempt_name(invalid), None, "{invalid}");
        }
    }
}
