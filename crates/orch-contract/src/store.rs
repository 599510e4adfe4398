//! The store, as shown by `init`.

use serde::{Deserialize, Serialize};

/// A store that was created or existed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StoreView {
    /// Its location, in the syntax of `--store`.
    pub location: String,
    /// Whether it was created by this command.
    pub created: bool,
    /// The version of its schema.
    pub schema: i64,
    /// Its id.
    pub id: String,
    /// The real path of its file.
    pub path: String,
    /// The path under which it is recorded: in a copy, that of the original.
    pub home: String,
    /// The database engine.
    pub engine: String,
}

/// Which store it is, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StoreIdentityView {
    /// Its id.
    pub id: String,
    /// The real path of its file.
    pub path: String,
    /// The path under which it is recorded: in a copy, that of the original.
    pub home: String,
    /// The database engine.
    pub engine: String,
    /// How the two paths relate: `home`, `other_path`, `moved`, `copied` or `undecided`.
    pub placement: String,
}

/// The response of `init`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InitResponse {
    /// The store.
    pub store: StoreView,
}

/// The JSON form of a text document (help, completions, drawings).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DocumentResponse {
    /// The document.
    pub document: String,
}
