//! Holds documents to a JSON Schema: the part of the language that the programs' own schemas use.
//!
//! A keyword that is not known here fails the test, so that nothing is passed over in silence.

use serde_json::{Map, Value};

/// Says where and how the document breaks the schema; empty when it does not.
pub(crate) fn breaches(schema: &Value, document: &Value) -> Vec<String> {
    let mut breaches = Vec::new();
    Checker { root: schema, breaches: &mut breaches }.check(schema, document, "$");
    breaches
}

struct Checker<'a> {
    root: &'a Value,
    breaches: &'a mut Vec<String>,
}

impl Checker<'_> {
    fn check(&mut self, schema: &Value, value: &Value, at: &str) {
        let keywords = match schema {
            Value::Bool(true) => return,
            Value::Object(keywords) => keywords,
            other => panic!("no schema: {other}"),
        };
        for (keyword, rule) in keywords {
            self.keyword(keywords, keyword, rule, value, at);
        }
    }

    fn keyword(&mut self, all: &Map<String, Value>, keyword: &str, rule: &Value, value: &Value, at: &str) {
        match keyword {
            "$schema" | "$defs" | "title" | "description" | "format" => {}
            "$ref" => {
                let name = rule.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
                let target = self.root["$defs"].get(name).unwrap_or_else(|| panic!("no definition {name}"));
                Checker { root: self.root, breaches: self.breaches }.check(target, value, at);
            }
            "anyOf" | "oneOf" => {
                let tried: Vec<Vec<String>> =
                    rule.as_array().unwrap().iter().map(|one| self.attempt(one, value, at)).collect();
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
                self.hold(names.iter().any(|name| is(name, value)), at, keyword, rule, value);
            }
            "const" => self.hold(value == rule, at, keyword, rule, value),
            "enum" => self.hold(rule.as_array().unwrap().contains(value), at, keyword, rule, value),
            "minimum" | "maximum" => {
                let (bound, number) = (rule.as_f64().unwrap(), value.as_f64().unwrap_or(f64::NAN));
                let within = if keyword == "minimum" { number >= bound } else { number <= bound };
                self.hold(value.is_null() || within, at, keyword, rule, value);
            }
            // The one pattern in use is that of times.
            "pattern" => self.hold(value.as_str().is_none_or(is_time), at, keyword, rule, value),
            "required" => {
                for name in rule.as_array().unwrap() {
                    self.hold(value.get(name.as_str().unwrap()).is_some(), at, keyword, name, value);
                }
            }
            "properties" => {
                for (name, inner) in rule.as_object().unwrap() {
                    if let Some(field) = value.get(name) {
                        self.check(inner, field, &format!("{at}.{name}"));
                    }
                }
            }
            "additionalProperties" => {
                let known = all.get("properties").and_then(Value::as_object);
                for (name, field) in value.as_object().into_iter().flatten() {
                    if known.is_none_or(|known| !known.contains_key(name)) {
                        self.check(rule, field, &format!("{at}.{name}"));
                    }
                }
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    self.check(rule, item, &format!("{at}[{index}]"));
                }
            }
            other => panic!("the keyword {other} is not known here"),
        }
    }

    fn attempt(&self, schema: &Value, value: &Value, at: &str) -> Vec<String> {
        let mut breaches = Vec::new();
        Checker { root: self.root, breaches: &mut breaches }.check(schema, value, at);
        breaches
    }

    fn hold(&mut self, holds: bool, at: &str, keyword: &str, rule: &Value, value: &Value) {
        if !holds {
            self.breaches.push(format!("{at}: {keyword} {rule} does not hold for {value}"));
        }
    }
}

fn is(name: &str, value: &Value) -> bool {
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
pub(crate) fn is_time(text: &str) -> bool {
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
        assert_eq!(breaches(&schema, &document).len(), count, "{document}");
    }
}
