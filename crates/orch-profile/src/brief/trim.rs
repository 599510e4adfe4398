//! Keeps a brief short: what is long or old is cut first, and what was cut is said.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::super::events::truncate_text;
use super::{BriefFacts, PriorAttempt, QuestionWithAnswer};

/// How much of what may stand in a brief, in bytes and in entries.
#[derive(Clone, Copy, Debug)]
struct BriefLimits {
    /// Of the end of an earlier attempt's output.
    log_tail: usize,
    /// Of earlier attempts with their output, the newest.
    tails: usize,
    /// Of a question, an answer or a reason.
    text: usize,
    /// Of earlier attempts, the newest, and of answers, the newest.
    past: usize,
    /// Of a title and of an entry of a list.
    entry: usize,
    /// Of the entries of a list, the first.
    entries: usize,
}

/// From generous to scarce. The commands alone take about half of a brief.
const ROOMS: [BriefLimits; 7] = [
    BriefLimits { log_tail: 1_500, tails: 5, text: 2_000, past: 5, entry: 1_000, entries: 100 },
    BriefLimits { log_tail: 1_000, tails: 1, text: 1_000, past: 5, entry: 500, entries: 50 },
    BriefLimits { log_tail: 700, tails: 1, text: 500, past: 5, entry: 300, entries: 30 },
    BriefLimits { log_tail: 500, tails: 1, text: 250, past: 4, entry: 200, entries: 15 },
    BriefLimits { log_tail: 300, tails: 1, text: 150, past: 3, entry: 150, entries: 10 },
    BriefLimits { log_tail: 200, tails: 1, text: 100, past: 2, entry: 100, entries: 5 },
    BriefLimits { log_tail: 0, tails: 0, text: 60, past: 1, entry: 60, entries: 3 },
];

/// Facts that were cut to a room.
#[derive(Debug)]
pub(super) struct TrimmedFacts<'a> {
    pub given: &'a BriefFacts,
    pub title: String,
    pub spec: Option<Cow<'a, str>>,
    pub accept: Vec<String>,
    pub verify: Vec<String>,
    pub answers: Vec<QuestionWithAnswer>,
    pub earlier: Vec<PriorAttempt>,
    /// What was cut.
    pub cut: Vec<String>,
}

/// The same facts in ever less room.
pub(super) fn trim_levels(facts: &BriefFacts) -> impl Iterator<Item = TrimmedFacts<'_>> {
    ROOMS.into_iter().map(|room| FactTrimmer { room, cut: BTreeSet::new() }.trim_facts(facts))
}

/// A text of several lines as it stands in a list.
pub(super) fn indent_lines(text: &str) -> String {
    text.trim().replace('\n', "\n  ")
}

/// Cuts, and notes what it cut.
struct FactTrimmer {
    room: BriefLimits,
    cut: BTreeSet<String>,
}

impl FactTrimmer {
    fn trim_facts(mut self, facts: &BriefFacts) -> TrimmedFacts<'_> {
        let BriefLimits { text, entry, .. } = self.room;
        let spec = self.trim_spec(facts);
        let title = self.trim_text(&facts.title, entry, "the title");
        let accept = self.trim_entries(&facts.accept, "when it is good");
        let verify = self.trim_entries(&facts.verify, "how it is checked");
        let mut answers = Vec::new();
        for answered in self.keep_newest(&facts.answers, "older answers") {
            answers.push(QuestionWithAnswer {
                question: self.trim_text(&answered.question, text, "questions"),
                answer: self.trim_text(&answered.answer, text, "answers"),
                from: answered.from.clone(),
            });
        }
        let mut earlier = Vec::new();
        let newest = self.keep_newest(&facts.earlier, "older attempts");
        for (index, attempt) in newest.iter().enumerate() {
            let room = if index + self.room.tails < newest.len() { 0 } else { self.room.log_tail };
            earlier.push(PriorAttempt {
                reason: attempt.reason.as_ref().map(|reason| self.trim_text(reason, text, "reasons")),
                log_tail: attempt.log_tail.as_ref().and_then(|tail| self.trim_log_tail(tail, room)),
                ..attempt.clone()
            });
        }
        TrimmedFacts {
            given: facts,
            title,
            spec,
            accept,
            verify,
            answers,
            earlier,
            cut: self.cut.into_iter().collect(),
        }
    }

    fn note_cut(&mut self, what: &str) {
        self.cut.insert(what.to_owned());
    }

    /// The spec is bounded by the way in which it goes in only.
    fn trim_spec<'a>(&mut self, facts: &'a BriefFacts) -> Option<Cow<'a, str>> {
        let spec = facts.spec.as_deref().map(str::trim_end).filter(|spec| !spec.is_empty())?;
        if spec.len() <= facts.spec_bytes_max {
            return Some(Cow::Borrowed(spec));
        }
        self.note_cut("the end of the spec");
        Some(Cow::Owned(truncate_text(spec, facts.spec_bytes_max)))
    }

    fn trim_text(&mut self, text: &str, bytes: usize, what: &str) -> String {
        let text = text.trim();
        if text.len() > bytes {
            self.note_cut(what);
        }
        indent_lines(&truncate_text(text, bytes))
    }

    fn trim_entries(&mut self, list: &[String], what: &str) -> Vec<String> {
        if list.len() > self.room.entries {
            self.note_cut(what);
        }
        let BriefLimits { entry, entries, .. } = self.room;
        list.iter().take(entries).map(|text| self.trim_text(text, entry, what)).collect()
    }

    fn keep_newest<'a, T>(&mut self, list: &'a [T], what: &str) -> &'a [T] {
        let older = list.len().saturating_sub(self.room.past);
        if older > 0 {
            self.note_cut(what);
        }
        &list[older..]
    }

    /// The last whole lines, each marked as output.
    fn trim_log_tail(&mut self, tail: &str, bytes: usize) -> Option<String> {
        let tail = tail.trim_end();
        let mut start = tail.ceil_char_boundary(tail.len().saturating_sub(bytes));
        if start > 0 {
            self.note_cut("output of earlier attempts");
            // A line that is cut at its beginning is kept only where it is the last one.
            start = tail[start..].find('\n').map_or(start, |end| start + end + 1);
        }
        let lines: Vec<String> = tail[start..].lines().map(|line| format!("  | {line}")).collect();
        if lines.is_empty() { None } else { Some(lines.join("\n")) }
    }
}
