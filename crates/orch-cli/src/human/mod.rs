//! Answers for people: files parallel to the commands, over the same views.
//!
//! Nothing here decides or looks anything up; a renderer writes to a [`Paper`] what its view holds.

pub mod frame;
pub mod harmless;
pub mod inbox;
pub mod orch;
pub mod paint;
pub mod self_description;
pub mod table;
pub mod time;

use orch_contract::Stamp;
use orch_core::time::Time;

pub use harmless::harmless;
pub use paint::{Paint, Tone};
pub use table::{Cell, Table};

/// An answer that can be rendered for people.
pub trait Human {
    /// Writes the answer.
    fn human(&self, paper: &mut Paper);
}

/// What a renderer writes on.
#[derive(Debug)]
pub struct Paper {
    text: String,
    paint: Paint,
    width: usize,
    now: Time,
}

impl Paper {
    /// An empty page.
    #[must_use]
    pub fn new(paint: Paint, width: usize, now: Time) -> Self {
        Self { text: String::new(), paint, width, now }
    }

    /// How texts are painted.
    #[must_use]
    pub fn paint(&self) -> Paint {
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

    /// Writes a line; what the store holds must have been made [`harmless`](harmless()).
    pub fn line(&mut self, text: impl AsRef<str>) {
        self.text.push_str(text.as_ref());
        self.text.push('\n');
    }

    /// Writes an empty line, unless the page is empty.
    pub fn gap(&mut self) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
    }

    /// Writes a heading.
    pub fn heading(&mut self, text: &str) {
        let painted = self.paint.text(Tone::Strong, text);
        self.line(painted);
    }

    /// Writes a remark.
    pub fn note(&mut self, text: &str) {
        let painted = self.paint.text(Tone::Faint, text);
        self.line(painted);
    }

    /// Writes a text of several lines, indented, made harmless.
    pub fn block(&mut self, text: &str, indent: usize) {
        for line in text.lines() {
            let line = format!("{:indent$}{}", "", harmless(line));
            self.line(line.trim_end());
        }
    }

    /// Writes a table.
    pub fn table(&mut self, table: &Table) {
        let rendered = table.render(self.paint, self.width);
        self.text.push_str(&rendered);
    }

    /// Writes that a list was cut, and how it goes on.
    pub fn rest(&mut self, shown: usize, total: u64, next: Option<&str>) {
        if let Some(next) = next {
            self.note(&format!("{shown} of {total} shown; the next ones: --after {next}"));
        }
    }

    /// How long ago, or in how long: `3m ago`, `in 2h`.
    #[must_use]
    pub fn ago(&self, stamp: Stamp) -> String {
        time::ago(self.now, stamp.0)
    }

    /// The page.
    #[must_use]
    pub fn finish(self) -> String {
        self.text
    }
}
