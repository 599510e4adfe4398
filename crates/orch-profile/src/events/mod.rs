//! What a client prints while it works: lines that are events, read by what its profile declares.
//!
//! Nothing here is believed: a signal says what a client says. Whether the work is done, the inbox alone knows.
//! A line that is no event is plain output, and is passed over.

mod json_path;
mod line_buffer;
mod usage;

use serde_json::Value;

pub use json_path::{EventCondition, JsonPath, JsonPathError, JsonScalar};
pub(super) use line_buffer::EventLineBuffer;
pub use usage::{CostRule, CounterScope, SessionTotals, TokenCounts, TokenRule, UsdMicros};

use self::usage::UsageCounter;
use super::exit_meaning::FailureSource;
use super::limit;

/// How a client's events are read. Of the rules of one kind, the first that fits is followed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventRules {
    pub(super) session: Vec<TextRule>,
    pub(super) activity: Vec<TextRule>,
    pub(super) result: Vec<TextRule>,
    pub(super) failure: Vec<FailureRule>,
    pub(super) tokens: Option<TokenRule>,
    pub(super) cost: Option<CostRule>,
}

impl EventRules {
    /// Whether events tell the id of the session.
    #[must_use]
    pub const fn has_session_rule(&self) -> bool {
        !self.session.is_empty()
    }
}

/// Where an event tells a text: at the first of the paths that leads to one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextRule {
    pub(super) when: EventCondition,
    pub(super) paths: Vec<JsonPath>,
}

impl TextRule {
    fn extract_text(&self, event: &Value) -> Option<String> {
        if self.when.matches_event(event) { first_text(&self.paths, event) } else { None }
    }
}

/// Which events tell that something went wrong, and whose fault that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureRule {
    pub(super) when: EventCondition,
    pub(super) paths: Vec<JsonPath>,
    /// In lower case; the text holds one of them. None at all: any text does.
    pub(super) contains: Vec<String>,
    pub(super) is: FailureSource,
}

impl FailureRule {
    fn extract_failure(&self, event: &Value) -> Option<ReportedFailure> {
        if !self.when.matches_event(event) {
            return None;
        }
        let text = first_text(&self.paths, event).unwrap_or_default();
        if !self.contains.is_empty() {
            let lower = text.to_lowercase();
            self.contains.iter().find(|part| lower.contains(part.as_str()))?;
        }
        Some(ReportedFailure { fault: self.is, text: to_one_line(&text, limit::FAILURE_BYTES) })
    }
}

/// What a client says went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportedFailure {
    /// Whose fault it is.
    pub fault: FailureSource,
    /// What it said; may be empty.
    pub text: String,
}

/// What one line told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientUpdate {
    /// The client's own id of the session, where it was not known yet.
    pub session: Option<String>,
    /// What it is doing, on one line.
    pub activity: Option<String>,
    /// What this start has used so far.
    pub tokens: Option<TokenCounts>,
    /// What this start has cost so far.
    pub cost: Option<UsdMicros>,
    /// What it said last.
    pub result: Option<String>,
    /// What went wrong. It may try again by itself: only at the end is this the reason of it.
    pub failure: Option<ReportedFailure>,
}

impl ClientUpdate {
    /// Whether the client got on, rather than telling that it cannot: a limit on silence begins anew.
    #[must_use]
    pub const fn is_progress(&self) -> bool {
        self.failure.is_none()
    }
}

/// What one start of a client told in all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientSummary {
    /// Whether it told anything at all in its own format: then it did start.
    pub told: bool,
    /// The client's own id of the session.
    pub session: Option<String>,
    /// What it said last.
    pub result: Option<String>,
    /// What went wrong and was not followed by anything better.
    pub failure: Option<ReportedFailure>,
    /// What this start has used; `None` when it did not say.
    pub tokens: Option<TokenCounts>,
    /// What this start has cost; `None` when it did not say.
    pub cost: Option<UsdMicros>,
    /// What the session has used, for the next reader of the same session.
    pub totals: SessionTotals,
}

/// Reads the output of one start of a client as it comes.
#[derive(Clone, Debug)]
pub struct EventReader {
    /// `None`: the output is plain, and each line says what the client is doing.
    events: Option<EventRules>,
    lines: EventLineBuffer,
    usage: UsageCounter,
    story: ClientSummary,
}

impl EventReader {
    /// `before` is what the session has used until this start: nothing, or the totals of the last story.
    #[must_use]
    pub(super) fn new(events: Option<EventRules>, before: SessionTotals) -> Self {
        let story = ClientSummary { totals: before, ..ClientSummary::default() };
        Self { events, lines: EventLineBuffer::new(), usage: UsageCounter::starting_from(before), story }
    }

    /// Takes what was printed since, and returns what whole lines of it told.
    ///
    /// Output that tells nothing is a sign of life all the same, unless it tells of failures only.
    pub fn feed_output(&mut self, bytes: &[u8]) -> Vec<ClientUpdate> {
        let mut signals = Vec::new();
        let Self { events, lines, usage, story } = self;
        lines.push_bytes(bytes, |line| signals.extend(read_event_line(events.as_ref(), usage, story, line)));
        signals
    }

    /// What was told so far.
    #[must_use]
    pub const fn current_summary(&self) -> &ClientSummary {
        &self.story
    }

    /// Ends the reading, with a last line that was not ended.
    #[must_use]
    pub fn finish(self) -> ClientSummary {
        let Self { events, lines, mut usage, mut story } = self;
        if let Some(line) = lines.into_partial_line() {
            read_event_line(events.as_ref(), &mut usage, &mut story, &line);
        }
        story
    }
}

/// What a line tells, which is kept in the story.
fn read_event_line(
    events: Option<&EventRules>,
    usage: &mut UsageCounter,
    story: &mut ClientSummary,
    line: &[u8],
) -> Option<ClientUpdate> {
    let Some(events) = events else {
        let text = to_one_line(&String::from_utf8_lossy(line), limit::ACTIVITY_BYTES);
        let told = !text.is_empty();
        return told.then(|| ClientUpdate { activity: Some(text), ..ClientUpdate::default() });
    };
    // Most lines that are no events are told by their first byte.
    let event: Value =
        line.trim_ascii_start().strip_prefix(b"{").and_then(|_| serde_json::from_slice(line).ok())?;
    story.told = true;
    let mut signal = extract_update(events, usage, &event);
    // Many clients tell their session with every event; it is news once.
    signal.session = signal.session.filter(|id| story.session.as_ref() != Some(id));
    if signal == ClientUpdate::default() {
        return None;
    }
    if let Some(failure) = &signal.failure {
        story.failure = Some(failure.clone());
    } else if signal.activity.is_some() || signal.result.is_some() || signal.tokens.is_some() {
        // It went on: what had gone wrong was overcome.
        story.failure = None;
    }
    story.session = signal.session.clone().or_else(|| story.session.take());
    story.result = signal.result.clone().or_else(|| story.result.take());
    story.tokens = usage.tokens();
    story.cost = usage.cost();
    story.totals = usage.totals();
    Some(signal)
}

fn extract_update(events: &EventRules, usage: &mut UsageCounter, event: &Value) -> ClientUpdate {
    let first = |rules: &[TextRule]| rules.iter().find_map(|rule| rule.extract_text(event));
    let failure = events.failure.iter().find_map(|rule| rule.extract_failure(event));
    let session = first(&events.session).filter(|id| id.len() <= limit::SESSION_BYTES_MAX);
    let activity = first(&events.activity).map(|text| to_one_line(&text, limit::ACTIVITY_BYTES));
    let result = first(&events.result).map(|text| truncate_text(text.trim(), limit::RESULT_BYTES));
    let tokens = events.tokens.as_ref().filter(|rule| rule.when.matches_event(event));
    let cost = events.cost.as_ref().filter(|rule| rule.when.matches_event(event));
    ClientUpdate {
        session,
        // What tells a failure in other words does not tell that the client got on.
        activity: activity.filter(|_| failure.is_none()),
        tokens: tokens.and_then(|rule| usage.record_tokens(rule, event)),
        cost: cost.and_then(|rule| usage.record_cost(rule, event)),
        result: result.filter(|_| failure.is_none()),
        failure,
    }
}

fn first_text(paths: &[JsonPath], event: &Value) -> Option<String> {
    paths.iter().find_map(|path| path.find_text(event))
}

/// The words of a text on one line, cut between characters.
fn to_one_line(text: &str, bytes: usize) -> String {
    let mut line = String::new();
    for word in text.split(|character: char| character.is_whitespace() || character.is_control()) {
        if line.len() > bytes {
            break;
        }
        if !line.is_empty() && !word.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    truncate_text(&line, bytes)
}

/// The beginning of a text, cut between characters, with a sign where it was cut.
pub(super) fn truncate_text(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(bytes)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_told_on_one_line() {
        for (text, bytes, expected) in [
            ("  a\n\tb\u{1b}[1m  c ", 100, "a b [1m c"),
            ("éé", 3, "é…"),
            ("", 5, ""),
            ("one two three", 7, "one two…"),
        ] {
            assert_eq!(to_one_line(text, bytes), expected);
        }
    }
}
