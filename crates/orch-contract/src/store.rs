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
