//! The response of `orch events`.

use serde::{Deserialize, Serialize};

use crate::EventView;

/// The response of `orch events`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EventsResponse {
    /// The events of this page, oldest first.
    pub events: Vec<EventView>,
    /// How many the whole list has; not counted while events are followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// The cursor of the next page, if there is one.
    pub next: Option<String>,
}
