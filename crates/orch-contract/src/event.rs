//! Events.

use orch_core::cooldown::CooldownCause;
use orch_core::effect::EffectKind;
use orch_core::event as core;
use orch_core::event::EventKind;
use orch_core::operation_failure::OperationFaultCause;
use orch_core::run::PauseReason;
use orch_core::run::budget::{BudgetMeasure, LimitScope};
use orch_core::time::Time;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::operation;
use crate::run::remedy_commands;
use crate::time::UtcTimestamp;
use crate::word::WireWord;

/// One line of the history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EventView {
    /// Its number, `e-N`.
    pub id: String,
    /// When it happened.
    pub at: UtcTimestamp,
    /// Its kind.
    pub kind: WireWord<EventKind>,
    /// The run.
    pub run: Option<String>,
    /// The task, `RUN/KEY`.
    pub task: Option<String>,
    /// The attempt, `RUN/KEY@N`.
    pub attempt: Option<String>,
    /// The thread, `th-N`.
    pub thread: Option<String>,
    /// The agent that it is about, or that caused it.
    pub agent: Option<String>,
    /// Who caused it.
    pub by: EventAuthorView,
    /// Whether it waits for the lead: nothing else makes up for it.
    pub needs_action: bool,
    /// The commands that help.
    pub next: Vec<String>,
    /// Further data; the fields depend on the kind.
    pub data: Map<String, Value>,
}

/// Who caused something: an agent, in a process of a user on a host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EventAuthorView {
    /// The agent; null for orch itself.
    pub agent: Option<String>,
    /// The user of the process; null in events of older versions.
    pub user: Option<String>,
    /// The host of the process; null in events of older versions.
    pub host: Option<String>,
}

impl EventAuthorView {
    /// Returns the author.
    #[must_use]
    pub fn from_author(author: &core::EventAuthor) -> Self {
        Self {
            agent: author.agent.as_ref().map(ToString::to_string),
            user: author.process.user.clone(),
            host: author.process.host.clone(),
        }
    }
}

impl EventView {
    /// Returns the event.
    #[must_use]
    pub fn from_event(event: &core::Event) -> Self {
        let mut data: Map<String, Value> = serde_json::from_str(&event.data).unwrap_or_default();
        if let Some(until) = data.get_mut("until").filter(|until| until.is_i64()) {
            *until = Value::String(UtcTimestamp(Time(until.as_i64().unwrap_or_default())).to_string());
        }
        let (needs_action, next) = requested_action(event, &data);
        Self {
            id: event.id.to_string(),
            at: event.at.into(),
            kind: event.kind.into(),
            run: event.run.as_ref().map(ToString::to_string),
            task: event.task.as_ref().map(ToString::to_string),
            attempt: event.attempt.as_ref().map(ToString::to_string),
            thread: event.thread.map(|thread| thread.to_string()),
            agent: event.agent.as_ref().map(ToString::to_string),
            by: EventAuthorView::from_author(&event.by),
            needs_action,
            next,
            data,
        }
    }

    /// Returns the events of a list.
    #[must_use]
    pub fn from_events(events: &[core::Event]) -> Vec<Self> {
        events.iter().map(Self::from_event).collect()
    }
}

/// Returns whether an event waits for the lead, and the commands that help.
fn requested_action(event: &core::Event, data: &Map<String, Value>) -> (bool, Vec<String>) {
    let text = |name: &str| data.get(name).and_then(Value::as_str);
    let run = event.run.as_ref().map(ToString::to_string);
    let of_run = |command: &str| run.iter().map(|run| format!("{command} {run}")).collect::<Vec<_>>();
    let of_task = |command: &str, rest: &str| {
        event.task.iter().map(|task| format!("{command} {task}{rest}")).collect::<Vec<_>>()
    };
    match event.kind {
        EventKind::Question => (true, of_task("orch answer", " TEXT")),
        EventKind::Failed | EventKind::Rejected | EventKind::Lost => {
            let is_final = text("to") == Some("failed");
            let log = of_task("orch log", "");
            let retry = if is_final { of_task("orch task retry", "") } else { Vec::new() };
            (is_final, [log, retry].concat())
        }
        EventKind::RateLimited => {
            let profile = text("profile").unwrap_or_default();
            // A person has to sign in or to pay; everything else is over some time.
            let needs_person = text("cause") == Some(CooldownCause::Access.name());
            let commands = ["show", "resume"].map(|verb| format!("orch profile {verb} {profile}"));
            (needs_person, commands.to_vec())
        }
        EventKind::Silent => {
            let is_ended = data.get("ends").and_then(Value::as_bool).unwrap_or(false);
            (!is_ended, [of_task("orch log", ""), of_task("orch recall", "")].concat())
        }
        EventKind::Reported => (false, of_task("orch task show", "")),
        EventKind::Fault => fault_action(event, data),
        EventKind::RunPaused => {
            let reason = text("reason").and_then(PauseReason::parse);
            let needs_lead = text("reason").is_some() && reason.is_none_or(|reason| !reason.is_requested());
            let reason = reason.unwrap_or(PauseReason::User);
            let measure = text("measure").and_then(BudgetMeasure::parse);
            let option = measure.map(|measure| measure.limit_option(LimitScope::Run));
            let options: Vec<&str> = option.into_iter().collect();
            let run = event.run.iter();
            let next = run.flat_map(|run| remedy_commands(reason, run, &options, (true, true))).collect();
            (needs_lead, next)
        }
        EventKind::Review => {
            let judge = ["orch diff", "orch accept"].map(|command| of_task(command, "")).concat();
            (true, [judge, of_task("orch reject", " --reason TEXT")].concat())
        }
        EventKind::Suggested => {
            let message = text("message").map(|message| format!("orch task add --from {message}"));
            (false, message.into_iter().collect())
        }
        EventKind::Assigned => {
            let agent = event.agent.iter().map(|agent| format!("inbox claim --as {agent}"));
            (true, of_task("orch task show", "").into_iter().chain(agent).collect())
        }
        EventKind::Finished => (text("outcome") != Some("succeeded"), of_run("orch status")),
        _ => (false, Vec::new()),
    }
}

fn fault_action(event: &core::Event, data: &Map<String, Value>) -> (bool, Vec<String>) {
    let text = |name: &str| data.get(name).and_then(Value::as_str);
    let Some(effect) = text("operation").and_then(EffectKind::parse) else {
        // A fault that belongs to no operation is tried again with its task.
        let is_final = text("to") == Some("failed");
        return (is_final, event.task.iter().map(|task| format!("orch task show {task}")).collect());
    };
    let cause = text("cause").and_then(OperationFaultCause::parse).unwrap_or(OperationFaultCause::Other);
    let is_stuck = data.get("stuck").and_then(Value::as_bool).unwrap_or(false);
    let mut next: Vec<String> = operation::remedy_command(cause, text("path")).into_iter().collect();
    if let Some(run) = event.run.as_ref().filter(|_| is_stuck) {
        next.push(operation::retry_command(effect, run.as_str(), event.task.as_ref(), is_stuck));
    }
    // A full disk is retried until there is room.
    (is_stuck || cause == OperationFaultCause::DiskFull, next)
}

#[cfg(test)]
mod tests {
    use orch_core::id::{EventId, Slug, TaskName};

    use super::*;

    fn action(kind: EventKind, data: &str) -> (bool, Vec<String>) {
        let run = Slug::from_stored("r".to_owned());
        let view = EventView::from_event(&core::Event {
            id: EventId(1),
            at: Time(0),
            kind,
            run: Some(run.clone()),
            task: Some(TaskName { run, key: Slug::from_stored("a".to_owned()) }),
            attempt: None,
            thread: None,
            agent: None,
            by: core::EventAuthor::default(),
            data: data.to_owned(),
        });
        (view.needs_action, view.next)
    }

    #[test]
    fn events_that_need_the_lead_name_the_commands_that_help() {
        use EventKind as K;
        for (kind, data, needed, next) in [
            (K::Question, "{}", true, vec!["orch answer r/a TEXT"]),
            (K::Failed, r#"{"to":"ready"}"#, false, vec!["orch log r/a"]),
            (K::Lost, r#"{"to":"failed"}"#, true, vec!["orch log r/a", "orch task retry r/a"]),
            (K::Fault, r#"{"to":"ready"}"#, false, vec!["orch task show r/a"]),
            (
                K::Fault,
                r#"{"operation":"verify","stuck":true,"cause":"locked","path":"/l"}"#,
                true,
                vec!["rm /l", "orch task retry r/a --operation"],
            ),
            (
                K::Fault,
                r#"{"operation":"integrate","stuck":true,"cause":"other"}"#,
                true,
                vec!["orch run resume r"],
            ),
            (K::Fault, r#"{"operation":"prepare","stuck":false,"cause":"disk_full"}"#, true, vec!["df -h ."]),
            (K::RunPaused, "{}", false, vec!["orch run resume r"]),
            (K::RunPaused, r#"{"reason":"operation_failed"}"#, true, vec!["orch run resume r"]),
            (
                K::RunPaused,
                r#"{"reason":"budget","scope":"run","measure":"cost"}"#,
                true,
                vec!["orch run edit r --max-cost USD"],
            ),
            (K::RunPaused, r#"{"reason":"stop"}"#, false, vec!["orch run resume r", "orch drive r"]),
            (
                K::RunPaused,
                r#"{"reason":"branch_moved"}"#,
                true,
                vec!["orch run repair r --restore", "orch run repair r --adopt"],
            ),
            (
                K::Review,
                "{}",
                true,
                vec!["orch diff r/a", "orch accept r/a", "orch reject r/a --reason TEXT"],
            ),
            (K::Assigned, "{}", true, vec!["orch task show r/a"]),
            (K::Finished, r#"{"outcome":"succeeded"}"#, false, vec!["orch status r"]),
            (K::Done, "{}", false, vec![]),
            (
                K::RateLimited,
                r#"{"profile":"claude","cause":"access"}"#,
                true,
                vec!["orch profile show claude", "orch profile resume claude"],
            ),
            (
                K::RateLimited,
                r#"{"profile":"claude","cause":"quota"}"#,
                false,
                vec!["orch profile show claude", "orch profile resume claude"],
            ),
            (K::Silent, r#"{"ends":false}"#, true, vec!["orch log r/a", "orch recall r/a"]),
            (K::Silent, r#"{"ends":true}"#, false, vec!["orch log r/a", "orch recall r/a"]),
        ] {
            let next: Vec<String> = next.into_iter().map(str::to_owned).collect();
            assert_eq!(action(kind, data), (needed, next), "{} {data}", kind.name());
        }
    }
}
