//! The response of `orch wait` and `orch ack`.

use serde::{Deserialize, Serialize};

use crate::EventView;

/// The response of `orch wait`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EventWaitResponse {
    /// The events, oldest first.
    pub events: Vec<EventView>,
    /// The cursor to acknowledge, or to wait after, `e-N`.
    pub cursor: String,
    /// The run that was waited for, if one was given; used in the text output only.
    #[serde(skip)]
    pub run: Option<String>,
}

/// The response of `orch ack`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EventAckResponse {
    /// The new cursor, `e-N`.
    pub cursor: String,
}
