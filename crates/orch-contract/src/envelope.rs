//! The envelope of every response.

use serde::{Deserialize, Serialize};

use crate::error::ErrorView;

/// The version of the envelope and of everything in it.
pub const SCHEMA: u32 = 1;

/// The response of a successful command.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SuccessEnvelope<T> {
    /// The version of this document.
    #[cfg_attr(feature = "schema", schemars(extend("const" = SCHEMA)))]
    pub schema: u32,
    /// Always true.
    #[cfg_attr(feature = "schema", schemars(extend("const" = true)))]
    pub ok: bool,
    /// True when this is the recorded response of an earlier request with this request id.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replayed: bool,
    /// The command, without its options.
    pub command: String,
    /// What chose the run: `option`, `environment`, `worktree` (`orch run use`), `only` (the only unfinished one) or
    /// `newest` (none is unfinished).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_from: Option<String>,
    /// The data of the command.
    pub data: T,
    /// Warnings, in full sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl<T> SuccessEnvelope<T> {
    /// Returns a response of `command`.
    #[must_use]
    pub fn new(command: &str, data: T) -> Self {
        Self {
            schema: SCHEMA,
            ok: true,
            replayed: false,
            command: command.to_owned(),
            run_from: None,
            data,
            warnings: Vec::new(),
        }
    }
}

/// The response of a failed command, which changed nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FailureEnvelope {
    /// The version of this document.
    #[cfg_attr(feature = "schema", schemars(extend("const" = SCHEMA)))]
    pub schema: u32,
    /// Always false.
    #[cfg_attr(feature = "schema", schemars(extend("const" = false)))]
    pub ok: bool,
    /// The command, without its options.
    pub command: String,
    /// Why.
    pub error: ErrorView,
}

impl FailureEnvelope {
    /// Returns the failure of `command`.
    #[must_use]
    pub fn new(command: &str, error: ErrorView) -> Self {
        Self { schema: SCHEMA, ok: false, command: command.to_owned(), error }
    }
}

/// A response of either kind.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Envelope<T> {
    /// The command succeeded.
    Success(SuccessEnvelope<T>),
    /// The command failed.
    Failure(FailureEnvelope),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::ErrorCode;

    #[test]
    fn fields_stand_in_the_contracts_order() {
        let mut success = SuccessEnvelope::new("orch task add", serde_json::json!({"task": null}));
        assert_eq!(
            serde_json::to_string(&success).unwrap(),
            r#"{"schema":1,"ok":true,"command":"orch task add","data":{"task":null}}"#
        );
        success.replayed = true;
        success.warnings.push("Mind the step.".to_owned());
        assert_eq!(
            serde_json::to_string(&success).unwrap(),
            r#"{"schema":1,"ok":true,"replayed":true,"command":"orch task add","data":{"task":null},"warnings":["Mind the step."]}"#
        );
    }

    #[test]
    fn a_failure_has_every_field() {
        let failure = FailureEnvelope::new(
            "inbox claim",
            ErrorView::new(ErrorCode::InboxEmpty, "No work can be claimed."),
        );
        assert_eq!(
            serde_json::to_string(&failure).unwrap(),
            r#"{"schema":1,"ok":false,"command":"inbox claim","error":{"code":"inbox_empty","message":"No work can be claimed.","hint":null,"retryable":true,"details":null}}"#
        );
    }
}
