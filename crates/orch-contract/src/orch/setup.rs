//! The response of `orch setup`.

use serde::{Deserialize, Serialize};

/// A file of a client's setup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SetupFileView {
    /// Its path.
    pub path: String,
    /// What it is for: `skill`, `hooks`, `mcp`, `plugin` or `instructions`.
    pub purpose: String,
    /// What is done to it: `create`, `change`, `remove`, `restore`, or `keep`.
    pub action: String,
    /// Whether git tracks it, so that others get the change.
    pub tracked: bool,
    /// With `--print`: its content afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
}

/// The response of `orch setup`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SetupResponse {
    /// The client.
    pub client: String,
    /// `user` or `project`.
    pub scope: String,
    /// Whether the client is set up after the command.
    pub installed: bool,
    /// Its files.
    pub files: Vec<SetupFileView>,
    /// What a person still has to do in the client.
    pub notes: Vec<String>,
}
