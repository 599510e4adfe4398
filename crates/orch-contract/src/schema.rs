//! The JSON Schema of what each command prints, as `orch schema` and `inbox schema` print it.
//!
//! The schemas are derived from the types of this crate only when `cargo xtask docs` generates `schemas/`.
//! The programs contain these generated documents, so that they need neither the derived code nor its library.

#[cfg(feature = "schema")]
pub mod derived;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Returns the schema of what each command of `orch` prints.
#[must_use]
pub fn orch_schemas() -> Map<String, Value> {
    complete_schemas(include_str!("../schemas/orch.json"))
}

/// Returns the schema of what each command of `inbox` prints.
#[must_use]
pub fn inbox_schemas() -> Map<String, Value> {
    complete_schemas(include_str!("../schemas/inbox.json"))
}

fn complete_schemas(document: &str) -> Map<String, Value> {
    serde_json::from_str::<SchemaSet>(document).expect("the generated schemas are valid").into_complete()
}

/// The key of a schema that holds its definitions.
const DEFINITIONS: &str = "$defs";

/// The response of `schema`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SchemaResponse {
    /// For each command the JSON Schema of the document it prints.
    pub schemas: Map<String, Value>,
}

/// The schemas of one program's commands, where a definition that several of them use stands once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SchemaSet {
    /// The shared definitions, by name.
    pub definitions: Map<String, Value>,
    /// The schema of each command; `null` in its `$defs` stands for the shared definition of that name.
    pub commands: Map<String, Value>,
}

impl SchemaSet {
    /// Returns the complete schema of each command.
    #[must_use]
    pub fn into_complete(mut self) -> Map<String, Value> {
        for own in self.commands.values_mut().filter_map(own_definitions_mut) {
            for (name, definition) in own.iter_mut().filter(|(_, definition)| definition.is_null()) {
                *definition = self.definitions.get(name).cloned().unwrap_or_default();
            }
        }
        self.commands
    }
}

fn own_definitions_mut(schema: &mut Value) -> Option<&mut Map<String, Value>> {
    schema.get_mut(DEFINITIONS)?.as_object_mut()
}
