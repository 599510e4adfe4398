//! A run's attempts over time: a line for each, as wide as the terminal.

use orch_contract::orch::timeline::{Bar, TimelineAnswer};
use orch_core::attempt::AttemptState;
use orch_core::time::{Span, Time};
use unicode_width::UnicodeWidthStr;

use crate::human::table::cut;
use crate::human::time::fine;
use crate::human::{Human, Paper, Tone};

/// The widest that names may become.
const NAME_MAX: usize = 32;

/// The least room for the bars.
const BARS_MIN: usize = 10;

/// What stands between two columns.
const GAP: usize = 2;

impl Human for TimelineAnswer {
    fn human(&self, paper: &mut Paper) {
        let (Some(start), Some(end)) = (self.started_at, self.ended_at) else {
            paper.line(format!("No attempts in {} yet.", self.run.id));
            return;
        };
        let scale = Scale::of(self, start.0, end.0, paper.width());
        let heading = format!("{}  {}", self.run.id, fine(Span((end.0 - start.0).0.max(0))));
        paper.heading(&cut(&heading, paper.width()));
        for bar in &self.attempts {
            line(paper, bar, &scale);
        }
        paper.rest(self.attempts.len(), self.total, self.next.as_deref());
    }
}

/// Where what stands in a line.
struct Scale {
    start: Time,
    span_ms: i64,
    name: usize,
    state: usize,
    took: usize,
    bars: usize,
}

impl Scale {
    fn of(timeline: &TimelineAnswer, start: Time, end: Time, width: usize) -> Self {
        let widest = |text: &dyn Fn(&Bar) -> String| {
            timeline.attempts.iter().map(|bar| text(bar).width()).max().unwrap_or(0)
        };
        let state = widest(&|bar| bar.state.0.name().to_owned());
        let took = widest(&took);
        let rest = state + took + 3 * GAP;
        // Names give way before the bars do.
        let room = width.saturating_sub(rest + BARS_MIN).max(6);
        let name = widest(&name).min(NAME_MAX).min(room);
        let bars = width.saturating_sub(rest + name).max(BARS_MIN);
        Self { start, span_ms: (end - start).0.max(1), name, state, took, bars }
    }

    /// The column of a time.
    fn column(&self, at: Time) -> usize {
        let passed = i128::from((at - self.start).0.clamp(0, self.span_ms));
        let bars = i128::try_from(self.bars).unwrap_or(i128::MAX);
        usize::try_from(passed * bars / i128::from(self.span_ms)).unwrap_or(0).min(self.bars)
    }
}

fn name(bar: &Bar) -> String {
    if bar.number == 1 { bar.key.clone() } else { format!("{}@{}", bar.key, bar.number) }
}

fn took(bar: &Bar) -> String {
    fine(Span(bar.duration_ms))
}

fn line(paper: &mut Paper, bar: &Bar, scale: &Scale) {
    let from = scale.column(bar.started_at.0).min(scale.bars - 1);
    let to = bar.ended_at.map_or(scale.bars, |at| scale.column(at.0)).clamp(from + 1, scale.bars);
    let (mark, tone) = look(bar.state.0);
    let paint = paper.paint();
    let drawn = mark.to_string().repeat(to - from);
    let (name, state, took) = (cut(&name(bar), scale.name), bar.state.0.name(), took(bar));
    let text = format!(
        "{name}{:name_pad$}{}{:state_pad$}{took:>width$}{:GAP$}{:from$}{}",
        "",
        paint.text(tone, state),
        "",
        "",
        "",
        paint.text(tone, &drawn),
        name_pad = scale.name - name.width() + GAP,
        state_pad = scale.state - state.width() + GAP,
        width = scale.took,
    );
    paper.line(text);
}

/// How the time of an attempt is drawn; without colour the marks still tell the kinds apart.
fn look(state: AttemptState) -> (char, Tone) {
    match state {
        AttemptState::Preparing | AttemptState::Dispatched => ('░', Tone::Faint),
        AttemptState::Running => ('▓', Tone::Busy),
        AttemptState::Blocked => ('▒', Tone::Attention),
        AttemptState::Reported => ('▓', Tone::Good),
        AttemptState::Accepted => ('█', Tone::Good),
        AttemptState::Rejected | AttemptState::Failed | AttemptState::Lost => ('×', Tone::Bad),
        AttemptState::Recalled | AttemptState::Cancelled => ('-', Tone::Faint),
    }
}

#[cfg(test)]
mod tests {
    use orch_contract::Stamp;

    use super::*;
    use crate::human::Paint;

    fn bar(key: &str, number: u32, state: AttemptState, from: i64, to: Option<i64>) -> Bar {
        Bar {
            attempt: format!("r/{key}@{number}"),
            key: key.to_owned(),
            number,
            agent: "w".to_owned(),
            state: state.into(),
            started_at: Stamp(Time(from)),
            ended_at: to.map(|to| Stamp(Time(to))),
            duration_ms: to.unwrap_or(100_000) - from,
        }
    }

    fn drawn(width: usize) -> String {
        let attempts = vec![
            bar("write", 1, AttemptState::Accepted, 0, Some(50_000)),
            bar(
                "a-key-that-is-long-enough-to-be-cut-where-there-is-little-room",
                1,
                AttemptState::Failed,
                50_000,
                Some(50_001),
            ),
            bar("test", 12, AttemptState::Running, 99_999, None),
        ];
        let run = r#"{"id":"r","title":"t","goal":null,"state":"open","outcome":null,"pause":null,"done_when":"reported",
            "max_active":null,"updated_at":"2026-11-22T13:15:00.123Z"}"#;
        let timeline = TimelineAnswer {
            run: serde_json::from_str(run).unwrap(),
            attempts,
            started_at: Some(Stamp(Time(0))),
            ended_at: Some(Stamp(Time(100_000))),
            total: 3,
            next: None,
        };
        let mut paper = Paper::new(Paint { colour: false }, width, Time(100_000));
        timeline.human(&mut paper);
        paper.finish()
    }

    #[test]
    fn every_line_fits_and_bars_lie_where_they_were() {
        for width in [20, 40, 80, 200] {
            let text = drawn(width);
            // Narrower than its columns it cannot become.
            let least = width.max(8 + 7 + 3 * GAP + 6 + BARS_MIN);
            assert!(text.lines().all(|line| line.width() <= least), "{text}");
        }
        let wide = drawn(80);
        let lines: Vec<&str> = wide.lines().collect();
        assert_eq!(lines[0], "r  1m 40s");
        assert!(lines[1].starts_with("write  ") && lines[1].contains("accepted  "), "{wide}");
        let count = |line: &str, mark| line.chars().filter(|character| *character == mark).count();
        assert_eq!(count(lines[1], '█'), count(&drawn(80), '█'));
        assert_eq!((count(lines[2], '×'), count(lines[3], '▓')), (1, 1), "{wide}");
        assert!(lines[3].ends_with('▓') && lines[3].starts_with("test@12"), "{wide}");
    }
}
