//! The response of `orch status`.

use orch_core::event::Event;
use orch_core::limit;
use orch_core::run::{DoneWhen, RunStatus};
use orch_core::shell;
use orch_core::task::TaskState;
use serde::{Deserialize, Serialize};

use super::blocked::{QuestionView, StuckTaskView};
use crate::run::{RunHeader, RunProgress, TaskCountsView};
use crate::{ProfileUsageView, TaskSummary, TokensView, UsdAmount, UtcTimestamp};

/// A task with a live attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ActiveTask {
    /// The task.
    #[serde(flatten)]
    pub task: TaskSummary,
    /// When its attempt was created.
    pub since: UtcTimestamp,
    /// The last progress message of its worker.
    pub progress: Option<String>,
    /// The progress in percent, 0 to 100.
    pub percent: Option<u8>,
    /// When the lease of its thread expires.
    pub lease_expires_at: Option<UtcTimestamp>,
    /// The known cost of its attempts in US dollars; null where none is known.
    pub cost_usd: Option<UsdAmount>,
    /// The known tokens of its attempts; null where none are known.
    pub tokens: Option<TokensView>,
}

/// A failed task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FailedTask {
    /// The task.
    #[serde(flatten)]
    pub task: TaskSummary,
    /// Why its last attempt failed.
    pub reason: Option<String>,
}

/// Two live attempts with conflicting changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClashView {
    /// Both attempts, `RUN/KEY@N`, the older first.
    pub attempts: Vec<String>,
    /// The conflicting files.
    pub files: Vec<String>,
}

/// An attempt that waits for a person's review.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReviewView {
    /// The task, `RUN/KEY`.
    pub task: String,
    /// The attempt, `RUN/KEY@N`.
    pub attempt: String,
    /// The commit to review; null in a run without worktrees.
    pub commit: Option<String>,
    /// Since when it waits.
    pub at: UtcTimestamp,
    /// The commands that end the wait: diff, accept, reject.
    pub next: Vec<String>,
}

impl ReviewView {
    /// Returns a review that an attempt waits for; `None` for an event of another kind.
    #[must_use]
    pub fn from_event(event: &Event) -> Option<Self> {
        let (task, attempt) = (event.task.as_ref()?, event.attempt.as_ref()?);
        let data: serde_json::Value = serde_json::from_str(&event.data).unwrap_or_default();
        Some(Self {
            task: task.to_string(),
            attempt: attempt.to_string(),
            commit: data["commit"].as_str().map(str::to_owned),
            at: event.at.into(),
            next: vec![
                format!("orch diff {task}"),
                format!("orch accept {task}"),
                format!("orch reject {task} --reason TEXT"),
            ],
        })
    }
}

/// A summary of a run. Each list has at most 20 entries; `counts` is complete.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StatusResponse {
    /// The run.
    pub run: RunHeader,
    /// The number of its tasks in each state.
    pub counts: TaskCountsView,
    /// Tasks with a live attempt, oldest first.
    pub active: Vec<ActiveTask>,
    /// Open questions, oldest first.
    pub questions: Vec<QuestionView>,
    /// Attempts that wait for a person's review, oldest first.
    pub reviews: Vec<ReviewView>,
    /// The dispatchable tasks, in order.
    pub ready: Vec<TaskSummary>,
    /// Failed tasks, oldest first.
    pub failed: Vec<FailedTask>,
    /// Operations that failed repeatedly and are not tried again by themselves, oldest first; then tasks that wait for
    /// profiles of which no worker is started for now.
    pub stuck: Vec<StuckTaskView>,
    /// Live attempts with conflicting changes; the oldest eight that have commits are
    /// compared.
    pub clashes: Vec<ClashView>,
    /// What the workers of each profile used, where anything is known of it.
    pub profiles: Vec<ProfileUsageView>,
    /// Its progress.
    pub progress: RunProgress,
    /// Keys of the longest chain of unfinished tasks, in order.
    pub critical_path: Vec<String>,
    /// The estimated remaining time, if finished attempts allow an estimate.
    pub eta_ms: Option<i64>,
    /// Whether a supervisor on this host drives it.
    pub driven: bool,
    /// The next commands, the most useful first.
    pub next: Vec<String>,
}

impl StatusResponse {
    /// Returns the next commands, the most useful first.
    ///
    /// `profiles` are those of the workers that were started last: an interrupted run continues with them.
    #[must_use]
    pub fn next_commands(&self, profiles: &[String]) -> Vec<String> {
        let run = &self.run.id;
        let has_work = !self.ready.is_empty() || !self.active.is_empty();
        let is_interrupted = !self.driven && has_work && !profiles.is_empty();
        let mut commands = Vec::new();
        for stuck in &self.stuck {
            commands.extend(stuck.next.iter().cloned());
        }
        commands.extend(self.run.pause.iter().flat_map(|pause| pause.next.iter().cloned()));
        if let Some(question) = self.questions.first() {
            commands.push(format!("orch answer {} TEXT", question.task));
        }
        commands.extend(self.reviews.first().map(|review| format!("orch accept {}", review.task)));
        if self.run.state.0 == RunStatus::Open && is_interrupted {
            let profiles: String =
                profiles.iter().map(|profile| format!(" --profile {}", shell::quote_word(profile))).collect();
            commands.push(format!("orch drive {run}{profiles}"));
        }
        if self.run.state.0 == RunStatus::Open && !self.ready.is_empty() && !self.driven && !is_interrupted {
            let named = self.ready.iter().all(|task| task.agent.is_some());
            let to = if named { "" } else { " --to AGENT" };
            commands.push(format!("orch dispatch --all{to} --run {run}"));
        }
        if self.ready.is_empty() && self.active.is_empty() && self.delayed_count() > 0 {
            commands.push(format!("orch task list --state ready --full --run {run}"));
        }
        if let Some(failed) = self.failed.first() {
            commands.push(format!("orch task retry {}", failed.task.id));
        }
        if self.run.state.0.is_unfinished() && self.progress.total == 0 {
            commands.push(format!("orch task add TITLE --run {run}"));
        }
        let reported = self.counts.count(TaskState::Reported) > 0;
        if reported && !self.driven && self.run.done_when.0 == DoneWhen::Integrated {
            commands.push(format!("orch integrate {run}"));
        }
        if !self.active.is_empty() && !is_interrupted {
            commands.push(format!("orch wait --run {run}"));
        }
        if self.run.state.0 == RunStatus::Finished {
            let has_landed = self.run.landed.as_ref().is_some_and(|landed| landed.complete);
            let done = self.progress.done > 0 && self.run.done_when.0 == DoneWhen::Integrated && !has_landed;
            if let Some(branch) = self.run.base_branch.as_deref().filter(|_| done) {
                let partial = if self.progress.done < self.progress.total { " --partial" } else { "" };
                commands.push(format!("orch land {run} --onto {}{partial}", shell::quote_word(branch)));
            }
            commands.push(format!("orch task list --run {run}"));
        }
        let mut seen = std::collections::BTreeSet::new();
        commands.retain(|command| seen.insert(command.clone()));
        commands
    }

    /// Counts the ready tasks that cannot be dispatched yet; 0 when unknown, because the list is cut or the run is
    /// paused.
    #[must_use]
    pub fn delayed_count(&self) -> i64 {
        let shown = i64::try_from(self.ready.len()).unwrap_or(i64::MAX);
        let whole = shown < i64::from(limit::STATUS_SHOWN) && self.run.state.0 == RunStatus::Open;
        if whole { self.counts.count(TaskState::Ready) - shown } else { 0 }
    }
}
