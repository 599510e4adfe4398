//! How states look to people: a glyph, a word and a colour, so that each alone is enough.

use orch_contract::run::StateCounts;
use orch_core::run::{Outcome, RunStatus};
use orch_core::task::TaskState;

use unicode_width::UnicodeWidthStr;

use crate::human::{Cell, Paint, Paper, Tone};

/// The glyph of a task's state.
pub(super) fn glyph(state: TaskState) -> &'static str {
    match state {
        TaskState::Waiting => "·",
        TaskState::Ready => "○",
        TaskState::Dispatched => "→",
        TaskState::Running => "●",
        TaskState::Blocked => "?",
        TaskState::Reported => "◐",
        TaskState::Done => "✓",
        TaskState::Failed => "✗",
        TaskState::Skipped => "⊘",
        TaskState::Cancelled => "−",
    }
}

/// How a task's state is painted.
pub(super) fn tone(state: TaskState) -> Tone {
    match state {
        TaskState::Waiting | TaskState::Skipped | TaskState::Cancelled => Tone::Faint,
        TaskState::Ready => Tone::Plain,
        TaskState::Dispatched | TaskState::Running | TaskState::Reported => Tone::Busy,
        TaskState::Blocked => Tone::Attention,
        TaskState::Done => Tone::Good,
        TaskState::Failed => Tone::Bad,
    }
}

/// How a run's state is painted.
pub(super) fn run_tone(state: RunStatus, outcome: Option<Outcome>) -> Tone {
    match (state, outcome) {
        (RunStatus::Open, _) => Tone::Busy,
        (RunStatus::Paused, _) => Tone::Attention,
        (RunStatus::Finished, Some(Outcome::Succeeded) | None) => Tone::Good,
        (RunStatus::Finished, Some(Outcome::Partial)) => Tone::Attention,
        (RunStatus::Finished, Some(Outcome::Failed)) => Tone::Bad,
        (RunStatus::Cancelled, _) => Tone::Faint,
    }
}

/// A run's state in words: `open`, `finished, succeeded`.
pub(super) fn run_words(state: RunStatus, outcome: Option<Outcome>) -> String {
    match outcome {
        Some(outcome) => format!("{}, {}", state.name(), outcome.name()),
        None => state.name().to_owned(),
    }
}

/// A task's state as a cell.
pub(super) fn cell(state: TaskState) -> Cell {
    Cell::new(format!("{} {}", glyph(state), state.name()), tone(state))
}

/// A task's state in a sentence.
pub(super) fn painted(paint: Paint, state: TaskState) -> String {
    paint.text(tone(state), &format!("{} {}", glyph(state), state.name()))
}

/// How many tasks are in which state, those with none left out: `✓ 3 done  ○ 1 ready`; on several lines where one
/// is too narrow.
pub(super) fn tally(paint: Paint, width: usize, count: impl Fn(TaskState) -> i64) -> String {
    let some = TaskState::ALL.into_iter().map(|state| (state, count(state))).filter(|(_, count)| *count > 0);
    let (mut text, mut used) = (String::new(), 0);
    for (state, count) in some {
        let part = format!("{} {count} {}", glyph(state), state.name());
        let long = part.width();
        let gap = match used {
            0 => "",
            _ if used + 2 + long > width => "\n",
            _ => "  ",
        };
        used = if gap == "  " { used + 2 + long } else { long };
        text.push_str(gap);
        text.push_str(&paint.text(tone(state), &part));
    }
    text
}

/// The tally of a run's counts.
pub(super) fn counts(paper: &Paper, counts: &StateCounts) -> String {
    tally(paper.paint(), paper.width(), |state| counts.count(state))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_differ_without_colour() {
        let mut glyphs: Vec<&str> = TaskState::ALL.into_iter().map(glyph).collect();
        glyphs.sort_unstable();
        glyphs.dedup();
        assert_eq!(glyphs.len(), TaskState::ALL.len());
    }

    #[test]
    fn a_tally_leaves_out_what_is_not_there() {
        let paint = Paint { colour: false };
        let text = tally(paint, 80, |state| if state == TaskState::Done { 3 } else { 0 });
        assert_eq!(text, "✓ 3 done");
    }

    #[test]
    fn a_tally_fits_the_paper() {
        let paint = Paint { colour: true };
        let plain = Paint { colour: false };
        for width in [1, 20, 40, 80, 200] {
            let text = tally(plain, width, |_| 12);
            let fits = |line: &str| line.width() <= width || !line.contains("  ");
            assert!(text.lines().all(fits), "{width}: {text}");
            assert_eq!(text.matches("12").count(), TaskState::ALL.len());
            assert_eq!(tally(paint, width, |_| 12).lines().count(), text.lines().count());
        }
    }
}
