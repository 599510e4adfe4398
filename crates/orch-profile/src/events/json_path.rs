//! Where in an event something is, and when a rule is about an event.

use serde_json::Value;

/// The way to a value inside an event: names of fields and, in lists, numbers from 0, joined by dots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonPath(Vec<String>);

/// Why a text is no path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a path is names joined by dots, like `item.text` or `content.0.text`")]
pub struct JsonPathError;

impl JsonPath {
    /// Reads a path.
    ///
    /// # Errors
    /// It is empty, or one of its names is.
    pub fn parse(text: &str) -> Result<Self, JsonPathError> {
        let names: Vec<String> = text.split('.').map(str::to_owned).collect();
        if names.iter().any(String::is_empty) { Err(JsonPathError) } else { Ok(Self(names)) }
    }

    /// The value at the end of the way.
    #[must_use]
    pub fn find<'a>(&self, event: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(event, |value, name| match value {
            Value::Object(fields) => fields.get(name),
            Value::Array(entries) => entries.get(name.parse::<usize>().ok()?),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        })
    }

    /// The same as text, where it is one, or can be told as one.
    #[must_use]
    pub fn find_text(&self, event: &Value) -> Option<String> {
        match self.find(event)? {
            Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(flag) => Some(flag.to_string()),
            Value::String(_) | Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }
}

/// A value that a condition compares with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JsonScalar {
    /// A text.
    Text(String),
    /// A whole number.
    Number(i64),
    /// True or false.
    Flag(bool),
}

impl JsonScalar {
    fn equals_value(&self, value: &Value) -> bool {
        match self {
            Self::Text(text) => value.as_str() == Some(text),
            Self::Number(number) => value.as_i64() == Some(*number),
            Self::Flag(flag) => value.as_bool() == Some(*flag),
        }
    }
}

/// What must hold for a rule to be about an event: at each path one of the values. None at all always holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventCondition(pub(crate) Vec<(JsonPath, Vec<JsonScalar>)>);

impl EventCondition {
    /// Whether it holds.
    #[must_use]
    pub fn matches_event(&self, event: &Value) -> bool {
        self.0.iter().all(|(path, allowed)| {
            path.find(event).is_some_and(|value| allowed.iter().any(|scalar| scalar.equals_value(value)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_lead_through_fields_and_lists() {
        let event = json!({"a": {"b": ["x", {"c": 3}], "7": true}, "empty": " ", "nothing": null});
        for (path, expected) in [
            ("a.b.0", Some("x")),
            ("a.b.1.c", Some("3")),
            ("a.7", Some("true")),
            ("a.b.2", None),
            ("a.b", None),
            ("a.b.c", None),
            ("empty", None),
            ("nothing", None),
            ("none", None),
        ] {
            let found = JsonPath::parse(path).unwrap().find_text(&event);
            assert_eq!(found.as_deref(), expected, "{path}");
        }
        for bad in ["", ".", "a.", ".a", "a..b"] {
            assert_eq!(JsonPath::parse(bad), Err(JsonPathError), "{bad}");
        }
    }

    #[test]
    fn conditions_all_hold() {
        let when = |conditions: Vec<(&str, Vec<JsonScalar>)>| {
            EventCondition(
                conditions.into_iter().map(|(path, any)| (JsonPath::parse(path).unwrap(), any)).collect(),
            )
        };
        let event = json!({"type": "result", "error": false, "status": 429});
        let text = |text: &str| JsonScalar::Text(text.to_owned());
        for (conditions, holds) in [
            (vec![], true),
            (vec![("type", vec![text("result")])], true),
            (
                vec![("type", vec![text("init"), text("result")]), ("error", vec![JsonScalar::Flag(false)])],
                true,
            ),
            (vec![("type", vec![text("result")]), ("error", vec![JsonScalar::Flag(true)])], false),
            (vec![("status", vec![JsonScalar::Number(400), JsonScalar::Number(429)])], true),
            (vec![("status", vec![text("429")])], false),
            (vec![("none", vec![JsonScalar::Flag(false)])], false),
        ] {
            assert_eq!(when(conditions.clone()).matches_event(&event), holds, "{conditions:?}");
        }
    }
}
