//! Templates, and the filters by which they show values.

use minijinja::value::{Serde, Value};
use minijinja::{Environment, Error, Output, State, escape_formatter};
use orch_contract::UtcTimestamp;
use orch_core::escape::is_harmful;
use orch_core::task::TaskState;
use orch_text::orch::state::state_glyph;

/// The templates by name.
const TEMPLATES: [(&str, &str); 13] = [
    ("base.html", include_str!("assets/base.html")),
    ("parts.html", include_str!("assets/parts.html")),
    ("login.html", include_str!("assets/login.html")),
    ("error.html", include_str!("assets/error.html")),
    ("runs.html", include_str!("assets/runs.html")),
    ("now.html", include_str!("assets/now.html")),
    ("board.html", include_str!("assets/board.html")),
    ("graph.html", include_str!("assets/graph.html")),
    ("timeline.html", include_str!("assets/timeline.html")),
    ("task.html", include_str!("assets/task.html")),
    ("log.html", include_str!("assets/log.html")),
    ("diff.html", include_str!("assets/diff.html")),
    ("review.html", include_str!("assets/review.html")),
];

/// The template of usage, which is small enough to stand apart from the table above.
const USAGE: (&str, &str) = ("usage.html", include_str!("assets/usage.html"));

/// The style sheet and the script.
pub(super) const STYLE: &str = include_str!("assets/page.css");
pub(super) const SCRIPT: &str = include_str!("assets/page.js");

/// Renders the pages.
pub(super) struct PageRenderer(Environment<'static>);

impl PageRenderer {
    pub(super) fn new() -> Result<Self, Error> {
        let mut environment = Environment::new();
        environment.set_formatter(format_value);
        environment.add_filter("duration", format_duration);
        environment.add_filter("glyph", glyph_of_state);
        environment.add_filter("short", short_commit);
        environment.add_filter("line_kind", diff_line_kind);
        environment.add_filter("percent", percent_between);
        environment.add_filter("counted", counted_noun);
        for (name, text) in TEMPLATES.into_iter().chain([USAGE]) {
            environment.add_template(name, text)?;
        }
        Ok(Self(environment))
    }

    /// Renders a page.
    pub(super) fn render(&self, template: &str, context: &serde_json::Value) -> Result<String, Error> {
        self.0.get_template(template)?.render(Value::from(Serde(context)))
    }
}

/// Writes a value: texts without what could hide or reorder other text, escaped for HTML.
fn format_value(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    let is_plain = |letter: char| letter == '\n' || letter == '\t' || !is_harmful(letter);
    match value.as_str().filter(|text| !value.is_safe() && !text.chars().all(is_plain)) {
        Some(text) => {
            let clean: String = strip_escapes(text).chars().filter(|letter| is_plain(*letter)).collect();
            escape_formatter(out, state, &Value::from(clean))
        }
        None => escape_formatter(out, state, value),
    }
}

/// Removes the escape sequences of terminals, such as colours.
fn strip_escapes(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter != '\u{1b}' {
            plain.push(letter);
            continue;
        }
        match letters.next() {
            // Parameters and intermediates, up to the final byte.
            Some('[') => while letters.next().is_some_and(|letter| !('@'..='~').contains(&letter)) {},
            // A text, up to its terminator.
            Some(']') => while letters.next().is_some_and(|letter| letter != '\u{7}' && letter != '\\') {},
            _ => {}
        }
    }
    plain
}

/// Formats milliseconds: `0.4 s`, `12 s`, `3 min`, `2 h 5 min`.
fn format_duration(milliseconds: Option<i64>) -> String {
    let Some(milliseconds) = milliseconds else { return "–".to_owned() };
    let seconds = milliseconds / 1_000;
    match seconds {
        ..10 => format!("{}.{} s", seconds, (milliseconds % 1_000).abs() / 100),
        10..100 => format!("{seconds} s"),
        100..5_400 => format!("{} min", seconds / 60),
        _ => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

/// Returns the glyph of a state's name, so that no state is told by its colour alone.
fn glyph_of_state(name: &str) -> &'static str {
    TaskState::parse(name).map_or("", state_glyph)
}

fn counted_noun(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn short_commit(commit: Option<String>) -> String {
    commit.map_or_else(|| "–".to_owned(), |commit| commit.chars().take(10).collect())
}

/// Returns what a line of a patch is, as the class of its element.
fn diff_line_kind(line: &str) -> &'static str {
    let is_header = ["diff ", "index ", "--- ", "+++ ", "new file", "deleted file", "rename ", "similarity "]
        .iter()
        .any(|start| line.starts_with(start));
    match line.as_bytes().first() {
        _ if is_header => "file",
        Some(b'+') => "added",
        Some(b'-') => "removed",
        Some(b'@') => "hunk",
        _ => "same",
    }
}

/// Returns how far a moment lies between two others, from 0 to 100; timestamps are texts in UTC.
fn percent_between(moment: &str, start: &str, end: &str) -> f64 {
    let parse = |text: &str| {
        let value = serde_json::Value::from(text);
        serde_json::from_value::<UtcTimestamp>(value).ok().map(|moment| moment.0.0)
    };
    let (Some(moment), Some(start), Some(end)) = (parse(moment), parse(start), parse(end)) else {
        return 0.0;
    };
    let (part, whole) = (moment.saturating_sub(start), end.saturating_sub(start));
    if whole <= 0 {
        return 0.0;
    }
    // A thousandth is finer than a picture shows.
    let thousandths = part.clamp(0, whole).saturating_mul(1_000) / whole;
    f64::from(i32::try_from(thousandths).unwrap_or(0)) / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_valid_and_hostile_text_inert() {
        let renderer = PageRenderer::new().unwrap();
        let hostile = "<script>alert(1)</script>\u{1b}[31mred\u{1b}]0;title\u{7}\u{202e}\" onload='x'";
        let context = serde_json::json!({
            "code": "task_not_found", "message": hostile, "hint": hostile, "title": hostile, "access": {},
        });
        let page = renderer.render("error.html", &context).unwrap();
        assert!(
            !page.contains("<script>alert") && !page.contains('\u{1b}') && !page.contains('\u{202e}'),
            "{page}"
        );
        assert!(!page.contains("\" onload") && !page.contains("' onload") && page.contains("red"), "{page}");
    }

    #[test]
    fn durations_are_short() {
        for (milliseconds, text) in
            [(0, "0.0 s"), (450, "0.4 s"), (12_000, "12 s"), (200_000, "3 min"), (7_500_000, "2 h 5 min")]
        {
            assert_eq!(format_duration(Some(milliseconds)), text);
        }
    }

    #[test]
    fn moments_lie_between_others() {
        let (start, end) = ("2026-12-01T10:00:00.000Z", "2026-12-01T10:00:10.000Z");
        for (moment, expected) in [
            ("2026-12-01T10:00:05.000Z", 50.0),
            ("2026-12-01T09:00:00.000Z", 0.0),
            ("2026-12-01T11:00:00.000Z", 100.0),
            ("never", 0.0),
        ] {
            assert!((percent_between(moment, start, end) - expected).abs() < 0.01, "{moment}");
        }
    }
}
