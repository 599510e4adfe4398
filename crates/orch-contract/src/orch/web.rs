//! The response of `orch web`.

use serde::{Deserialize, Serialize};

/// The response of `orch web`, printed when the page can be opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WebResponse {
    /// The link that opens the page, once.
    pub url: String,
    /// Where the server listens, like `127.0.0.1:41234`.
    pub address: String,
    /// Whether the page only shows; null where the server is another process.
    pub read_only: Option<bool>,
}
