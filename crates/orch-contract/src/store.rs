//! The store, as `init` shows it.

use serde::{Deserialize, Serialize};

/// A store that was made, or was there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StoreView {
    /// Where it is, as `--store` takes it.
    pub location: String,
    /// Whether it was made just now.
    pub created: bool,
    /// The version of its schema.
    pub schema: i64,
}

/// What `init` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InitResponse {
    /// The store.
    pub store: StoreView,
}

/// What a document that is no answer (help, completions, drawings) becomes when JSON is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DocumentResponse {
    /// The document.
    pub document: String,
}
