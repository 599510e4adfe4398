//! Answers for people: files parallel to the commands, over the same views.
//!
//! Nothing here decides or looks anything up; a renderer writes to a [`TextPage`] what its view holds.

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

/// An answer that can be rendered for people.
pub trait HumanReadable {
    /// Writes the answer.
    fn render_human(&self, paper: &mut TextPage);
}

/// What a renderer writes on.
#[derive(Debug)]
pub struct TextPage {
    text: String,
    paint: TextPainter,
    width: usize,
    now: Time,
}

impl TextPage {
    /// An empty page.
    #[must_use]
    pub fn new(paint: TextPainter, width: usize, now: Time) -> Self {
        Self { text: String::new(), paint, width, now }
    }

    /// How texts are painted.
    #[must_use]
    pub fn painter(&self) -> TextPainter {
        self.paint
    }

    /// How many columns there are.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Time {
        self.now
    }

    /// Writes a line; what the store holds must have been made [`escape`](escape_controls()).
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

    /// Writes a remark.
    pub fn write_note(&mut self, text: &str) {
        let painted = self.paint.paint_text(TextTone::Faint, text);
        self.write_line(painted);
    }

    /// Writes a text of several lines, indented, made harmless.
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

    /// Writes that a list was cut, and how it goes on.
    pub fn write_truncation(&mut self, shown: usize, total: u64, next: Option<&str>) {
        if let Some(next) = next {
            self.write_note(&format!("{shown} of {total} shown; the next ones: --after {next}"));
        }
    }

    /// How long ago, or in how long: `3m ago`, `in 2h`.
    #[must_use]
    pub fn relative_time(&self, stamp: UtcTimestamp) -> String {
        time::relative_time(self.now, stamp.0)
    }

    /// The page.
    #[must_use]
    pub fn into_text(self) -> String {
        self.text
    }
}
