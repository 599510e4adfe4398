//! docs/contract.md: the envelope, the codes with their exit statuses, and what each command answers, from the schemas.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::GeneratedPage;

/// One code, as the contract crate has it.
pub(super) struct CodeRow {
    pub(super) name: &'static str,
    pub(super) meaning: &'static str,
    pub(super) exit_status: u8,
    pub(super) retryable: bool,
}

const HEAD: &str = "# The contract

<!-- Made by `cargo xtask docs` from the JSON Schemas and the codes of orch-contract; do not edit. -->

What programs may rely on.
New commands and new optional fields may come; what stands here does not change its meaning.
`orch schema` and `inbox schema` print the same as JSON Schema, and tests hold every answer to it.

## The envelope

A command prints exactly one JSON document, on one line, by one write after its commit, when it is given `--json`, when `ORCH_OUTPUT` is `json`, or when its stdout is not a terminal and it is not given `--text`.
`--watch` and `--follow` print one document per line.

    {\"schema\":1,\"ok\":true,\"command\":\"orch task add\",\"data\":{…}}
    {\"schema\":1,\"ok\":false,\"command\":\"orch task add\",\"error\":{\"code\":…,\"message\":…,\"hint\":…,\"retryable\":…,\"details\":…}}

- `replayed` is true beside `ok` when this is the recorded answer of an earlier request with the same `--request-id`.
- `warnings` is a list of sentences, when there are any.
- `hint` is the literal next command, where there is one.
- Times are RFC 3339 in UTC with milliseconds; durations are whole milliseconds in fields that end in `_ms`.
- What is absent is `null`, never an empty text; fields marked optional are left out instead.
- Lists have a stated order, at most `--limit` entries, `total`, and in `next` the cursor for `--after` when they were cut.
";

/// What an exit status means.
const STATUSES: [(&str, &str); 9] = [
    ("0", "done"),
    ("1", "a defect, or a store that cannot be used"),
    ("2", "the command line is wrong"),
    ("3", "a named thing does not exist"),
    ("4", "refused by the state of things"),
    ("5", "nothing to claim, or the wait timed out; `--empty-ok` makes it 0"),
    ("6", "the store is busy or unreachable, or the disk is full"),
    ("7", "not permitted, or the store is read-only"),
    ("130, 143", "interrupted"),
];

/// Definitions that belong to the envelope and are told above.
const ENVELOPE: [&str; 4] = ["Code", "ErrorView", "Failure", "Success"];

/// Makes the document from the codes and, for each command, the JSON Schema of what it prints.
pub(super) fn contract_page(codes: &[CodeRow], schemas: &Map<String, Value>) -> GeneratedPage {
    let mut text = format!("{HEAD}\n## Exit status and codes\n\n| status | meaning |\n| --- | --- |\n");
    for (status, meaning) in STATUSES {
        let _ = writeln!(text, "| {status} | {meaning} |");
    }
    text.push_str("\n| code | meaning | exit status | retryable |\n| --- | --- | --- | --- |\n");
    for CodeRow { name, meaning, exit_status, retryable } in codes {
        let retryable = if *retryable { "yes" } else { "no" };
        let _ = writeln!(text, "| `{name}` | {} | {exit_status} | {retryable} |", meaning.trim());
    }
    let mut objects = BTreeMap::new();
    text.push_str("\n## What commands answer\n\nThe fields of `data`.\n");
    for (command, schema) in schemas {
        text.push_str(&response_section(command, schema, &mut objects));
    }
    text.push_str("\n## Objects\n");
    for (name, definition) in &objects {
        let _ = write!(text, "\n### {name}\n\n{}", object_section(definition));
    }
    GeneratedPage { path: "docs/contract.md".to_owned(), text }
}

/// A command's section; the definitions that it refers to are collected.
fn response_section(command: &str, schema: &Value, objects: &mut BTreeMap<String, Value>) -> String {
    let definitions = schema.get("$defs").and_then(Value::as_object);
    let data = &schema["$defs"]["Success"]["properties"]["data"];
    let name = definition_name(data).unwrap_or_default();
    for (other, definition) in definitions.into_iter().flatten() {
        if other != &name && !ENVELOPE.contains(&other.as_str()) {
            objects.insert(other.clone(), definition.clone());
        }
    }
    let file = format!("cli/{}.md", command.replace(' ', "-"));
    let body = definitions.and_then(|definitions| definitions.get(&name)).unwrap_or(data);
    format!("\n### {command}\n\n[How it is called]({file}).\n\n{}", object_section(body))
}

/// What an object is, and its fields.
fn object_section(definition: &Value) -> String {
    let mut text = String::new();
    if let Some(about) = definition["description"].as_str() {
        let _ = writeln!(text, "{}\n", about.replace('\n', " "));
    }
    let Some(fields) = definition["properties"].as_object() else {
        let _ = writeln!(text, "{}", capitalise_first(&type_text(definition)));
        return text;
    };
    let required: Vec<&str> =
        definition["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    text.push_str("| field | type | meaning |\n| --- | --- | --- |\n");
    for (field, schema) in fields {
        let optional = if required.contains(&field.as_str()) { "" } else { ", optional" };
        let about = schema["description"].as_str().unwrap_or_default().replace('\n', " ").replace('|', "\\|");
        let _ = writeln!(text, "| `{field}` | {}{optional} | {about} |", type_text(schema));
    }
    text
}

/// A field's type in words.
fn type_text(schema: &Value) -> String {
    if let Some(name) = definition_name(schema) {
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<String> =
            words.iter().filter_map(Value::as_str).map(|word| format!("`{word}`")).collect();
        return format!("one of {}", words.join(", "));
    }
    for several in ["anyOf", "oneOf"] {
        if let Some(kinds) = schema[several].as_array() {
            return kinds.iter().map(type_text).collect::<Vec<_>>().join(" or ");
        }
    }
    match &schema["type"] {
        Value::String(name) => plain_type_text(name, schema),
        Value::Array(names) => names
            .iter()
            .filter_map(Value::as_str)
            .map(|name| plain_type_text(name, schema))
            .collect::<Vec<_>>()
            .join(" or "),
        _ => "any JSON".to_owned(),
    }
}

fn plain_type_text(name: &str, schema: &Value) -> String {
    match name {
        "array" => format!("list of {}", type_text(&schema["items"])),
        "string" if schema["format"] == "date-time" => "time".to_owned(),
        "string" => "text".to_owned(),
        "integer" | "number" => "number".to_owned(),
        "boolean" => "true or false".to_owned(),
        "object" if schema["additionalProperties"].is_object() => {
            format!("object whose values are {}", type_text(&schema["additionalProperties"]))
        }
        other => other.to_owned(),
    }
}

/// The name of the definition that a schema refers to.
fn definition_name(schema: &Value) -> Option<String> {
    let target = schema["$ref"].as_str()?;
    target.strip_prefix("#/$defs/").map(str::to_owned)
}

fn capitalise_first(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().collect::<String>() + letters.as_str())
        .unwrap_or_default()
        + "."
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_are_told_in_words() {
        for (schema, words) in [
            (json!({"type": "string"}), "text"),
            (json!({"type": ["string", "null"], "format": "date-time"}), "time or null"),
            (json!({"anyOf": [{"$ref": "#/$defs/Task"}, {"type": "null"}]}), "[Task](#task) or null"),
            (json!({"type": "array", "items": {"$ref": "#/$defs/Task"}}), "list of [Task](#task)"),
            (json!({"type": "string", "enum": ["a", "b"]}), "one of `a`, `b`"),
            (json!({"description": "x"}), "any JSON"),
        ] {
            assert_eq!(type_text(&schema), words);
        }
    }

    #[test]
    fn an_answer_has_its_fields_and_objects() {
        let schema = json!({"$defs": {
            "Success": {"properties": {"data": {"$ref": "#/$defs/ShowAnswer"}}},
            "ShowAnswer": {"properties": {"task": {"$ref": "#/$defs/Task", "description": "The task."}}, "required": []},
            "Task": {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]},
        }});
        let code = CodeRow { name: "timeout", meaning: " Too late.", exit_status: 5, retryable: true };
        let text = contract_page(&[code], &Map::from_iter([("orch task show".to_owned(), schema)])).text;
        for part in [
            "| `timeout` | Too late. | 5 | yes |\n",
            "### orch task show\n\n[How it is called](cli/orch-task-show.md).\n",
            "| `task` | [Task](#task), optional | The task. |\n",
            "### Task\n\n| field | type | meaning |\n| --- | --- | --- |\n| `id` | text |  |\n",
        ] {
            assert!(text.contains(part), "{part}\n---\n{text}");
        }
    }
}
