//! The output of a client: lines that are events, read by the rules of its profile.
//!
//! Nothing here is believed: an update says what the client claims, and only the inbox knows whether the work is done.
//! A line that is not an event is plain output, and is ignored.

mod json_path;
mod line_buffer;
mod plain_pattern;
mod reset_time;
mod rules;
mod usage;

use orch_core::text::{to_one_line, truncate_end};
use serde_json::Value;

pub use json_path::{EventCondition, EventConditionError, JsonPath, JsonPathError, JsonScalar};
pub use reset_time::ResetTime;
pub use rules::{CostRule, EventRules, FailureCause, FailureRule, ReportedFailure, TextRule, TokenRule};
pub use usage::{CounterScope, SessionTotals, TokenCounts, UsdMicros};

use self::line_buffer::EventLineBuffer;
use self::rules::OutputLine;
use self::usage::UsageCounter;
use super::limit;
use super::metering::TokenPrice;

/// The facts that one line of output reported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientUpdate {
    /// The client's id of the session, when it is new.
    pub session: Option<String>,
    /// The current activity, on one line.
    pub activity: Option<String>,
    /// The tokens that this start has used so far.
    pub tokens: Option<TokenCounts>,
    /// The costs of this start so far.
    pub cost: Option<UsdMicros>,
    /// The client's last statement.
    pub result: Option<String>,
    /// A failure. The client may retry by itself, so it explains the exit only if nothing better follows.
    pub failure: Option<ReportedFailure>,
}

/// The facts that one start of a client reported in total.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientSummary {
    /// Whether the client printed any event, which proves that it started.
    pub has_events: bool,
    /// The client's id of the session.
    pub session: Option<String>,
    /// The client's last statement.
    pub result: Option<String>,
    /// The end of the output that is no event, such as messages of the client's runtime.
    pub plain_tail: String,
    /// The last failure that the client did not recover from.
    pub failure: Option<ReportedFailure>,
    /// When the provider takes requests again, as it told last.
    pub reset: Option<ResetTime>,
    /// The tokens that this start used; `None` when the client did not report them.
    pub tokens: Option<TokenCounts>,
    /// The costs of this start; `None` when they are not known.
    pub cost: Option<UsdMicros>,
    /// Whether the costs were computed from tokens.
    pub is_cost_computed: bool,
}

/// Reads the output of one start of a client as it arrives.
#[derive(Clone, Debug)]
pub struct EventReader {
    /// `None` for plain output, in which each line is an activity.
    rules: Option<EventRules>,
    lines: EventLineBuffer,
    usage: UsageCounter,
    statement: OpenStatement,
    summary: ClientSummary,
}

/// The last statement as far as its pieces have come, if more may follow.
#[derive(Clone, Debug, Default)]
struct OpenStatement(Option<String>);

impl OpenStatement {
    /// Puts pieces together; any activity of another kind ends the statement.
    fn join_pieces(&mut self, rules: &EventRules, event: &Value, update: &mut ClientUpdate) {
        let found = TextRule::find_piece(&rules.result, event).filter(|_| update.failure.is_none());
        match found {
            Some(found) if found.is_piece => {
                let text = self.0.take().unwrap_or_default() + &found.text;
                let text = truncate_end(&text, limit::RESULT_BYTES);
                update.result = Some(text.trim().to_owned()).filter(|text| !text.is_empty());
                self.0 = Some(text);
            }
            Some(_) => self.0 = None,
            None if update.activity.is_some() => self.0 = None,
            None => {}
        }
    }
}

impl EventReader {
    /// Creates a reader. `before` is the session's usage in earlier starts.
    #[must_use]
    pub(super) fn new(rules: Option<EventRules>, before: SessionTotals, price: Option<TokenPrice>) -> Self {
        let usage = UsageCounter::starting_from(before, price);
        let (lines, summary) = (EventLineBuffer::new(), ClientSummary::default());
        Self { rules, lines, usage, statement: OpenStatement::default(), summary }
    }

    /// Appends output, and returns the updates from the lines that it completes.
    pub fn feed_output(&mut self, bytes: &[u8]) -> Vec<ClientUpdate> {
        let mut updates = Vec::new();
        let Self { rules, lines, usage, statement, summary } = self;
        lines.push_bytes(bytes, |line| {
            updates.extend(read_event_line(rules.as_ref(), (usage, statement), summary, line));
        });
        updates
    }

    /// Returns the summary of the output so far.
    #[must_use]
    pub const fn current_summary(&self) -> &ClientSummary {
        &self.summary
    }

    /// Reads a last line without a newline, and returns the summary.
    #[must_use]
    pub fn finish(self) -> ClientSummary {
        let Self { rules, lines, mut usage, mut statement, mut summary } = self;
        if let Some(line) = lines.into_partial_line() {
            read_event_line(rules.as_ref(), (&mut usage, &mut statement), &mut summary, &line);
        }
        summary
    }
}

/// Reads one line, and adds it to the summary.
fn read_event_line(
    rules: Option<&EventRules>,
    (usage, statement): (&mut UsageCounter, &mut OpenStatement),
    summary: &mut ClientSummary,
    line: &[u8],
) -> Option<ClientUpdate> {
    let Some(rules) = rules else {
        let text = to_one_line(&String::from_utf8_lossy(line), limit::ACTIVITY_BYTES);
        let has_text = !text.is_empty();
        return has_text.then(|| ClientUpdate { activity: Some(text), ..ClientUpdate::default() });
    };
    let event = match rules.read_line(line) {
        OutputLine::Event(event) => event,
        OutputLine::Plain => {
            append_plain_line(&mut summary.plain_tail, line);
            return None;
        }
        OutputLine::Nothing => return None,
    };
    summary.has_events = true;
    summary.reset = rules.find_reset_time(&event).or(summary.reset);
    let mut update = extract_update(rules, usage, &event);
    statement.join_pieces(rules, &event, &mut update);
    // Many clients repeat their session id in every event.
    update.session = update.session.filter(|id| summary.session.as_ref() != Some(id));
    if update == ClientUpdate::default() {
        return None;
    }
    if let Some(failure) = &update.failure {
        summary.failure = Some(failure.clone());
    } else if update.activity.is_some() || update.result.is_some() || update.tokens.is_some() {
        // The client continued, so it recovered from the failure.
        summary.failure = None;
    }
    summary.session = update.session.clone().or_else(|| summary.session.take());
    summary.result = update.result.clone().or_else(|| summary.result.take());
    summary.tokens = usage.tokens();
    (summary.cost, summary.is_cost_computed) = usage.cost();
    Some(update)
}

/// Appends a line of output that is no event, and drops the oldest lines beyond the limit.
fn append_plain_line(tail: &mut String, line: &[u8]) {
    let text = to_one_line(&String::from_utf8_lossy(line), limit::ACTIVITY_BYTES);
    if text.is_empty() {
        return;
    }
    if !tail.is_empty() {
        tail.push('\n');
    }
    tail.push_str(&text);
    while tail.len() > limit::PLAIN_TAIL_BYTES {
        let cut = tail.find('\n').map_or(tail.len(), |end| end + 1);
        tail.drain(..cut);
    }
}

fn extract_update(rules: &EventRules, usage: &mut UsageCounter, event: &Value) -> ClientUpdate {
    let failure = rules.find_failure(event);
    // A text in an event that reports a failure repeats the failure; it is not a sign of progress.
    let text = |found: &[TextRule]| match failure {
        None => TextRule::find_first(found, event),
        Some(_) => None,
    };
    let mut token_rules = rules.tokens.iter();
    let tokens =
        token_rules.find_map(|rule| Some((rule.counts, rule.find_subject(event), rule.find_tokens(event)?)));
    let cost = rules.cost.as_ref().and_then(|rule| Some((rule.counts, rule.find_cost(event)?)));
    ClientUpdate {
        session: TextRule::find_first(&rules.session, event)
            .filter(|id| id.len() <= limit::SESSION_BYTES_MAX),
        activity: text(&rules.activity).map(|text| to_one_line(&text, limit::ACTIVITY_BYTES)),
        tokens: tokens.map(|(scope, subject, value)| usage.record_tokens(scope, subject, value)),
        cost: cost.map(|(scope, value)| usage.record_cost(scope, value)),
        result: text(&rules.result).map(|text| truncate_end(text.trim(), limit::RESULT_BYTES)),
        failure,
    }
}
