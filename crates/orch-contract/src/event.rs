//! Events.

use orch_core::event as core;
use orch_core::event::EventKind;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

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
            data: serde_json::from_str(&event.data).unwrap_or_default(),
        }
    }

    /// Returns the events of a list.
    #[must_use]
    pub fn from_events(events: &[core::Event]) -> Vec<Self> {
        events.iter().map(Self::from_event).collect()
    }
}
