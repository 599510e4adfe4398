//! What `orch demo` prints.

use serde::{Deserialize, Serialize};

use super::graph::GraphResponse;
use super::land::LandResponse;
use super::status::StatusResponse;
use crate::EventView;

/// One line of `orch demo`: what `orch drive` would print, and the end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum DemoLine {
    /// Something happened.
    Happened {
        /// What.
        event: EventView,
    },
    /// Something that a person should know.
    Note {
        /// What, in a sentence.
        note: String,
    },
    /// The end.
    End(Box<DemoEnd>),
}

/// What the demo did, and where to look at it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DemoEnd {
    /// The folder it worked in.
    pub folder: String,
    /// The repository in it.
    pub repository: String,
    /// The file that all of it was for.
    pub handbook: String,
    /// What did not go straight: questions, answers, and attempts that were not good, oldest first.
    pub happened: Vec<EventView>,
    /// How the run landed.
    pub land: LandResponse,
    /// The run at its end.
    pub status: StatusResponse,
    /// The run's graph at its end.
    pub graph: GraphResponse,
    /// What to type next.
    pub next: Vec<String>,
}
