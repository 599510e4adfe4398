//! States for people: a glyph, a word and a colour, each sufficient alone.

use orch_contract::run::TaskCountsView;
use orch_core::run::{RunOutcome, RunStatus};
use orch_core::task::TaskState;

use unicode_width::UnicodeWidthStr;

use crate::{TableCell, TextPage, TextPainter, TextTone};

/// Returns the glyph of a task's state.
#[must_use]
pub fn state_glyph(state: TaskState) -> &'static str {
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

/// Returns the tone of a task's state.
pub(super) fn state_tone(state: TaskState) -> TextTone {
    match state {
        TaskState::Waiting | TaskState::Skipped | TaskState::Cancelled => TextTone::Faint,
        TaskState::Ready => TextTone::Plain,
        TaskState::Dispatched | TaskState::Running | TaskState::Reported => TextTone::Busy,
        TaskState::Blocked => TextTone::Attention,
        TaskState::Done => TextTone::Good,
        TaskState::Failed => TextTone::Bad,
    }
}

/// Returns the tone of a run's state.
pub(super) fn run_tone(state: RunStatus, outcome: Option<RunOutcome>) -> TextTone {
    match (state, outcome) {
        (RunStatus::Open, _) => TextTone::Busy,
        (RunStatus::Paused, _) => TextTone::Attention,
        (RunStatus::Finished, Some(RunOutcome::Succeeded) | None) => TextTone::Good,
        (RunStatus::Finished, Some(RunOutcome::Partial)) => TextTone::Attention,
        (RunStatus::Finished, Some(RunOutcome::Failed)) => TextTone::Bad,
        (RunStatus::Cancelled, _) => TextTone::Faint,
    }
}

/// Formats a run's state: `open`, `finished, succeeded`.
pub(super) fn run_state_text(state: RunStatus, outcome: Option<RunOutcome>) -> String {
    match outcome {
        Some(outcome) => format!("{}, {}", state.name(), outcome.name()),
        None => state.name().to_owned(),
    }
}

/// Formats a task's state as a table cell.
pub(super) fn state_cell(state: TaskState) -> TableCell {
    TableCell::new(format!("{} {}", state_glyph(state), state.name()), state_tone(state))
}

/// Formats a task's state for a sentence.
pub(super) fn painted_state(paint: TextPainter, state: TaskState) -> String {
    paint.paint_text(state_tone(state), &format!("{} {}", state_glyph(state), state.name()))
}

/// Formats the number of tasks in each state, without empty ones: `✓ 3 done  ○ 1 ready`; on several lines if
/// one is
/// too narrow.
pub(super) fn format_tally(paint: TextPainter, width: usize, count: impl Fn(TaskState) -> i64) -> String {
    let some = TaskState::ALL.into_iter().map(|state| (state, count(state))).filter(|(_, count)| *count > 0);
    let (mut text, mut used) = (String::new(), 0);
    for (state, count) in some {
        let part = format!("{} {count} {}", state_glyph(state), state.name());
        let long = part.width();
        let gap = match used {
            0 => "",
            _ if used + 2 + long > width => "\n",
            _ => "  ",
        };
        used = if gap == "  " { used + 2 + long } else { long };
        text.push_str(gap);
        text.push_str(&paint.paint_text(state_tone(state), &part));
    }
    text
}

/// Formats the counts of a run.
pub(super) fn format_counts(paper: &TextPage, counts: &TaskCountsView) -> String {
    format_tally(paper.painter(), paper.width(), |state| counts.count(state))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_differ_without_colour() {
        let mut glyphs: Vec<&str> = TaskState::ALL.into_iter().map(state_glyph).collect();
        glyphs.sort_unstable();
        glyphs.dedup();
        assert_eq!(glyphs.len(), TaskState::ALL.len());
    }

    #[test]
    fn a_tally_leaves_out_what_is_not_there() {
        let paint = TextPainter { colour: false };
        let text = format_tally(paint, 80, |state| if state == TaskState::Done { 3 } else { 0 });
        assert_eq!(text, "✓ 3 done");
    }

    #[test]
    fn a_tally_fits_the_paper() {
        let paint = TextPainter { colour: true };
        let plain = TextPainter { colour: false };
        for width in [1, 20, 40, 80, 200] {
            let text = format_tally(plain, width, |_| 12);
            let fits = |line: &str| line.width() <= width || !line.contains("  ");
            assert!(text.lines().all(fits), "{width}: {text}");
            assert_eq!(text.matches("12").count(), TaskState::ALL.len());
            assert_eq!(format_tally(paint, width, |_| 12).lines().count(), text.lines().count());
        }
    }
}
