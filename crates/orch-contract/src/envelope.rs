//! What stands around every answer.

use serde::{Deserialize, Serialize};

use crate::error::ErrorView;

/// The version of the envelope and of everything in it.
pub const SCHEMA: u32 = 1;

/// The answer of a command that did what it was asked to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SuccessEnvelope<T> {
    /// The version of this document.
    #[cfg_attr(feature = "schema", schemars(extend("const" = SCHEMA)))]
    pub schema: u32,
    /// Always true.
    #[cfg_attr(feature = "schema", schemars(extend("const" = true)))]
    pub ok: bool,
    /// True when this is the recorded answer of an earlier request with the same id.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replayed: bool,
    /// The command, without its options.
    pub command: String,
    /// What it answers.
    pub data: T,
    /// What deserves attention, in full sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl<T> SuccessEnvelope<T> {
    /// An answer of `command`.
    #[must_use]
    pub fn new(command: &str, data: T) -> Self {
        Self {
            schema: SCHEMA,
            ok: true,
            replayed: false,
            command: command.to_owned(),
            data,
            warnings: Vec::new(),
        }
    }
}

/// The answer of a command that did nothing.
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
    /// The failure of `command`.
    #[must_use]
    pub fn new(command: &str, error: ErrorView) -> Self {
        Self { schema: SCHEMA, ok: false, command: command.to_owned(), error }
    }
}

/// Either answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Envelope<T> {
    /// It did what it was asked to do.
    Success(SuccessEnvelope<T>),
    /// It did nothing.
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
            ErrorView::new(ErrorCode::InboxEmpty, "There is nothing to claim."),
        );
        assert_eq!(
            serde_json::to_string(&failure).unwrap(),
            r#"{"schema":1,"ok":false,"command":"inbox claim","error":{"code":"inbox_empty","message":"There is nothing to claim.","hint":null,"retryable":true,"details":null}}"#
        );
    }
}
