//! A JSON document that is passed on as it was written, numbers of any size included.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// A JSON document as text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(with = "serde_json::Value"))]
pub struct JsonDocument(String);

impl JsonDocument {
    /// Takes a text over; one that is not JSON becomes a JSON string.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        match serde_json::from_str::<&RawValue>(text) {
            Ok(document) if !document.get().contains(['\n', '\r']) => Self(document.get().to_owned()),
            // An answer is one line.
            Ok(document) => Self(join_lines(document.get())),
            Err(_) => Self(Value::from(text).to_string()),
        }
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Replaces the line ends of a document, which stand between its tokens only, by spaces.
fn join_lines(document: &str) -> String {
    document.replace(['\n', '\r'], " ")
}

impl Serialize for JsonDocument {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serde_json::from_str::<&RawValue>(&self.0) {
            Ok(document) => document.serialize(serializer),
            Err(_) => self.0.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for JsonDocument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Value::deserialize(deserializer)?.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_passed_on_as_it_was_written() {
        for (text, expected) in [
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            (r#"{"a":1.10,"b":[1e400]}"#, r#"{"a":1.10,"b":[1e400]}"#),
            (" [1,\n 2]\n", "[1,  2]"),
            ("not json", r#""not json""#),
        ] {
            let document = JsonDocument::from_text(text);
            assert_eq!(serde_json::to_string(&document).unwrap(), expected);
        }
    }
}
