//! The work as its message tells it: what any worker could read, and nothing else.

use std::path::{Path, PathBuf};

use orch_core::id::{AttemptName, Slug, TaskName, ThreadId};
use orch_core::message::MessageKind;
use orch_core::thread::condition::Condition;
use orch_store::Transaction;
use orch_store::table::{message, thread_condition};
use serde_json::Value;

use crate::Error;
use crate::inbox::claim::Claimed;
use crate::profile::brief::{Answered, Earlier};

/// The work of a thread.
#[derive(Clone, Debug)]
pub struct Work {
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
    pub condition: Option<Condition>,
    /// A small number for ports and databases.
    pub slot: Option<i64>,
    /// What earlier attempts asked and were told.
    pub answers: Vec<Answered>,
    /// How earlier attempts ended.
    pub earlier: Vec<Earlier>,
}

impl Work {
    /// Reads the work of a claimed thread.
    pub(super) fn read(tx: &mut Transaction<'_>, claimed: &Claimed) -> Result<Self, Error> {
        let thread = &claimed.thread.thread;
        let first = message::of_thread(tx, thread.id, orch_core::id::MessageId(0), 1)?.into_iter().next();
        let condition = thread_condition::load(tx, thread.id)?;
        let first = first.filter(|message| message.content.kind == MessageKind::Work);
        let payload = first.as_ref().and_then(|message| message.content.extra.payload.as_deref());
        let payload: Value = payload.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let attempt = text(&payload["attempt"]).as_deref().and_then(attempt_name);
        let body = first.map(|message| message.content.body).filter(|body| !body.is_empty());
        Ok(Self {
            thread: thread.id,
            title: text(&payload["title"]).unwrap_or_else(|| thread.head.subject.clone()),
            // Work that no scheduler sent has its text alone.
            spec: if attempt.is_some() { text(&payload["spec"]) } else { body },
            accept: texts(&payload["accept"]),
            verify: texts(&payload["verify"]),
            slot: payload["worktree"]["slot"].as_i64(),
            answers: list(&payload["answers"]).iter().map(answered).collect(),
            earlier: list(&payload["earlier"]).iter().filter_map(earlier).collect(),
            attempt,
            condition,
        })
    }

    /// The folder that the work is done in; `None` where the thread does not say.
    pub(super) fn folder(&self) -> Option<PathBuf> {
        self.condition.as_ref().map(|condition| PathBuf::from(&condition.tree))
    }

    /// Where the output of its worker is kept.
    pub(super) fn log(&self, store_folder: &Path) -> PathBuf {
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
fn attempt_name(text: &str) -> Option<AttemptName> {
    let (task, number) = text.rsplit_once('@')?;
    let (run, key) = task.split_once('/')?;
    let task = TaskName { run: Slug::new(run).ok()?, key: Slug::new(key).ok()? };
    Some(AttemptName { task, number: number.parse().ok()? })
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn texts(value: &Value) -> Vec<String> {
    list(value).iter().filter_map(text).collect()
}

fn answered(value: &Value) -> Answered {
    let of = |name: &str| text(&value[name]).unwrap_or_default();
    Answered { question: of("question"), answer: of("answer"), from: of("from") }
}

fn earlier(value: &Value) -> Option<Earlier> {
    Some(Earlier {
        attempt: attempt_name(value["attempt"].as_str()?)?,
        outcome: text(&value["outcome"]).unwrap_or_default(),
        reason: text(&value["reason"]),
        log_tail: text(&value["log_tail"]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_attempts_are_read() {
        assert_eq!(attempt_name("r/a.b@12").map(|name| name.to_string()), Some("r/a.b@12".to_owned()));
        for bad in ["", "r/a", "a@1", "r/a@x", "R/a@1", "r/../@1"] {
            assert_eq!(attempt_name(bad), None, "{bad}");
        }
    }
}
