//! The rules by which a profile reads its client's events.

use orch_core::text::to_one_line;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::super::limit;
use super::super::one_or_many::deserialize_one_or_many;
use super::json_path::{EventCondition, JsonPath};
use super::plain_pattern::PlainPattern;
use super::reset_time::ResetTime;
use super::usage::{CounterScope, TokenCounts, UsdMicros};

/// The rules of a profile. Of the rules of one kind, the first that matches an event applies.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventRules {
    format: EventFormat,
    /// For plain output: what its lines say.
    #[serde(default)]
    pattern: Vec<PlainPattern>,
    #[serde(default)]
    pub(super) session: Vec<TextRule>,
    #[serde(default)]
    pub(super) activity: Vec<TextRule>,
    #[serde(default)]
    pub(super) result: Vec<TextRule>,
    #[serde(default)]
    pub(super) failure: Vec<FailureRule>,
    #[serde(default)]
    pub(super) until: Vec<TextRule>,
    #[serde(default, deserialize_with = "deserialize_table_or_tables")]
    pub(super) tokens: Vec<TokenRule>,
    pub(super) cost: Option<CostRule>,
}

/// The format of a client's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum EventFormat {
    /// One JSON object per line.
    JsonLines,
    /// Plain lines, read by patterns.
    Plain,
}

/// What one line of output is.
pub(super) enum OutputLine {
    /// An event.
    Event(Value),
    /// A line of plain output beside the events.
    Plain,
    /// Neither.
    Nothing,
}

/// Deserializes one table, or a list of tables.
fn deserialize_table_or_tables<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<TokenRule>, D::Error> {
    struct TablesVisitor;

    impl<'de> Visitor<'de> for TablesVisitor {
        type Value = Vec<TokenRule>;

        fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("a table, or a list of tables")
        }

        fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Vec<TokenRule>, A::Error> {
            TokenRule::deserialize(MapAccessDeserializer::new(fields)).map(|rule| vec![rule])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Vec<TokenRule>, A::Error> {
            let mut rules = Vec::new();
            while let Some(rule) = entries.next_element()? {
                rules.push(rule);
            }
            Ok(rules)
        }
    }

    deserializer.deserialize_any(TablesVisitor)
}

impl EventRules {
    /// Removes the rules for the id of the session.
    pub(crate) fn ignore_sessions(&mut self) {
        self.session.clear();
    }

    /// Whether events report tokens.
    #[must_use]
    pub const fn has_token_rule(&self) -> bool {
        !self.tokens.is_empty()
    }

    /// Whether events report costs.
    #[must_use]
    pub const fn has_cost_rule(&self) -> bool {
        self.cost.is_some()
    }

    /// Whether events report the id of the session.
    #[must_use]
    pub const fn has_session_rule(&self) -> bool {
        !self.session.is_empty()
    }

    /// Reads one line of output.
    pub(super) fn read_line(&self, line: &[u8]) -> OutputLine {
        match self.format {
            // The first byte rules out most lines that are not events.
            EventFormat::JsonLines if !line.trim_ascii_start().starts_with(b"{") => OutputLine::Plain,
            EventFormat::JsonLines => match serde_json::from_slice(line) {
                Ok(event) => OutputLine::Event(event),
                Err(_) => OutputLine::Nothing,
            },
            EventFormat::Plain => {
                let text = to_one_line(&String::from_utf8_lossy(line), limit::RESULT_BYTES);
                match self.pattern.iter().find_map(|pattern| pattern.read_line(&text)) {
                    Some(event) => OutputLine::Event(event),
                    None => OutputLine::Plain,
                }
            }
        }
    }

    /// Returns the failure that an event reports.
    pub(super) fn find_failure(&self, event: &Value) -> Option<ReportedFailure> {
        self.failure.iter().find_map(|rule| rule.find_failure(event))
    }

    /// Returns when the provider takes requests again, as an event tells: in a field, or in the words of a failure.
    pub(super) fn find_reset_time(&self, event: &Value) -> Option<ResetTime> {
        let told = |text: String| ResetTime::from_value(&Value::String(text));
        let by_rule = TextRule::find_first(&self.until, event).and_then(told);
        by_rule.or_else(|| {
            let (rule, failure) =
                self.failure.iter().find_map(|rule| Some((rule, rule.find_failure(event)?)))?;
            let by_field =
                rule.0.until.iter().find_map(|path| ResetTime::from_value(path.find_value(event)?));
            by_field.or_else(|| ResetTime::find_in_text(&failure.text))
        })
    }
}

/// Where an event contains a text: at the first of the paths that leads to one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextRule {
    #[serde(default)]
    when: EventCondition,
    #[serde(deserialize_with = "deserialize_one_or_many")]
    path: Vec<JsonPath>,
    /// Whether the texts of consecutive events are pieces of one.
    #[serde(default)]
    pieces: bool,
}

/// A text that a rule found.
pub(super) struct FoundText {
    pub text: String,
    /// Whether it continues the text that was found before.
    pub is_piece: bool,
}

impl TextRule {
    /// Returns the text that the first matching rule finds.
    pub(super) fn find_first(rules: &[Self], event: &Value) -> Option<String> {
        Self::find_piece(rules, event).map(|found| found.text)
    }

    /// Returns the text that the first matching rule finds, and whether it is a piece of a longer text. A piece may be blank.
    pub(super) fn find_piece(rules: &[Self], event: &Value) -> Option<FoundText> {
        let mut matching = rules.iter().filter(|rule| rule.when.matches_event(event));
        matching.find_map(|rule| {
            let blank = || {
                let value = rule.path.iter().find_map(|path| path.find_value(event)?.as_str());
                value.filter(|_| rule.pieces).map(str::to_owned)
            };
            let text = first_text(&rule.path, event).or_else(blank)?;
            Some(FoundText { text, is_piece: rule.pieces })
        })
    }
}

/// The cause of a client's failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureCause {
    /// The work or the client itself: the attempt failed.
    #[serde(rename = "failed")]
    Client,
    /// The provider refused further requests: they may succeed later.
    Quota,
    /// The provider was unreachable or overloaded: a request may succeed soon.
    Network,
    /// The provider rejected the credentials: a person has to act.
    Access,
    /// The client reached the budget that it was started with.
    Budget,
}

impl FailureCause {
    /// Returns the word that profiles use for the cause.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "failed",
            Self::Quota => "quota",
            Self::Network => "network",
            Self::Access => "access",
            Self::Budget => "budget",
        }
    }
}

/// Which events report a failure, and its cause.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "FailureRuleFields")]
pub struct FailureRule(FailureRuleFields);

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct FailureRuleFields {
    #[serde(default)]
    when: EventCondition,
    #[serde(default, deserialize_with = "deserialize_one_or_many")]
    path: Vec<JsonPath>,
    /// The text contains one of these, in upper or lower case; without any, every text matches.
    #[serde(default)]
    contains: Vec<String>,
    /// Where the event tells when the provider takes requests again.
    #[serde(default, deserialize_with = "deserialize_one_or_many")]
    until: Vec<JsonPath>,
    is: FailureCause,
}

impl TryFrom<FailureRuleFields> for FailureRule {
    type Error = &'static str;

    fn try_from(mut fields: FailureRuleFields) -> Result<Self, &'static str> {
        if fields.path.is_empty() && !fields.contains.is_empty() {
            return Err("`contains` needs `path`, which says where to search");
        }
        if fields.contains.iter().any(String::is_empty) {
            return Err("`contains` must not have an empty text");
        }
        for part in &mut fields.contains {
            *part = part.to_lowercase();
        }
        Ok(Self(fields))
    }
}

/// A failure that a client reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportedFailure {
    /// Its cause.
    pub cause: FailureCause,
    /// The client's message; may be empty.
    pub text: String,
}

impl FailureRule {
    /// Returns the failure that an event reports by this rule.
    fn find_failure(&self, event: &Value) -> Option<ReportedFailure> {
        let FailureRuleFields { when, path, contains, is, until: _ } = &self.0;
        if !when.matches_event(event) {
            return None;
        }
        let text = first_text(path, event).unwrap_or_default();
        let lower = text.to_lowercase();
        let matches = contains.is_empty() || contains.iter().any(|part| lower.contains(part.as_str()));
        matches.then(|| ReportedFailure { cause: *is, text: to_one_line(&text, limit::FAILURE_BYTES) })
    }
}

/// Where an event reports tokens. The numbers at several paths are added.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRule {
    #[serde(default)]
    when: EventCondition,
    pub(super) counts: CounterScope,
    /// Where an event names its subject; of several events about one subject the last one counts.
    subject: Option<JsonPath>,
    #[serde(deserialize_with = "deserialize_one_or_many")]
    input: Vec<JsonPath>,
    #[serde(default, deserialize_with = "deserialize_one_or_many")]
    cached_input: Vec<JsonPath>,
    #[serde(deserialize_with = "deserialize_one_or_many")]
    output: Vec<JsonPath>,
}

impl TokenRule {
    /// Returns the subject of an event.
    pub(super) fn find_subject(&self, event: &Value) -> Option<String> {
        self.subject.as_ref()?.find_text(event)
    }

    /// Returns the tokens that an event reports.
    pub(super) fn find_tokens(&self, event: &Value) -> Option<TokenCounts> {
        if !self.when.matches_event(event) {
            return None;
        }
        let sum = |paths: &[JsonPath]| {
            let numbers = paths.iter().filter_map(|path| path.find_value(event)?.as_u64());
            numbers.reduce(u64::saturating_add)
        };
        let (input, cached, output) = (sum(&self.input), sum(&self.cached_input), sum(&self.output));
        input.or(output)?;
        Some(TokenCounts {
            input: input.unwrap_or_default(),
            cached_input: cached.unwrap_or_default(),
            output: output.unwrap_or_default(),
        })
    }
}

/// Where an event reports costs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CostRule {
    #[serde(default)]
    when: EventCondition,
    pub(super) counts: CounterScope,
    usd: JsonPath,
}

impl CostRule {
    /// Returns the costs that an event reports.
    pub(super) fn find_cost(&self, event: &Value) -> Option<UsdMicros> {
        if !self.when.matches_event(event) {
            return None;
        }
        UsdMicros::from_dollars(self.usd.find_value(event)?.as_f64()?)
    }
}

fn first_text(paths: &[JsonPath], event: &Value) -> Option<String> {
    paths.iter().find_map(|path| path.find_text(event))
}
