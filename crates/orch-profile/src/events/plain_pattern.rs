//! Patterns for plain output: a line that matches becomes an event, which the rules read like any other.

use regex_lite::Regex;
use serde::Deserialize;
use serde_json::{Map, Number, Value};

/// A pattern of plain output.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlainPattern {
    /// The `type` of the event.
    #[serde(rename = "type")]
    kind: String,
    /// The regular expression, whose named groups become the fields of the event.
    line: LinePattern,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
struct LinePattern(Regex);

impl TryFrom<String> for LinePattern {
    type Error = regex_lite::Error;

    fn try_from(text: String) -> Result<Self, regex_lite::Error> {
        Regex::new(&text).map(Self)
    }
}

impl PartialEq for PlainPattern {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && self.line.0.as_str() == other.line.0.as_str()
    }
}

impl Eq for PlainPattern {}

impl PlainPattern {
    /// Returns the event that a line is: its `type`, the whole `line`, and the named groups that matched.
    pub(super) fn read_line(&self, line: &str) -> Option<Value> {
        let found = self.line.0.captures(line)?;
        let mut event = Map::new();
        for name in self.line.0.capture_names().flatten() {
            if let Some(group) = found.name(name) {
                event.insert(name.to_owned(), group_value(group.as_str()));
            }
        }
        event.insert("type".to_owned(), Value::from(self.kind.as_str()));
        event.insert("line".to_owned(), Value::from(line));
        Some(Value::Object(event))
    }
}

/// Returns a number for a text that is one, as people write it: `1,204`, `2.3k`, `$0.0042`, `1.5M`.
fn group_value(text: &str) -> Value {
    let plain: String = text.trim().trim_start_matches('$').chars().filter(|letter| *letter != ',').collect();
    let (digits, factor) = match plain.char_indices().last() {
        Some((at, 'k' | 'K')) => (&plain[..at], 1e3),
        Some((at, 'm' | 'M')) => (&plain[..at], 1e6),
        _ => (plain.as_str(), 1.0),
    };
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let number = digits.parse::<f64>().ok().filter(|_| is_plain).map(|number| number * factor);
    let whole = number.filter(|number| number.fract() == 0.0 && *number < 1e15);
    // Bounded just now.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is whole, not negative, and bounded"
    )]
    match (whole, number.and_then(Number::from_f64)) {
        (Some(whole), _) => Value::from(whole as u64),
        (None, Some(number)) => Value::Number(number),
        (None, None) => Value::from(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_line_becomes_an_event_with_the_groups_as_fields() {
        let pattern: PlainPattern = toml::from_str(
            r"type = 'usage'
            line = 'Tokens: (?<sent>[0-9.,]+[kM]?) sent, (?<received>[0-9.,]+[kM]?) received(?:, cost (?<cost>\$[0-9.]+))?'",
        )
        .unwrap();
        for (line, expected) in [
            ("Tokens: 2.3k sent, 1,204 received", json!({"sent": 2300, "received": 1204})),
            (
                "Tokens: 769 sent, 1M received, cost $0.0042 message",
                json!({"sent": 769, "received": 1_000_000, "cost": 0.0042}),
            ),
        ] {
            let mut event = pattern.read_line(line).unwrap();
            let fields = event.as_object_mut().unwrap();
            assert_eq!(
                (fields.remove("type"), fields.remove("line")),
                (Some(json!("usage")), Some(json!(line)))
            );
            assert_eq!(event, expected);
        }
        assert_eq!(pattern.read_line("Tokens: many"), None);
        assert_eq!(group_value("1.2.3"), json!("1.2.3"));
        assert_eq!(group_value("k"), json!("k"));
        assert!(toml::from_str::<PlainPattern>("type = 'x'\nline = '('").is_err());
    }
}
