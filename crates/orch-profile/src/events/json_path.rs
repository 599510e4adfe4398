//! Paths into JSON events, and the conditions under which a rule applies to an event.

use serde::Deserialize;
use serde_json::Value;

/// A path to a value in an event: names of fields and indices of lists, joined by dots.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct JsonPath(String);

/// A text that is not a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a path consists of names joined by dots, like `item.text` or `content.0.text`")]
pub struct JsonPathError;

impl TryFrom<String> for JsonPath {
    type Error = JsonPathError;

    fn try_from(text: String) -> Result<Self, JsonPathError> {
        if text.split('.').any(str::is_empty) { Err(JsonPathError) } else { Ok(Self(text)) }
    }
}

impl JsonPath {
    /// Returns the value at this path.
    #[must_use]
    pub fn find_value<'a>(&self, event: &'a Value) -> Option<&'a Value> {
        self.0.split('.').try_fold(event, |value, name| match value {
            Value::Object(fields) => fields.get(name),
            Value::Array(entries) => entries.get(name.parse::<usize>().ok()?),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        })
    }

    /// Returns the string, number or boolean at this path as a text that is not blank.
    #[must_use]
    pub fn find_text(&self, event: &Value) -> Option<String> {
        match self.find_value(event)? {
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
    /// A string.
    Text(String),
    /// An integer.
    Number(i64),
    /// A boolean.
    Flag(bool),
}

impl JsonScalar {
    fn from_toml(value: toml::Value) -> Option<Self> {
        match value {
            toml::Value::String(text) => Some(Self::Text(text)),
            toml::Value::Integer(number) => Some(Self::Number(number)),
            toml::Value::Boolean(flag) => Some(Self::Flag(flag)),
            toml::Value::Float(_)
            | toml::Value::Datetime(_)
            | toml::Value::Array(_)
            | toml::Value::Table(_) => None,
        }
    }

    fn equals_value(&self, value: &Value) -> bool {
        match self {
            Self::Text(text) => value.as_str() == Some(text),
            Self::Number(number) => value.as_i64() == Some(*number),
            Self::Flag(flag) => value.as_bool() == Some(*flag),
        }
    }
}

/// The condition under which a rule applies to an event: each path leads to one of its values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "toml::Table")]
pub struct EventCondition(Vec<(JsonPath, Vec<JsonScalar>)>);

/// Why a table is not a condition.
#[derive(Debug, thiserror::Error)]
#[error("`{path}`: a condition compares with a string, an integer, true or false, or a list of these")]
pub struct EventConditionError {
    path: String,
}

impl TryFrom<toml::Table> for EventCondition {
    type Error = EventConditionError;

    fn try_from(table: toml::Table) -> Result<Self, EventConditionError> {
        let mut condition = Self::default();
        condition.add_table(table, "")?;
        Ok(condition)
    }
}

impl EventCondition {
    /// Adds the entries of a table. `item.type = "x"` is a nested table, and equals `"item.type" = "x"`.
    fn add_table(&mut self, table: toml::Table, parent: &str) -> Result<(), EventConditionError> {
        for (name, value) in table {
            let path = if parent.is_empty() { name } else { format!("{parent}.{name}") };
            let values: Option<Vec<JsonScalar>> = match value {
                toml::Value::Table(inner) => {
                    self.add_table(inner, &path)?;
                    continue;
                }
                toml::Value::Array(list) if !list.is_empty() => {
                    list.into_iter().map(JsonScalar::from_toml).collect()
                }
                value => JsonScalar::from_toml(value).map(|scalar| vec![scalar]),
            };
            let parsed = JsonPath::try_from(path.clone()).ok().zip(values);
            self.0.push(parsed.ok_or(EventConditionError { path })?);
        }
        Ok(())
    }

    /// Whether the condition is true for an event.
    #[must_use]
    pub fn matches_event(&self, event: &Value) -> bool {
        self.0.iter().all(|(path, allowed)| {
            let value = path.find_value(event);
            value.is_some_and(|value| allowed.iter().any(|scalar| scalar.equals_value(value)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_go_through_fields_and_lists() {
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
            let found = JsonPath::try_from(path.to_owned()).unwrap().find_text(&event);
            assert_eq!(found.as_deref(), expected, "{path}");
        }
        for bad in ["", ".", "a.", ".a", "a..b"] {
            assert_eq!(JsonPath::try_from(bad.to_owned()), Err(JsonPathError), "{bad}");
        }
    }

    #[test]
    fn every_entry_of_a_condition_must_match() {
        let event = json!({"type": "result", "error": false, "status": 429, "item": {"kind": "x"}});
        for (condition, matches) in [
            ("", true),
            ("type = 'result'", true),
            ("type = ['init', 'result']\nerror = false", true),
            ("type = 'result'\nerror = true", false),
            ("status = [400, 429]", true),
            ("status = '429'", false),
            ("none = false", false),
            ("item.kind = 'x'", true),
            ("'item.kind' = 'y'", false),
        ] {
            let parsed: EventCondition = toml::from_str(condition).unwrap();
            assert_eq!(parsed.matches_event(&event), matches, "{condition}");
        }
        for invalid in ["a = 1.5", "a = []", "a = [[1]]", "a = 2020-01-01", "'a..b' = 1", "a = {b = [{}]}"] {
            assert!(toml::from_str::<EventCondition>(invalid).is_err(), "{invalid}");
        }
    }
}
