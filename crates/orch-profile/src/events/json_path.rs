//! Paths into JSON events, and the conditions under which a rule applies to an event.

use serde::Deserialize;
use serde_json::Value;

/// The part of a path that stands for every entry of a list; the first that leads on counts.
const ANY_ENTRY: &str = "*";

/// A path to a value in an event: names of fields and indices of lists, joined by dots; `*` for any entry of a list.
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
        find_accepted(event, &self.0, &|value| Some(value))
    }

    /// Returns the string, number or boolean at this path as a text that is not blank.
    #[must_use]
    pub fn find_text(&self, event: &Value) -> Option<String> {
        find_accepted(event, &self.0, &|value| match value {
            Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(flag) => Some(flag.to_string()),
            Value::String(_) | Value::Null | Value::Array(_) | Value::Object(_) => None,
        })
    }
}

/// Follows a path and returns what is made of the first value at its end that is accepted.
fn find_accepted<'a, T>(value: &'a Value, path: &str, accept: &dyn Fn(&'a Value) -> Option<T>) -> Option<T> {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let follow = |value| match rest {
        Some(rest) => find_accepted(value, rest, accept),
        None => accept(value),
    };
    match value {
        Value::Object(fields) => follow(fields.get(name)?),
        Value::Array(entries) if name == ANY_ENTRY => entries.iter().find_map(follow),
        Value::Array(entries) => follow(entries.get(name.parse::<usize>().ok()?)?),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
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

/// The condition under which a rule applies to an event: every entry of it must be true.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "toml::Table")]
pub struct EventCondition(Vec<ConditionTerm>);

/// One entry of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
enum ConditionTerm {
    /// The path leads to one of these values.
    Equals(JsonPath, Vec<JsonScalar>),
    /// `absent`: the path leads nowhere, or to null.
    Absent(JsonPath),
    /// `empty`: the path leads nowhere, or to null, a blank text, or a list or table without entries.
    Empty(JsonPath),
    /// `contains`: the text at the path contains one of these, in upper or lower case.
    Contains(JsonPath, Vec<String>),
    /// `not`: this condition is false.
    Not(EventCondition),
}

/// Why a table is not a condition.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{path}`: a condition compares with a string, an integer, true or false, or a list of these; \
     `absent` and `empty` list paths, `contains` gives texts for paths, and `not` is a condition"
)]
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
            if parent.is_empty()
                && let Some(entries) = read_special_entry(&name, &value)
            {
                self.0.extend(entries.ok_or(EventConditionError { path: name })?);
                continue;
            }
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
            let (path, values) = parsed.ok_or(EventConditionError { path })?;
            self.0.push(ConditionTerm::Equals(path, values));
        }
        Ok(())
    }

    /// Whether the condition is true for an event.
    #[must_use]
    pub fn matches_event(&self, event: &Value) -> bool {
        self.0.iter().all(|entry| entry.matches_event(event))
    }
}

impl ConditionTerm {
    fn matches_event(&self, event: &Value) -> bool {
        match self {
            Self::Equals(path, allowed) => {
                let is_allowed = |value: &Value| allowed.iter().any(|scalar| scalar.equals_value(value));
                find_accepted(event, &path.0, &|value| is_allowed(value).then_some(())).is_some()
            }
            Self::Absent(path) => path.find_value(event).is_none_or(Value::is_null),
            Self::Empty(path) => path.find_value(event).is_none_or(|value| match value {
                Value::Null => true,
                Value::String(text) => text.trim().is_empty(),
                Value::Array(entries) => entries.is_empty(),
                Value::Object(fields) => fields.is_empty(),
                Value::Bool(_) | Value::Number(_) => false,
            }),
            Self::Contains(path, parts) => path.find_text(event).is_some_and(|text| {
                let lower = text.to_lowercase();
                parts.iter().any(|part| lower.contains(part.as_str()))
            }),
            Self::Not(condition) => !condition.matches_event(event),
        }
    }
}

/// Reads an entry that does not compare a path; `None` for one that does, and `Some(None)` for an invalid one.
fn read_special_entry(name: &str, value: &toml::Value) -> Option<Option<Vec<ConditionTerm>>> {
    let paths = || -> Option<Vec<JsonPath>> {
        read_texts(value)?.into_iter().map(|path| JsonPath::try_from(path).ok()).collect()
    };
    let entries = match name {
        "absent" => paths().map(|paths| paths.into_iter().map(ConditionTerm::Absent).collect()),
        "empty" => paths().map(|paths| paths.into_iter().map(ConditionTerm::Empty).collect()),
        "contains" => value.as_table().and_then(|table| {
            let mut entries = Vec::new();
            add_contained(table, "", &mut entries)?;
            Some(entries)
        }),
        "not" => value.as_table().and_then(|table| {
            let condition = EventCondition::try_from(table.clone()).ok()?;
            Some(vec![ConditionTerm::Not(condition)])
        }),
        _ => return None,
    };
    Some(entries)
}

/// Adds the entries of `contains`, in which tables may be nested as elsewhere.
fn add_contained(table: &toml::Table, parent: &str, entries: &mut Vec<ConditionTerm>) -> Option<()> {
    for (name, value) in table {
        let path = if parent.is_empty() { name.clone() } else { format!("{parent}.{name}") };
        if let Some(inner) = value.as_table() {
            add_contained(inner, &path, entries)?;
            continue;
        }
        let parts = read_texts(value)?.iter().map(|part| part.to_lowercase()).collect();
        entries.push(ConditionTerm::Contains(JsonPath::try_from(path).ok()?, parts));
    }
    Some(())
}

/// Reads a string, or a list of at least one string.
fn read_texts(value: &toml::Value) -> Option<Vec<String>> {
    match value {
        toml::Value::String(text) => Some(vec![text.clone()]),
        toml::Value::Array(list) if !list.is_empty() => {
            list.iter().map(|entry| entry.as_str().map(str::to_owned)).collect()
        }
        _ => None,
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
            ("a.b.*", Some("x")),
            ("a.b.*.c", Some("3")),
            ("a.*", None),
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
        let event = json!({
            "type": "result", "error": false, "status": 429, "item": {"kind": "x"}, "blank": " ", "list": [],
        });
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
            ("absent = 'none'", true),
            ("absent = ['none', 'status']", false),
            ("empty = 'blank'", true),
            ("empty = 'list'\nnot = {empty = 'type'}", true),
            ("empty = 'status'", false),
            ("contains = {type = ['ESU', 'x']}", true),
            ("contains.item.kind = 'y'", false),
            ("not = {status = 429}", false),
            ("not = {status = 429, error = true}", true),
        ] {
            let parsed: EventCondition = toml::from_str(condition).unwrap();
            assert_eq!(parsed.matches_event(&event), matches, "{condition}");
        }
        for invalid in [
            "a = 1.5",
            "a = []",
            "a = [[1]]",
            "a = 2020-01-01",
            "'a..b' = 1",
            "a = {b = [{}]}",
            "absent = 1",
            "empty = []",
            "contains = 'x'",
            "not = 'x'",
        ] {
            assert!(toml::from_str::<EventCondition>(invalid).is_err(), "{invalid}");
        }
    }
}
