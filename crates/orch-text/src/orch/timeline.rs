//! A run's attempts over time: one line each, as wide as the terminal.

use orch_contract::orch::timeline::{TimelineBar, TimelineResponse};
use orch_core::attempt::AttemptState;
use orch_core::time::{Time, TimeSpan};
use unicode_width::UnicodeWidthStr;

use crate::table::truncate_to_width;
use crate::time::fine_span;
use crate::{HumanReadable, TextPage, TextTone};

/// The maximum width of names.
const NAME_MAX: usize = 32;

/// The minimum width of the bars.
const BARS_MIN: usize = 10;

/// The separator of two columns.
const GAP: usize = 2;

impl HumanReadable for TimelineResponse {
    fn render_human(&self, paper: &mut TextPage) {
        let (Some(start), Some(end)) = (self.started_at, self.ended_at) else {
            paper.write_line(format!("No attempts in {} yet.", self.run.id));
            return;
        };
        let scale = TimelineScale::for_timeline(self, start.0, end.0, paper.width());
        let heading = format!("{}  {}", self.run.id, fine_span(TimeSpan((end.0 - start.0).0.max(0))));
        paper.write_heading(&truncate_to_width(&heading, paper.width()));
        for bar in &self.attempts {
            write_bar(paper, bar, &scale);
        }
        paper.write_truncation(self.attempts.len(), self.total, self.next.as_deref());
    }
}

/// The columns of a line.
struct TimelineScale {
    start: Time,
    span_ms: i64,
    name: usize,
    state: usize,
    took: usize,
    bars: usize,
}

impl TimelineScale {
    fn for_timeline(timeline: &TimelineResponse, start: Time, end: Time, width: usize) -> Self {
        let widest = |text: &dyn Fn(&TimelineBar) -> String| {
            timeline.attempts.iter().map(|bar| text(bar).width()).max().unwrap_or(0)
        };
        let state = widest(&|bar| bar.state.0.name().to_owned());
        let took = widest(&bar_duration);
        let rest = state + took + 3 * GAP;
        // Names are shortened before the bars.
        let room = width.saturating_sub(rest + BARS_MIN).max(6);
        let name = widest(&bar_name).min(NAME_MAX).min(room);
        let bars = width.saturating_sub(rest + name).max(BARS_MIN);
        Self { start, span_ms: (end - start).0.max(1), name, state, took, bars }
    }

    /// Returns the column of a time.
    fn column_at(&self, at: Time) -> usize {
        let passed = i128::from((at - self.start).0.clamp(0, self.span_ms));
        let bars = i128::try_from(self.bars).unwrap_or(i128::MAX);
        usize::try_from(passed * bars / i128::from(self.span_ms)).unwrap_or(0).min(self.bars)
    }
}

fn bar_name(bar: &TimelineBar) -> String {
    if bar.number == 1 { bar.key.clone() } else { format!("{}@{}", bar.key, bar.number) }
}

fn bar_duration(bar: &TimelineBar) -> String {
    fine_span(TimeSpan(bar.duration_ms))
}

fn write_bar(paper: &mut TextPage, bar: &TimelineBar, scale: &TimelineScale) {
    let from = scale.column_at(bar.started_at.0).min(scale.bars - 1);
    let to = bar.ended_at.map_or(scale.bars, |at| scale.column_at(at.0)).clamp(from + 1, scale.bars);
    let (mark, tone) = bar_style(bar.state.0);
    let paint = paper.painter();
    let drawn = mark.to_string().repeat(to - from);
    let (name, state, took) =
        (truncate_to_width(&bar_name(bar), scale.name), bar.state.0.name(), bar_duration(bar));
    let text = format!(
        "{name}{:name_pad$}{}{:state_pad$}{took:>width$}{:GAP$}{:from$}{}",
        "",
        paint.paint_text(tone, state),
        "",
        "",
        "",
        paint.paint_text(tone, &drawn),
        name_pad = scale.name - name.width() + GAP,
        state_pad = scale.state - state.width() + GAP,
        width = scale.took,
    );
    paper.write_line(text);
}

/// Returns how a phase of an attempt is drawn; the marks distinguish the kinds without colour.
fn bar_style(state: AttemptState) -> (char, TextTone) {
    match state {
        AttemptState::Preparing | AttemptState::Dispatched => ('░', TextTone::Faint),
        AttemptState::Running => ('▓', TextTone::Busy),
        AttemptState::Blocked => ('▒', TextTone::Attention),
        AttemptState::Reported => ('▓', TextTone::Good),
        AttemptState::Accepted => ('█', TextTone::Good),
        AttemptState::Rejected | AttemptState::Failed | AttemptState::Lost => ('×', TextTone::Bad),
        AttemptState::Recalled | AttemptState::Cancelled => ('-', TextTone::Faint),
    }
}

#[cfg(test)]
mod tests {
    use orch_contract::UtcTimestamp;

    use super::*;
    use crate::TextPainter;

    fn sample_bar(key: &str, number: u32, state: AttemptState, from: i64, to: Option<i64>) -> TimelineBar {
        TimelineBar {
            attempt: format!("r/{key}@{number}"),
            key: key.to_owned(),
            number,
            agent: "w".to_owned(),
            state: state.into(),
            started_at: UtcTimestamp(Time(from)),
            ended_at: to.map(|to| UtcTimestamp(Time(to))),
            duration_ms: to.unwrap_or(100_000) - from,
        }
    }

    fn draw_timeline(width: usize) -> String {
        let attempts = vec![
            sample_bar("write", 1, AttemptState::Accepted, 0, Some(50_000)),
            sample_bar(
                "a-key-that-is-long-enough-to-be-cut-where-there-is-little-room",
                1,
                AttemptState::Failed,
                50_000,
                Some(50_001),
            ),
            sample_bar("test", 12, AttemptState::Running, 99_999, None),
        ];
        let run = r#"{"id":"r","title":"t","goal":null,"state":"open","outcome":null,"pause":null,"done_when":"reported",
            "max_active":null,"updated_at":"2026-11-22T13:15:00.123Z"}"#;
        let timeline = TimelineResponse {
            run: serde_json::from_str(run).unwrap(),
            attempts,
            started_at: Some(UtcTimestamp(Time(0))),
            ended_at: Some(UtcTimestamp(Time(100_000))),
            total: 3,
            next: None,
        };
        let mut paper = TextPage::new(TextPainter { colour: false }, width, Time(100_000));
        timeline.render_human(&mut paper);
        paper.into_text()
    }

    #[test]
    fn every_line_fits_and_bars_lie_where_they_were() {
        for width in [20, 40, 80, 200] {
            let text = draw_timeline(width);
            // The timeline cannot be narrower than its columns.
            let least = width.max(8 + 7 + 3 * GAP + 6 + BARS_MIN);
            assert!(text.lines().all(|line| line.width() <= least), "{text}");
        }
        let wide = draw_timeline(80);
        let lines: Vec<&str> = wide.lines().collect();
        assert_eq!(lines[0], "r  1m 40s");
        assert!(lines[1].starts_with("write  ") && lines[1].contains("accepted  "), "{wide}");
        let count = |line: &str, mark| line.chars().filter(|character| *character == mark).count();
        assert_eq!(count(lines[1], '█'), count(&draw_timeline(80), '█'));
        assert_eq!((count(lines[2], '×'), count(lines[3], '▓')), (1, 1), "{wide}");
        assert!(lines[3].ends_with('▓') && lines[3].starts_with("test@12"), "{wide}");
    }
}
