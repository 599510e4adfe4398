//! What `orch wait` and `orch ack` answer.

use serde::{Deserialize, Serialize};

use crate::EventView;

/// What `orch wait` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EventWaitResponse {
    /// What happened, oldest first.
    pub events: Vec<EventView>,
    /// What to acknowledge, or to wait after, `e-N`.
    pub cursor: String,
    /// The run that was waited for where one was named; acknowledging is for that run alone. Only for the text.
    #[serde(skip)]
    pub run: Option<String>,
}

/// What `orch ack` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EventAckResponse {
    /// Where the cursor is now, `e-N`.
    pub cursor: String,
}
