//! crates/orch-contract/schemas/: the JSON Schemas that `orch schema` and `inbox schema` print.

use orch_contract::schema::SchemaSet;
use serde_json::{Map, Value};

use super::GeneratedPage;

/// Makes the document of one program: a line for each shared definition and for each command.
pub(super) fn schema_page(program: &str, commands: Map<String, Value>) -> GeneratedPage {
    let SchemaSet { definitions, commands } = SchemaSet::new(commands);
    let (definitions, commands) = (member_lines(&definitions), member_lines(&commands));
    GeneratedPage {
        path: format!("crates/orch-contract/schemas/{program}.json"),
        text: format!("{{\"definitions\":{{\n{definitions}\n}},\"commands\":{{\n{commands}\n}}}}\n"),
    }
}

fn member_lines(members: &Map<String, Value>) -> String {
    let lines: Vec<String> =
        members.iter().map(|(name, value)| format!("{}:{value}", Value::from(name.as_str()))).collect();
    lines.join(",\n")
}
