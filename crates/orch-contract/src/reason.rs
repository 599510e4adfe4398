//! Reasons why a task does not move, each with what would move it.

use orch_core::cooldown::{CooldownCause, ProfileCooldown};
use orch_core::id::{CommitHash, Slug, TaskName};
use orch_core::refusal as core;
use orch_core::run::PauseReason;
use orch_core::run::budget::LimitScope;
use orch_core::run::reserve::BudgetShortage;
use orch_core::run::usage::DollarAmount;
use orch_core::task::TaskState;
use serde::{Deserialize, Serialize};

use crate::operation;
use crate::time::UtcTimestamp;
use crate::usage::UsdAmount;
use crate::word::{WireEnum, WireWord};

/// Why a task does not move.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReasonView {
    /// The code, for programs.
    pub code: WireWord<ReasonCode>,
    /// The message, a full sentence.
    pub message: String,
    /// The next command to run, if there is one; for a budget all commands that help.
    pub next: Option<NextCommands>,
    /// For a budget: what is neither spent nor set aside, in US dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_usd: Option<UsdAmount>,
    /// For a budget: what has to be set aside for an attempt, in US dollars; absent where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserve_usd: Option<UsdAmount>,
}

/// The commands that a reason offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum NextCommands {
    /// One command.
    One(String),
    /// Several commands, the most useful first.
    Several(Vec<String>),
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
    /// An attempt is live.
    Live = "live";
    /// It failed recently and waits for its retry delay.
    Backoff = "backoff";
    /// The lead holds it back.
    Held = "held";
    /// The run is paused.
    RunPaused = "run_paused";
    /// Others moved the run's branch.
    BranchMoved = "branch_moved";
    /// The run's limit of live attempts is reached.
    Capacity = "capacity";
    /// A limit of the budget is reached, or too little of it is left.
    Budget = "budget";
    /// Its worker waits for an answer.
    Question = "question";
    /// Checks have not run yet or failed.
    Checks = "checks";
    /// Its attempt waits for a person's review.
    Review = "review";
    /// It waits to be merged.
    Merge = "merge";
    /// Its dependencies have a merge conflict.
    MergeConflict = "merge_conflict";
    /// No worker of its profile is started for now.
    ProfileUnavailable = "profile_unavailable";
    /// An operation that it needs has failed.
    OperationFailed = "operation_failed";
    /// It has no agent, or the agent has not claimed it.
    NoAgent = "no_agent";
    /// Dependencies failed, were cancelled or were skipped.
    DependencyFailed = "dependency_failed";
    /// It is done or failed.
    Finished = "finished";
    /// It was cancelled.
    Cancelled = "cancelled";
}

impl ReasonView {
    /// Returns the reason why `task` does not move.
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
                format!("Attempt {attempt} is live."),
                Some(format!("orch task show {task}")),
            ),
            core::NotReadyReason::Backoff { until } => (
                ReasonCode::Backoff,
                format!("It failed and can be retried from {}.", UtcTimestamp(*until)),
                None,
            ),
            core::NotReadyReason::Held => Self::held_reason(task),
            core::NotReadyReason::RunPaused { run, reason } => Self::paused_reason(run, *reason),
            core::NotReadyReason::OffBranch { commit, paused } => {
                Self::off_branch_reason(commit, *paused, &task.run)
            }
            core::NotReadyReason::Capacity { max } => (
                ReasonCode::Capacity,
                format!("The run is at its limit of {max} live attempts."),
                Some(format!("orch wait --for reported,done,failed,lost --run {}", task.run)),
            ),
            core::NotReadyReason::Question { text } => (
                ReasonCode::Question,
                format!("Its worker asks: {text}"),
                Some(format!("orch answer {task} TEXT")),
            ),
            core::NotReadyReason::ProfileUnavailable(cooldown) => Self::cooldown_reason(cooldown),
            core::NotReadyReason::OperationFailed(failed) => (
                ReasonCode::OperationFailed,
                operation::failure_message(failed),
                operation::next_commands(failed).pop(),
            ),
            core::NotReadyReason::Checks { .. }
            | core::NotReadyReason::Merge { .. }
            | core::NotReadyReason::Review { .. }
            | core::NotReadyReason::MergeConflict { .. } => Self::judging_reason(reason, task),
            core::NotReadyReason::Budget(shortage) => return Self::from_shortage(shortage, &task.run),
            core::NotReadyReason::NoAgent => (
                ReasonCode::NoAgent,
                "It has no agent.".to_owned(),
                Some(format!("orch dispatch {task} --to AGENT")),
            ),
            core::NotReadyReason::Unclaimed { agent } => (
                ReasonCode::NoAgent,
                format!("It was sent to {agent}, which has not claimed it."),
                Some(format!("orch recall {task}")),
            ),
            core::NotReadyReason::DependencyFailed { on, root } => {
                Self::broken_reason(on, root.as_ref(), task)
            }
            core::NotReadyReason::Finished { state } => {
                let retry = (*state == TaskState::Failed).then(|| format!("orch task retry {task}"));
                (ReasonCode::Finished, format!("It is {}.", state.name()), retry)
            }
            core::NotReadyReason::Cancelled => {
                let retry = Some(format!("orch task retry {task}"));
                (ReasonCode::Cancelled, "It was cancelled.".to_owned(), retry)
            }
            core::NotReadyReason::RunCancelled { run } => {
                (ReasonCode::Cancelled, format!("Run {run} is cancelled."), None)
            }
        };
        Self::new(code, message, next)
    }

    /// Creates a reason that is not about money.
    #[must_use]
    pub fn new(code: ReasonCode, message: String, next: Option<String>) -> Self {
        let next = next.map(NextCommands::One);
        Self { code: WireWord(code), message, next, left_usd: None, reserve_usd: None }
    }

    /// Returns the next commands, the most useful first.
    #[must_use]
    pub fn next_commands(&self) -> &[String] {
        match &self.next {
            None => &[],
            Some(NextCommands::One(command)) => std::slice::from_ref(command),
            Some(NextCommands::Several(commands)) => commands,
        }
    }

    /// Describes a limit that is reached, or of which too little is left.
    fn from_shortage(shortage: &BudgetShortage, run: &Slug) -> Self {
        let BudgetShortage { limit, left_micros, reserve_micros, is_held } = shortage;
        let whose = match limit.scope {
            LimitScope::Run => format!("Run {run}"),
            LimitScope::Task => "The task".to_owned(),
            LimitScope::Attempt => "The attempt".to_owned(),
        };
        let mut message = format!("{whose} has used {limit}");
        if limit.is_over() {
            message.push_str(", which is its limit.");
        } else if let Some(left) = left_micros {
            let left = DollarAmount(*left);
            message.push_str(&match reserve_micros {
                Some(reserve) => {
                    format!("; {left} are not set aside, and an attempt needs {}.", DollarAmount(*reserve))
                }
                None => format!(
                    "; {left} are not set aside, and an attempt of unknown cost runs alone until its cost is known."
                ),
            });
        }
        let mut next = vec![format!("orch run edit {run} {}", limit.option())];
        if *is_held {
            next.push(format!("orch wait --for reported,done,failed,lost --run {run}"));
        }
        if !limit.is_over() && reserve_micros.is_none() {
            next.push(format!("orch run edit {run} --attempt-reserve USD"));
        }
        Self {
            code: WireWord(ReasonCode::Budget),
            message,
            next: Some(NextCommands::Several(next)),
            left_usd: left_micros.map(UsdAmount),
            reserve_usd: reserve_micros.map(UsdAmount),
        }
    }

    /// Describes a merged commit that is no longer on the run's branch.
    fn off_branch_reason(
        commit: &CommitHash,
        paused: bool,
        run: &Slug,
    ) -> (ReasonCode, String, Option<String>) {
        let message = format!("Its commit {commit} is no longer on the run's branch, which others moved.");
        let next = match paused {
            true => format!("orch run repair {run} --restore"),
            false => format!("orch integrate {run}"),
        };
        (ReasonCode::BranchMoved, message, Some(next))
    }

    /// Describes a cooldown, with the command that ends or shows it.
    fn cooldown_reason(cooldown: &ProfileCooldown) -> (ReasonCode, String, Option<String>) {
        let verb = match cooldown.cause {
            // Only a person knows when the cause is repaired.
            CooldownCause::Access => "resume",
            CooldownCause::Quota | CooldownCause::Network => "show",
        };
        let next = format!("orch profile {verb} {}", cooldown.profile);
        (ReasonCode::ProfileUnavailable, cooldown_message(cooldown), Some(next))
    }

    fn held_reason(task: &TaskName) -> (ReasonCode, String, Option<String>) {
        (ReasonCode::Held, "It is held back.".to_owned(), Some(format!("orch task unhold {task}")))
    }

    /// Describes a pause, with the command that ends it.
    fn paused_reason(run: &Slug, reason: PauseReason) -> (ReasonCode, String, Option<String>) {
        match reason {
            PauseReason::BranchMoved => (
                ReasonCode::BranchMoved,
                format!("Run {run} is paused: others moved its branch."),
                Some(format!("orch run repair {run} --restore")),
            ),
            PauseReason::Budget => (
                ReasonCode::RunPaused,
                format!("Run {run} is paused: its budget is used up."),
                Some(format!("orch run show {run}")),
            ),
            PauseReason::Baseline => (
                ReasonCode::RunPaused,
                format!("Run {run} is paused: its checks fail on the commit that it began from."),
                Some(format!("orch run edit {run} --verify CMD")),
            ),
            PauseReason::User
            | PauseReason::Stop
            | PauseReason::OperationFailed
            | PauseReason::Breaker
            | PauseReason::Disk => (
                ReasonCode::RunPaused,
                format!("Run {run} is paused."),
                Some(format!("orch run resume {run}")),
            ),
        }
    }

    /// Describes failed dependencies.
    fn broken_reason(
        on: &[Slug],
        root: Option<&Slug>,
        task: &TaskName,
    ) -> (ReasonCode, String, Option<String>) {
        let from = match root {
            Some(root) if !on.contains(root) => format!(" (root cause: {root})"),
            Some(_) | None => String::new(),
        };
        let message = format!("It is skipped because of {}{from}.", list_keys(on));
        // Only failed and cancelled tasks can be retried; for a skipped one `why` shows its dependencies.
        let next = match root {
            Some(root) => Some(format!("orch task retry {}/{root}", task.run)),
            None => on.first().map(|key| format!("orch why {}/{key}", task.run)),
        };
        (ReasonCode::DependencyFailed, message, next)
    }

    /// Describes reasons about checks and merges.
    fn judging_reason(
        reason: &core::NotReadyReason,
        task: &TaskName,
    ) -> (ReasonCode, String, Option<String>) {
        match reason {
            core::NotReadyReason::Checks { attempt } => (
                ReasonCode::Checks,
                format!("Attempt {attempt} was reported; its checks have not run yet."),
                Some(format!("orch verify {task}")),
            ),
            core::NotReadyReason::Review { attempt } => (
                ReasonCode::Review,
                format!("Attempt {attempt} waits for a review."),
                Some(format!("orch accept {task}")),
            ),
            core::NotReadyReason::Merge { attempt } => (
                ReasonCode::Merge,
                format!("Attempt {attempt} was reported; it is not merged into the run's branch yet."),
                Some(format!("orch integrate {}", task.run)),
            ),
            core::NotReadyReason::MergeConflict { files } => (
                ReasonCode::MergeConflict,
                format!("Its dependencies have a merge conflict in: {}.", files.join(", ")),
                Some(format!("orch dep list {task}")),
            ),
            _ => unreachable!("the caller names these alone"),
        }
    }

    /// Converts a list of reasons.
    #[must_use]
    pub fn from_reasons(reasons: &[core::NotReadyReason], task: &TaskName) -> Vec<Self> {
        reasons.iter().map(|reason| Self::from_reason(reason, task)).collect()
    }
}

/// Says until when no worker of a profile is started, and why.
#[must_use]
pub fn cooldown_message(cooldown: &ProfileCooldown) -> String {
    let until = match cooldown.until {
        Some(until) if cooldown.told_by_provider => {
            format!(" until {}, as its provider says", UtcTimestamp(until))
        }
        Some(until) => format!(" until {}", UtcTimestamp(until)),
        None => String::new(),
    };
    let reason = cooldown.reason.as_deref().unwrap_or(cooldown.cause.name());
    format!("No worker of {} is started{until}: {}.", cooldown.profile, reason.trim_end_matches('.'))
}

/// Joins the first keys and appends how many more there are.
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
