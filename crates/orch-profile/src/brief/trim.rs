//! Shortening a brief: long and old texts are shortened first, and the brief names what was shortened.

use std::borrow::Cow;
use std::collections::BTreeSet;

use orch_core::text::truncate_end;

use super::facts::{BriefFacts, PriorAttempt, QuestionWithAnswer};

/// The limits of one level, in bytes and in entries.
#[derive(Clone, Copy, Debug)]
struct BriefLimits {
    /// Bytes of an earlier attempt's output.
    log_tail: usize,
    /// The number of earlier attempts with output.
    tails: usize,
    /// Bytes of a question, an answer or a reason.
    text: usize,
    /// The number of earlier attempts, and of answers.
    past: usize,
    /// Bytes of a title and of an entry of a list.
    entry: usize,
    /// The number of entries of a list.
    entries: usize,
}

/// The levels, from generous to tight. The commands alone take about half of a brief.
const LEVELS: [BriefLimits; 7] = [
    BriefLimits { log_tail: 1_500, tails: 5, text: 2_000, past: 5, entry: 1_000, entries: 100 },
    BriefLimits { log_tail: 1_000, tails: 1, text: 1_000, past: 5, entry: 500, entries: 50 },
    BriefLimits { log_tail: 700, tails: 1, text: 500, past: 5, entry: 300, entries: 30 },
    BriefLimits { log_tail: 500, tails: 1, text: 250, past: 4, entry: 200, entries: 15 },
    BriefLimits { log_tail: 300, tails: 1, text: 150, past: 3, entry: 150, entries: 10 },
    BriefLimits { log_tail: 200, tails: 1, text: 100, past: 2, entry: 100, entries: 5 },
    BriefLimits { log_tail: 0, tails: 0, text: 60, past: 1, entry: 60, entries: 3 },
];

/// Facts that were shortened to the limits of one level.
#[derive(Debug)]
pub(super) struct TrimmedFacts<'a> {
    pub facts: &'a BriefFacts,
    pub title: String,
    pub spec: Option<Cow<'a, str>>,
    pub accept: Vec<String>,
    pub verify: Vec<String>,
    pub answers: Vec<QuestionWithAnswer>,
    pub earlier: Vec<PriorAttempt>,
    /// The parts that were shortened.
    pub cut: Vec<String>,
}

/// Returns the facts, shortened by ever tighter limits.
pub(super) fn trim_levels(facts: &BriefFacts) -> impl Iterator<Item = TrimmedFacts<'_>> {
    LEVELS.into_iter().map(|limits| FactTrimmer { limits, cut: BTreeSet::new() }.trim_facts(facts))
}

/// Indents the lines after the first, for an entry of a list.
pub(super) fn indent_lines(text: &str) -> String {
    text.trim().replace('\n', "\n  ")
}

/// Shortens facts, and collects the names of the parts that it shortened.
struct FactTrimmer {
    limits: BriefLimits,
    cut: BTreeSet<String>,
}

impl FactTrimmer {
    fn trim_facts(mut self, facts: &BriefFacts) -> TrimmedFacts<'_> {
        let BriefLimits { text, entry, .. } = self.limits;
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
            let bytes = if index + self.limits.tails < newest.len() { 0 } else { self.limits.log_tail };
            earlier.push(PriorAttempt {
                reason: attempt.reason.as_ref().map(|reason| self.trim_text(reason, text, "reasons")),
                log_tail: attempt.log_tail.as_ref().and_then(|tail| self.trim_log_tail(tail, bytes)),
                ..attempt.clone()
            });
        }
        TrimmedFacts {
            facts,
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

    /// Only the brief's delivery limits the spec.
    fn trim_spec<'a>(&mut self, facts: &'a BriefFacts) -> Option<Cow<'a, str>> {
        let spec = facts.spec.as_deref().map(str::trim_end).filter(|spec| !spec.is_empty())?;
        if spec.len() <= facts.spec_bytes_max {
            return Some(Cow::Borrowed(spec));
        }
        self.note_cut("the end of the spec");
        Some(Cow::Owned(truncate_end(spec, facts.spec_bytes_max)))
    }

    fn trim_text(&mut self, text: &str, bytes: usize, what: &str) -> String {
        let text = text.trim();
        if text.len() > bytes {
            self.note_cut(what);
        }
        indent_lines(&truncate_end(text, bytes))
    }

    fn trim_entries(&mut self, list: &[String], what: &str) -> Vec<String> {
        if list.len() > self.limits.entries {
            self.note_cut(what);
        }
        let BriefLimits { entry, entries, .. } = self.limits;
        list.iter().take(entries).map(|text| self.trim_text(text, entry, what)).collect()
    }

    fn keep_newest<'a, T>(&mut self, list: &'a [T], what: &str) -> &'a [T] {
        let older = list.len().saturating_sub(self.limits.past);
        if older > 0 {
            self.note_cut(what);
        }
        &list[older..]
    }

    /// Returns the last whole lines, each marked as output.
    fn trim_log_tail(&mut self, tail: &str, bytes: usize) -> Option<String> {
        let tail = tail.trim_end();
        let mut start = tail.ceil_char_boundary(tail.len().saturating_sub(bytes));
        if start > 0 {
            self.note_cut("output of earlier attempts");
            // The first line lost its beginning, so it is dropped unless it is the only one.
            start = tail[start..].find('\n').map_or(start, |end| start + end + 1);
        }
        let lines: Vec<String> = tail[start..].lines().map(|line| format!("  | {line}")).collect();
        if lines.is_empty() { None } else { Some(lines.join("\n")) }
    }
}
