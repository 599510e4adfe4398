//! What `orch wait` and `orch ack` answer.

use serde::{Deserialize, Serialize};

use crate::Event;

/// What `orch wait` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WaitAnswer {
    /// What happened, oldest first.
    pub events: Vec<Event>,
    /// What to acknowledge, or to wait after, `e-N`.
    pub cursor: String,
    /// The run that was waited for where one was named; acknowledging is for that run alone. Only for the text.
    #[serde(skip)]
    pub run: Option<String>,
}

/// What `orch ack` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AckAnswer {
    /// Where the cursor is now, `e-N`.
    pub cursor: String,
}
