//! Messages: complete, or without their texts.

use orch_core::message as core;
use orch_core::message::MessageKind;
use serde::{Deserialize, Serialize};

use crate::json_document::JsonDocument;
use crate::text::none_if_empty;
use crate::time::UtcTimestamp;
use crate::word::WireWord;

/// A message with its texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MessageView {
    /// Its number, `m-N`.
    pub id: String,
    /// Its thread, `th-N`.
    pub thread: String,
    /// The sender.
    pub from: String,
    /// The recipient.
    pub to: String,
    /// Its kind.
    pub kind: WireWord<MessageKind>,
    /// The text, if any.
    // The field is required, so that the summary, which lacks it, is not read as a complete message.
    #[serde(deserialize_with = "Option::deserialize")]
    pub body: Option<String>,
    /// A JSON document.
    pub payload: Option<JsonDocument>,
    /// When it was written.
    pub created_at: UtcTimestamp,
    /// Paths of files that belong to a result.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<String>,
    /// The answer options of a question.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// The default answer of a question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// The progress in percent, 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<u8>,
}

impl MessageView {
    /// Converts a message with all of its fields.
    #[must_use]
    pub fn from_message(message: &core::Message) -> Self {
        let core::MessageDraft { from, to, kind, body, extra } = &message.content;
        // A payload was validated before it was stored; one that is not JSON all the same is shown as text.
        let payload = |text: &String| JsonDocument::from_text(text);
        Self {
            id: message.id.to_string(),
            thread: message.thread.to_string(),
            from: from.to_string(),
            to: to.to_string(),
            kind: (*kind).into(),
            body: none_if_empty(body),
            payload: extra.payload.as_ref().map(payload),
            created_at: message.created_at.into(),
            artifacts: extra.artifacts.clone(),
            options: extra.options.clone(),
            default: extra.default.clone(),
            percent: extra.percent,
        }
    }

    /// Converts messages with all of their fields.
    #[must_use]
    pub fn from_messages(messages: &[core::Message]) -> Vec<Self> {
        messages.iter().map(Self::from_message).collect()
    }
}

/// A message without its texts, as in the response to a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MessageSummary {
    /// Its number, `m-N`.
    pub id: String,
    /// Its thread, `th-N`.
    pub thread: String,
    /// The sender.
    pub from: String,
    /// The recipient.
    pub to: String,
    /// Its kind.
    pub kind: WireWord<MessageKind>,
    /// When it was written.
    pub created_at: UtcTimestamp,
}

/// A message, complete or as a summary.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum MessageOrSummary {
    /// The complete form, with `--full`.
    Full(MessageView),
    /// The summary.
    Short(MessageSummary),
}

impl MessageOrSummary {
    /// Converts a message, with its texts if `full`.
    #[must_use]
    pub fn from_message(message: &core::Message, full: bool) -> Self {
        if full {
            return Self::Full(MessageView::from_message(message));
        }
        let core::MessageDraft { from, to, kind, .. } = &message.content;
        Self::Short(MessageSummary {
            id: message.id.to_string(),
            thread: message.thread.to_string(),
            from: from.to_string(),
            to: to.to_string(),
            kind: (*kind).into(),
            created_at: message.created_at.into(),
        })
    }

    /// Its number.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Full(message) => &message.id,
            Self::Short(message) => &message.id,
        }
    }

    /// Returns who it is for.
    #[must_use]
    pub fn to(&self) -> &str {
        match self {
            Self::Full(message) => &message.to,
            Self::Short(message) => &message.to,
        }
    }
}
