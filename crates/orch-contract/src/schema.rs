//! The JSON Schema of every answer.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::envelope::Envelope;

/// A command and the schema of what it prints.
pub type Entry = (&'static str, Schema);

/// What `schema` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SchemaAnswer {
    /// For each command the JSON Schema of the document it prints.
    pub schemas: Map<String, Value>,
}

/// The schema of the whole document that a command with this `data` prints.
#[must_use]
pub fn of<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<Envelope<T>>()
}

/// An entry of a program's list of schemas.
#[must_use]
pub fn entry<T: JsonSchema>(command: &'static str) -> Entry {
    (command, of::<T>())
}
