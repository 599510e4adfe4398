//! Messages: whole, or without their texts.

use orch_core::message as core;
use orch_core::message::MessageKind;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::text::none_if_empty;
use crate::time::UtcTimestamp;
use crate::word::WireWord;

/// One entry of a thread, whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MessageView {
    /// Its number, `m-N`.
    pub id: String,
    /// Its thread, `th-N`.
    pub thread: String,
    /// Who wrote it.
    pub from: String,
    /// Who it is for.
    pub to: String,
    /// What it is about.
    pub kind: WireWord<MessageKind>,
    /// The text, where there is one.
    // A short form has no such field, and is told from a whole one by that.
    #[serde(deserialize_with = "Option::deserialize")]
    pub body: Option<String>,
    /// A JSON document for programs.
    pub payload: Option<Value>,
    /// When it was written.
    pub created_at: UtcTimestamp,
    /// Paths of files that belong to a result.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<String>,
    /// Answers that a question offers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// The answer a question takes when nobody gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// How far the work is, 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<u8>,
}

impl MessageView {
    /// The message with everything it says.
    #[must_use]
    pub fn from_message(message: &core::Message) -> Self {
        let core::MessageDraft { from, to, kind, body, extra } = &message.content;
        // A payload was checked before it was stored; one that is no JSON after all is shown as the text it is.
        let payload = |text: &String| serde_json::from_str(text).unwrap_or_else(|_| text.clone().into());
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

    /// The messages of a list, whole.
    #[must_use]
    pub fn from_messages(messages: &[core::Message]) -> Vec<Self> {
        messages.iter().map(Self::from_message).collect()
    }
}

/// A message without its texts, as the answer to a change shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MessageSummary {
    /// Its number, `m-N`.
    pub id: String,
    /// Its thread, `th-N`.
    pub thread: String,
    /// Who wrote it.
    pub from: String,
    /// Who it is for.
    pub to: String,
    /// What it is about.
    pub kind: WireWord<MessageKind>,
    /// When it was written.
    pub created_at: UtcTimestamp,
}

/// A message in one of its two forms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum MessageOrSummary {
    /// Whole, as `--full` asks for.
    Full(MessageView),
    /// Without its texts.
    Short(MessageSummary),
}

impl MessageOrSummary {
    /// The message, whole only when that is asked for.
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

    /// Who it is for.
    #[must_use]
    pub fn to(&self) -> &str {
        match self {
            Self::Full(message) => &message.to,
            Self::Short(message) => &message.to,
        }
    }
}
