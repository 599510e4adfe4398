//! Reasons why a task does not move, each with what would move it.

use orch_core::id::{Slug, TaskName};
use orch_core::refusal as core;
use orch_core::task::TaskState;
use serde::{Deserialize, Serialize};

use crate::time::UtcTimestamp;
use crate::word::{WireEnum, WireWord};

/// Why a task does not move.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReasonView {
    /// For programs.
    pub code: WireWord<ReasonCode>,
    /// In a full sentence.
    pub message: String,
    /// The literal next command, where there is one.
    pub next: Option<String>,
}

macro_rules! reason_codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal;)*) => {
        /// The stable names of reasons.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ReasonCode {
            $($(#[$doc])* $variant,)*
        }

        impl WireEnum for ReasonCode {
            const SET: &'static str = "ReasonCode";

            fn all() -> Vec<Self> {
                vec![$(Self::$variant),*]
            }

            fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

reason_codes! {
    /// Dependencies are not done.
    WaitingDependency = "waiting_dependency";
    /// An attempt is under way.
    Live = "live";
    /// It failed a moment ago.
    Backoff = "backoff";
    /// The run is paused.
    RunPaused = "run_paused";
    /// The run has no free place.
    Capacity = "capacity";
    /// The run's budget is spent.
    Budget = "budget";
    /// Its worker waits for an answer.
    Question = "question";
    /// Checks have yet to run or failed.
    Checks = "checks";
    /// It waits to be merged.
    Merge = "merge";
    /// Its base does not merge.
    MergeConflict = "merge_conflict";
    /// Nobody is named to do it, or nobody has taken it.
    NoAgent = "no_agent";
    /// Dependencies failed, were cancelled or were skipped.
    DependencyFailed = "dependency_failed";
    /// It is done or failed.
    Finished = "finished";
    /// It was cancelled.
    Cancelled = "cancelled";
}

impl ReasonView {
    /// The reason why `task` does not move.
    #[must_use]
    pub fn from_reason(reason: &core::NotReadyReason, task: &TaskName) -> Self {
        let (code, message, next) = match reason {
            core::NotReadyReason::WaitingDependency { on } => (
                ReasonCode::WaitingDependency,
                format!("It waits for {}.", list_keys(on)),
                on.first().map(|key| format!("orch why {}/{key}", task.run)),
            ),
            core::NotReadyReason::Live { attempt } => (
                ReasonCode::Live,
                format!("Attempt {attempt} is under way."),
                Some(format!("orch task show {task}")),
            ),
            core::NotReadyReason::Backoff { until } => (
                ReasonCode::Backoff,
                format!("It failed a moment ago and may be tried again from {}.", UtcTimestamp(*until)),
                None,
            ),
            core::NotReadyReason::RunPaused { run } => (
                ReasonCode::RunPaused,
                format!("The run {run} is paused."),
                Some(format!("orch run resume {run}")),
            ),
            core::NotReadyReason::Capacity { max } => (
                ReasonCode::Capacity,
                format!("The run allows {max} attempts at once, and all are under way."),
                Some(format!("orch wait --for reported,done,failed,lost --run {}", task.run)),
            ),
            core::NotReadyReason::Question { text } => (
                ReasonCode::Question,
                format!("Its worker asks: {text}"),
                Some(format!("orch answer {task} TEXT")),
            ),
            core::NotReadyReason::Checks { .. }
            | core::NotReadyReason::Merge { .. }
            | core::NotReadyReason::MergeConflict { .. }
            | core::NotReadyReason::Budget { .. } => Self::judging_reason(reason, task),
            core::NotReadyReason::NoAgent => (
                ReasonCode::NoAgent,
                "Nobody is named to do it.".to_owned(),
                Some(format!("orch dispatch {task} --to AGENT")),
            ),
            core::NotReadyReason::Unclaimed { agent } => (
                ReasonCode::NoAgent,
                format!("It was sent to {agent}, and nobody has claimed it."),
                Some(format!("orch recall {task}")),
            ),
            core::NotReadyReason::DependencyFailed { on, root } => {
                Self::broken_reason(on, root.as_ref(), task)
            }
            core::NotReadyReason::Finished { state } => {
                let retry = (*state == TaskState::Failed).then(|| format!("orch task retry {task}"));
                (ReasonCode::Finished, format!("It is {}.", state.name()), retry)
            }
            core::NotReadyReason::Cancelled => (
                ReasonCode::Cancelled,
                "It was cancelled.".to_owned(),
                Some(format!("orch task retry {task}")),
            ),
            core::NotReadyReason::RunCancelled { run } => {
                (ReasonCode::Cancelled, format!("The run {run} is cancelled."), None)
            }
        };
        Self { code: WireWord(code), message, next }
    }

    /// What comes of dependencies that did not end well.
    fn broken_reason(
        on: &[Slug],
        root: Option<&Slug>,
        task: &TaskName,
    ) -> (ReasonCode, String, Option<String>) {
        let from = match root {
            Some(root) if !on.contains(root) => format!("; it began with {root}"),
            Some(_) | None => String::new(),
        };
        let message = format!("It cannot become ready, because {} did not end well{from}.", list_keys(on));
        // Only what failed or was cancelled can be retried; a skipped task leads on to what it waits for.
        let next = match root {
            Some(root) => Some(format!("orch task retry {}/{root}", task.run)),
            None => on.first().map(|key| format!("orch why {}/{key}", task.run)),
        };
        (ReasonCode::DependencyFailed, message, next)
    }

    /// What has to do with judging, merging and spending.
    fn judging_reason(
        reason: &core::NotReadyReason,
        task: &TaskName,
    ) -> (ReasonCode, String, Option<String>) {
        match reason {
            core::NotReadyReason::Checks { attempt } => (
                ReasonCode::Checks,
                format!("Attempt {attempt} was reported, and its checks have yet to run."),
                Some(format!("orch verify {task}")),
            ),
            core::NotReadyReason::Merge { attempt } => (
                ReasonCode::Merge,
                format!("Attempt {attempt} was reported, and is yet to be merged into the run's branch."),
                Some(format!("orch integrate {}", task.run)),
            ),
            core::NotReadyReason::MergeConflict { files } => (
                ReasonCode::MergeConflict,
                format!("What it waits for does not merge: {}.", files.join(", ")),
                Some(format!("orch dep list {task}")),
            ),
            core::NotReadyReason::Budget { what } => {
                (ReasonCode::Budget, format!("{what} is spent."), Some(format!("orch run edit {}", task.run)))
            }
            _ => unreachable!("the caller names these alone"),
        }
    }

    /// The reasons of a list.
    #[must_use]
    pub fn from_reasons(reasons: &[core::NotReadyReason], task: &TaskName) -> Vec<Self> {
        reasons.iter().map(|reason| Self::from_reason(reason, task)).collect()
    }
}

/// Keys as a person lists them: the first few, then how many more.
pub(crate) fn list_keys(keys: &[Slug]) -> String {
    const SHOWN: usize = 5;
    let mut text = keys.iter().take(SHOWN).map(Slug::as_str).collect::<Vec<_>>().join(", ");
    if keys.len() > SHOWN {
        text.push_str(&format!(" and {} more", keys.len() - SHOWN));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_cut() {
        let keys: Vec<Slug> = (1..=7).map(|number| Slug::from_stored(format!("t{number}"))).collect();
        assert_eq!(list_keys(&keys[..2]), "t1, t2");
        assert_eq!(list_keys(&keys), "t1, t2, t3, t4, t5 and 2 more");
    }

    #[test]
    fn a_reason_names_the_next_command() {
        let task = TaskName { run: Slug::from_stored("r".into()), key: Slug::from_stored("b".into()) };
        let on = vec![Slug::from_stored("a".into())];
        let reason = ReasonView::from_reason(&core::NotReadyReason::WaitingDependency { on }, &task);
        assert_eq!(
            serde_json::to_string(&reason).unwrap(),
            r#"{"code":"waiting_dependency","message":"It waits for a.","next":"orch why r/a"}"#
        );
    }
}
