//! The work as its message tells it: what any worker could read, and nothing else.

use std::path::{Path, PathBuf};

use orch_core::id::{AttemptName, CommitHash, Slug, TaskName, ThreadId};
use orch_core::message::MessageKind;
use orch_core::thread::condition::TreeCondition;
use orch_store::Transaction;
use orch_store::table::{message, thread_condition};
use serde_json::{Value, json};

use orch_inbox::Error;
use orch_inbox::claim::ClaimOutcome;
use orch_profile::brief::{PriorAttempt, QuestionWithAnswer};

/// The work of a thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkDescription {
    /// The thread.
    pub thread: ThreadId,
    /// The attempt, where it is one of a run.
    pub attempt: Option<AttemptName>,
    /// One line that says what it is.
    pub title: String,
    /// What is to be done.
    pub spec: Option<String>,
    /// When it is good.
    pub accept: Vec<String>,
    /// The commands that will judge it.
    pub verify: Vec<String>,
    /// What the thread asks of its worktree.
    pub condition: Option<TreeCondition>,
    /// A small number for ports and databases.
    pub slot: Option<i64>,
    /// What earlier attempts asked and were told.
    pub answers: Vec<QuestionWithAnswer>,
    /// How earlier attempts ended.
    pub earlier: Vec<PriorAttempt>,
}

impl WorkDescription {
    /// Reads the work of a claimed thread.
    pub(super) fn load_claimed(tx: &mut Transaction<'_>, claimed: &ClaimOutcome) -> Result<Self, Error> {
        let thread = &claimed.thread.thread;
        let first =
            message::list_by_thread(tx, thread.id, orch_core::id::MessageId(0), 1)?.into_iter().next();
        let condition = thread_condition::load(tx, thread.id)?;
        let first = first.filter(|message| message.content.kind == MessageKind::Work);
        let payload = first.as_ref().and_then(|message| message.content.extra.payload.as_deref());
        let payload: Value = payload.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let body = first.map(|message| message.content.body).filter(|body| !body.is_empty());
        let mut work = Self::from_payload(thread.id, &payload, condition);
        if work.title.is_empty() {
            work.title.clone_from(&thread.head.subject);
        }
        if work.attempt.is_none() {
            // Work that no scheduler sent has its text alone.
            work.spec = body;
        }
        Ok(work)
    }

    /// The work that a payload tells of.
    fn from_payload(thread: ThreadId, payload: &Value, condition: Option<TreeCondition>) -> Self {
        Self {
            thread,
            attempt: json_text(&payload["attempt"]).as_deref().and_then(parse_attempt_name),
            title: json_text(&payload["title"]).unwrap_or_default(),
            spec: json_text(&payload["spec"]),
            accept: json_texts(&payload["accept"]),
            verify: json_texts(&payload["verify"]),
            slot: payload["worktree"]["slot"].as_i64(),
            answers: json_list(&payload["answers"]).iter().map(parse_answer).collect(),
            earlier: json_list(&payload["earlier"]).iter().filter_map(parse_prior_attempt).collect(),
            condition,
        }
    }

    /// Everything that [`WorkDescription::from_reexec_json`] needs to have it again.
    pub(super) fn to_reexec_json(&self) -> Value {
        json!({
            "attempt": self.attempt.as_ref().map(ToString::to_string),
            "title": self.title,
            "spec": self.spec,
            "accept": self.accept,
            "verify": self.verify,
            "worktree": {
                "slot": self.slot,
                "condition": self.condition.as_ref().map(|condition| json!({
                    "tree": condition.tree,
                    "branch": condition.branch,
                    "base": condition.base.as_str(),
                    "needs_commit": condition.needs_commit,
                })),
            },
            "answers": self.answers.iter().map(|answered| json!({
                "question": answered.question, "answer": answered.answer, "from": answered.from,
            })).collect::<Vec<_>>(),
            "earlier": self.earlier.iter().map(|earlier| json!({
                "attempt": earlier.attempt, "outcome": earlier.outcome,
                "reason": earlier.reason, "log_tail": earlier.log_tail,
            })).collect::<Vec<_>>(),
        })
    }

    /// The work that was noted.
    pub(super) fn from_reexec_json(thread: ThreadId, note: &Value) -> Self {
        let condition = &note["worktree"]["condition"];
        let condition = json_text(&condition["tree"]).map(|tree| TreeCondition {
            tree,
            branch: json_text(&condition["branch"]).unwrap_or_default(),
            base: CommitHash::from_stored(json_text(&condition["base"]).unwrap_or_default()),
            needs_commit: condition["needs_commit"] == true,
        });
        Self::from_payload(thread, note, condition)
    }

    /// The folder that the work is done in; `None` where the thread does not say.
    pub(super) fn work_folder(&self) -> Option<PathBuf> {
        self.condition.as_ref().map(|condition| PathBuf::from(&condition.tree))
    }

    /// Where the output of its worker is kept.
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

/// Reads `RUN/KEY@N`.
fn parse_attempt_name(text: &str) -> Option<AttemptName> {
    let (task, number) = text.rsplit_once('@')?;
    let (run, key) = task.split_once('/')?;
    let task = TaskName { run: Slug::new(run).ok()?, key: Slug::new(key).ok()? };
    Some(AttemptName { task, number: number.parse().ok()? })
}

fn json_list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn json_text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn json_texts(value: &Value) -> Vec<String> {
    json_list(value).iter().filter_map(json_text).collect()
}

fn parse_answer(value: &Value) -> QuestionWithAnswer {
    let of = |name: &str| json_text(&value[name]).unwrap_or_default();
    QuestionWithAnswer { question: of("question"), answer: of("answer"), from: of("from") }
}

fn parse_prior_attempt(value: &Value) -> Option<PriorAttempt> {
    Some(PriorAttempt {
        attempt: json_text(&value["attempt"])?,
        outcome: json_text(&value["outcome"]).unwrap_or_default(),
        reason: json_text(&value["reason"]),
        log_tail: json_text(&value["log_tail"]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_is_read_again() {
        let attempt = parse_attempt_name("r/a@2");
        let whole = WorkDescription {
            thread: ThreadId(7),
            attempt: attempt.clone(),
            title: "Build it".to_owned(),
            spec: Some("All\nof it".to_owned()),
            accept: vec!["It stands.".to_owned()],
            verify: vec!["make test".to_owned(), "true".to_owned()],
            condition: Some(TreeCondition {
                tree: "/a tree".to_owned(),
                branch: "orch/r/a.2".to_owned(),
                base: CommitHash::from_stored("abc".to_owned()),
                needs_commit: true,
            }),
            slot: Some(3),
            answers: vec![QuestionWithAnswer {
                question: "Q".to_owned(),
                answer: "A".to_owned(),
                from: "lead".to_owned(),
            }],
            earlier: attempt
                .map(|attempt| PriorAttempt {
                    attempt: attempt.to_string(),
                    outcome: "failed".to_owned(),
                    reason: Some("no".to_owned()),
                    log_tail: None,
                })
                .into_iter()
                .collect(),
        };
        let bare = WorkDescription::from_payload(ThreadId(8), &json!({"title": "T"}), None);
        for work in [whole, bare] {
            let text = work.to_reexec_json().to_string();
            assert_eq!(
                WorkDescription::from_reexec_json(work.thread, &serde_json::from_str(&text).unwrap()),
                work
            );
        }
    }

    #[test]
    fn names_of_attempts_are_read() {
        assert_eq!(parse_attempt_name("r/a.b@12").map(|name| name.to_string()), Some("r/a.b@12".to_owned()));
        for bad in ["", "r/a", "a@1", "r/a@x", "R/a@1", "r/../@1"] {
            assert_eq!(parse_attempt_name(bad), None, "{bad}");
        }
    }
}
