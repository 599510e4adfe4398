//! Holds documents to a JSON Schema: the part of the language that the programs' own schemas use.
//!
//! A keyword that is not known here fails the test, so that nothing is passed over in silence.

use serde_json::{Map, Value};

/// Says where and how the document breaks the schema; empty when it does not.
pub(crate) fn schema_violations(schema: &Value, document: &Value) -> Vec<String> {
    let mut breaches = Vec::new();
    SchemaChecker { root: schema, breaches: &mut breaches }.check_value(schema, document, "$");
    breaches
}

struct SchemaChecker<'a> {
    root: &'a Value,
    breaches: &'a mut Vec<String>,
}

impl SchemaChecker<'_> {
    fn check_value(&mut self, schema: &Value, value: &Value, at: &str) {
        let keywords = match schema {
            Value::Bool(true) => return,
            Value::Object(keywords) => keywords,
            other => panic!("no schema: {other}"),
        };
        for (keyword, rule) in keywords {
            self.check_keyword(keywords, keyword, rule, value, at);
        }
    }

    fn check_keyword(
        &mut self,
        all: &Map<String, Value>,
        keyword: &str,
        rule: &Value,
        value: &Value,
        at: &str,
    ) {
        match keyword {
            "$schema" | "$defs" | "title" | "description" | "format" => {}
            "$ref" => {
                let name = rule.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
                let target = self.root["$defs"].get(name).unwrap_or_else(|| panic!("no definition {name}"));
                SchemaChecker { root: self.root, breaches: self.breaches }.check_value(target, value, at);
            }
            "anyOf" | "oneOf" => {
                let tried: Vec<Vec<String>> =
                    rule.as_array().unwrap().iter().map(|one| self.try_schema(one, value, at)).collect();
                let fitting = tried.iter().filter(|breaches| breaches.is_empty()).count();
                if fitting == 0 || (keyword == "oneOf" && fitting > 1) {
                    self.breaches.push(format!("{at}: {fitting} of {keyword} fit: {tried:?}"));
                }
            }
            "type" => {
                let names: Vec<&str> = match rule {
                    Value::String(name) => vec![name],
                    other => other.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect(),
                };
                self.expect_holds(names.iter().any(|name| has_type(name, value)), at, keyword, rule, value);
            }
            "const" => self.expect_holds(value == rule, at, keyword, rule, value),
            "enum" => self.expect_holds(rule.as_array().unwrap().contains(value), at, keyword, rule, value),
            "minimum" | "maximum" => {
                let (bound, number) = (rule.as_f64().unwrap(), value.as_f64().unwrap_or(f64::NAN));
                let within = if keyword == "minimum" { number >= bound } else { number <= bound };
                self.expect_holds(value.is_null() || within, at, keyword, rule, value);
            }
            // The one pattern in use is that of times.
            "pattern" => self.expect_holds(value.as_str().is_none_or(is_timestamp), at, keyword, rule, value),
            "required" => {
                for name in rule.as_array().unwrap() {
                    self.expect_holds(value.get(name.as_str().unwrap()).is_some(), at, keyword, name, value);
                }
            }
            "properties" => {
                for (name, inner) in rule.as_object().unwrap() {
                    if let Some(field) = value.get(name) {
                        self.check_value(inner, field, &format!("{at}.{name}"));
                    }
                }
            }
            "additionalProperties" => {
                let known = all.get("properties").and_then(Value::as_object);
                for (name, field) in value.as_object().into_iter().flatten() {
                    if known.is_none_or(|known| !known.contains_key(name)) {
                        self.check_value(rule, field, &format!("{at}.{name}"));
                    }
                }
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    self.check_value(rule, item, &format!("{at}[{index}]"));
                }
            }
            other => panic!("the keyword {other} is not known here"),
        }
    }

    fn try_schema(&self, schema: &Value, value: &Value, at: &str) -> Vec<String> {
        let mut breaches = Vec::new();
        SchemaChecker { root: self.root, breaches: &mut breaches }.check_value(schema, value, at);
        breaches
    }

    fn expect_holds(&mut self, holds: bool, at: &str, keyword: &str, rule: &Value, value: &Value) {
        if !holds {
            self.breaches.push(format!("{at}: {keyword} {rule} does not hold for {value}"));
        }
    }
}

fn has_type(name: &str, value: &Value) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("no type {other}"),
    }
}

/// `2026-11-22T13:15:00.123Z`
pub(crate) fn is_timestamp(text: &str) -> bool {
    let shape = text.chars().map(|character| if character.is_ascii_digit() { '9' } else { character });
    shape.collect::<String>() == "9999-99-99T99:99:99.999Z"
}

#[test]
fn breaches_are_found() {
    let schema = serde_json::json!({
        "type": "object",
        "properties": {"n": {"type": ["integer", "null"], "minimum": 0}, "s": {"$ref": "#/$defs/Word"},
            "either": {"oneOf": [{"type": "integer"}, {"maximum": 0}]}},
        "required": ["n"],
        "$defs": {"Word": {"anyOf": [{"type": "string", "enum": ["a", "b"]}, {"type": "null"}]}},
    });
    for (document, count) in [
        (serde_json::json!({"n": 1, "s": "a"}), 0),
        (serde_json::json!({"n": null, "s": null, "more": 1}), 0),
        (serde_json::json!({"s": "a"}), 1),
        (serde_json::json!({"n": -1}), 1),
        (serde_json::json!({"n": 1, "s": "c"}), 1),
        (serde_json::json!({"n": 1, "either": 1}), 0),
        (serde_json::json!({"n": 1, "either": -1}), 1),
        (serde_json::json!([]), 2),
    ] {
        assert_eq!(schema_violations(&schema, &document).len(), count, "{document}");
    }
}
