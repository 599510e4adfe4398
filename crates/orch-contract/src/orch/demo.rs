//! The output of `orch demo`.

use serde::{Deserialize, Serialize};

use super::graph::GraphResponse;
use super::land::LandResponse;
use super::status::StatusResponse;
use crate::EventView;

/// A line of `orch demo`: a line of `orch drive`, or the end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum DemoLine {
    /// An event.
    Happened {
        /// What.
        event: EventView,
    },
    /// A note for the user.
    Note {
        /// What, in a sentence.
        note: String,
    },
    /// The end.
    End(Box<DemoEnd>),
}

/// The results of the demo.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DemoEnd {
    /// The folder it worked in.
    pub folder: String,
    /// The repository in it.
    pub repository: String,
    /// The file that the run produced.
    pub handbook: String,
    /// Questions, answers and failed attempts, oldest first.
    pub happened: Vec<EventView>,
    /// How the run landed.
    pub land: LandResponse,
    /// The run at its end.
    pub status: StatusResponse,
    /// The run's graph at its end.
    pub graph: GraphResponse,
    /// The next commands.
    pub next: Vec<String>,
}
