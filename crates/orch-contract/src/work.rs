//! The payload of a work message: what the scheduler writes and a worker or its wrapper reads.

use serde::{Deserialize, Serialize};

/// The payload of a work message.
///
/// A message that no scheduler wrote may have any other payload, so a reader accepts missing fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct WorkPayload {
    /// The task, `RUN/KEY`.
    pub task: String,
    /// The attempt, `RUN/KEY@N`.
    pub attempt: String,
    /// The task's title.
    pub title: String,
    /// The task's spec.
    pub spec: Option<String>,
    /// The task's acceptance criteria.
    pub accept: Vec<String>,
    /// The commands that verify the result.
    pub verify: Vec<String>,
    /// The attempt's worktree; null outside git.
    pub worktree: Option<WorkPayloadTree>,
    /// The folder that all workers of the run share; null where the attempt has a worktree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// The attempt, `RUN/KEY@N`, whose session and worktree this attempt continues.
    pub continues: Option<String>,
    /// The files with conflicts that a merge of the run's branch has left in the worktree.
    pub conflicts: Vec<String>,
    /// The questions and answers of earlier attempts, oldest first.
    pub answers: Vec<WorkPayloadAnswer>,
    /// The earlier attempts, oldest first.
    pub earlier: Vec<WorkPayloadAttempt>,
}

/// The worktree of an attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct WorkPayloadTree {
    /// The absolute path.
    pub path: String,
    /// The branch.
    pub branch: String,
    /// The commit that the branch started from.
    pub base_commit: String,
    /// Always null: the attempt has no commit yet.
    pub head_commit: Option<String>,
    /// A small number that no other live attempt has, for ports and databases.
    pub slot: Option<u32>,
}

/// A question of an earlier attempt with its answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct WorkPayloadAnswer {
    /// The question.
    pub question: String,
    /// The answer.
    pub answer: String,
    /// Who answered.
    pub from: String,
}

/// An earlier attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct WorkPayloadAttempt {
    /// The attempt, `RUN/KEY@N`.
    pub attempt: String,
    /// The state in which it ended.
    pub outcome: String,
    /// Why it ended.
    pub reason: Option<String>,
    /// The end of the output of its client or its checks.
    pub log_tail: Option<String>,
    /// Its branch.
    pub branch: Option<String>,
    /// Its last commit.
    pub commit: Option<String>,
}

impl WorkPayload {
    /// Parses a payload; one that has another form is read as empty.
    #[must_use]
    pub fn parse_or_default(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// Serialises the payload.
    ///
    /// # Panics
    /// Never: strings and lists can always be serialised.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings and lists can be serialised")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_has_every_field_in_a_fixed_order() {
        let earlier = WorkPayloadAttempt { attempt: "r/a@1".to_owned(), ..WorkPayloadAttempt::default() };
        let whole = WorkPayload {
            task: "r/a".to_owned(),
            worktree: Some(WorkPayloadTree { slot: Some(0), ..WorkPayloadTree::default() }),
            answers: vec![WorkPayloadAnswer::default()],
            earlier: vec![earlier],
            ..WorkPayload::default()
        };
        let expected = concat!(
            r#"{"task":"r/a","attempt":"","title":"","spec":null,"accept":[],"verify":[],"#,
            r#""worktree":{"path":"","branch":"","base_commit":"","head_commit":null,"slot":0},"continues":null,"conflicts":[],"#,
            r#""answers":[{"question":"","answer":"","from":""}],"#,
            r#""earlier":[{"attempt":"r/a@1","outcome":"","reason":null,"log_tail":null,"branch":null,"commit":null}]}"#,
        );
        assert_eq!(whole.to_json(), expected);
        assert_eq!(WorkPayload::parse_or_default(expected), whole);
    }

    #[test]
    fn another_payload_is_read_as_far_as_it_fits() {
        let titled = WorkPayload { title: "T".to_owned(), ..WorkPayload::default() };
        assert_eq!(WorkPayload::parse_or_default(r#"{"title":"T","more":1}"#), titled);
        for text in ["", "[]", "7", r#"{"title":5}"#] {
            assert_eq!(WorkPayload::parse_or_default(text), WorkPayload::default(), "{text}");
        }
    }
}
