//! Text for people: one file per command, over the views that JSON shows.
//!
//! A renderer writes the contents of a view to a [`TextPage`]; it decides nothing and looks nothing up.

pub mod frame;
pub mod inbox;
pub mod orch;
pub mod paint;
pub mod self_description;
pub mod table;
pub mod time;

use orch_contract::UtcTimestamp;
use orch_core::time::Time;

pub use orch_app::escape::escape_controls;
pub use paint::{TextPainter, TextTone};
pub use table::{TableCell, TextTable};

/// A response that can be rendered as text.
pub trait HumanReadable {
    /// Writes the response to a page.
    fn render_human(&self, paper: &mut TextPage);
}

/// The page that renderers write to.
#[derive(Debug)]
pub struct TextPage {
    text: String,
    paint: TextPainter,
    width: usize,
    now: Time,
}

impl TextPage {
    /// Creates an empty page.
    #[must_use]
    pub fn new(paint: TextPainter, width: usize, now: Time) -> Self {
        Self { text: String::new(), paint, width, now }
    }

    /// The painter for single words in a line.
    #[must_use]
    pub fn painter(&self) -> TextPainter {
        self.paint
    }

    /// The width of the page in columns.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// The current time.
    #[must_use]
    pub fn now(&self) -> Time {
        self.now
    }

    /// Writes a line; text from the store must have passed [`escape_controls`].
    pub fn write_line(&mut self, text: impl AsRef<str>) {
        self.text.push_str(text.as_ref());
        self.text.push('\n');
    }

    /// Writes an empty line, unless the page is empty.
    pub fn write_gap(&mut self) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
    }

    /// Writes a heading.
    pub fn write_heading(&mut self, text: &str) {
        let painted = self.paint.paint_text(TextTone::Strong, text);
        self.write_line(painted);
    }

    /// Writes a remark in a faint tone.
    pub fn write_note(&mut self, text: &str) {
        let painted = self.paint.paint_text(TextTone::Faint, text);
        self.write_line(painted);
    }

    /// Writes a text of several lines, escaped and indented.
    pub fn write_block(&mut self, text: &str, indent: usize) {
        for line in text.lines() {
            let line = format!("{:indent$}{}", "", escape_controls(line));
            self.write_line(line.trim_end());
        }
    }

    /// Writes a table.
    pub fn write_table(&mut self, table: &TextTable) {
        let rendered = table.render(self.paint, self.width);
        self.text.push_str(&rendered);
    }

    /// Writes that a list was cut, and the option that continues it.
    pub fn write_truncation(&mut self, shown: usize, total: u64, next: Option<&str>) {
        if let Some(next) = next {
            self.write_note(&format!("{shown} of {total} shown; continue with --after {next}"));
        }
    }

    /// Formats a time relative to now: `3m ago`, `in 2h`.
    #[must_use]
    pub fn relative_time(&self, stamp: UtcTimestamp) -> String {
        time::relative_time(self.now, stamp.0)
    }

    /// Returns the text of the page.
    #[must_use]
    pub fn into_text(self) -> String {
        self.text
    }
}
