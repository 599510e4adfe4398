//! Aligned tables that fit the terminal.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::escape_controls;
use super::paint::{TextPainter, TextTone};

/// A table cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableCell {
    text: String,
    tone: TextTone,
}

impl TableCell {
    /// Creates a cell with a tone; the text is escaped.
    #[must_use]
    pub fn new(text: impl AsRef<str>, tone: TextTone) -> Self {
        Self { text: escape_controls(text.as_ref()).into_owned(), tone }
    }

    /// Creates a cell without a tone; the text is escaped.
    #[must_use]
    pub fn plain(text: impl AsRef<str>) -> Self {
        Self::new(text, TextTone::Plain)
    }
}

/// A table: a heading, rows, and at most one elastic column that shrinks on a narrow terminal.
#[derive(Clone, Debug)]
pub struct TextTable {
    heading: Vec<&'static str>,
    rows: Vec<Vec<TableCell>>,
    elastic: Option<usize>,
}

/// The separator of two columns.
const GAP: usize = 2;

/// The minimum width of an elastic column.
const ELASTIC_MIN: usize = 12;

impl TextTable {
    /// Creates an empty table with this heading.
    #[must_use]
    pub fn new(heading: &[&'static str]) -> Self {
        Self { heading: heading.to_vec(), rows: Vec::new(), elastic: None }
    }

    /// Makes a column elastic.
    #[must_use]
    pub fn with_elastic_column(mut self, column: usize) -> Self {
        self.elastic = Some(column);
        self
    }

    /// Adds a row with as many cells as the heading.
    pub fn push_row(&mut self, cells: Vec<TableCell>) {
        debug_assert_eq!(cells.len(), self.heading.len(), "a row has as many cells as its heading");
        self.rows.push(cells);
    }

    /// Whether the table has no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Renders the table.
    #[must_use]
    pub fn render(&self, paint: TextPainter, width: usize) -> String {
        let widths = self.column_widths(width);
        let heading: Vec<TableCell> =
            self.heading.iter().map(|text| TableCell::new(text, TextTone::Faint)).collect();
        let mut text = String::new();
        for row in std::iter::once(&heading).chain(&self.rows) {
            let mut padding = 0;
            for (cell, width) in row.iter().zip(&widths) {
                let shown = truncate_to_width(&cell.text, *width);
                let free = width - shown.width();
                // Padding is written before the next cell, so no line ends in spaces.
                if !shown.is_empty() {
                    text.extend(std::iter::repeat_n(' ', padding));
                    text.push_str(&paint.paint_text(cell.tone, &shown));
                    padding = 0;
                }
                padding += if shown.is_empty() { width + GAP } else { free + GAP };
            }
            text.push('\n');
        }
        text
    }

    fn column_widths(&self, width: usize) -> Vec<usize> {
        let column = |index: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(index)).map(|cell| cell.text.width());
            cells.chain([self.heading[index].width()]).max().unwrap_or(0)
        };
        let mut widths: Vec<usize> = (0..self.heading.len()).map(column).collect();
        if let Some(elastic) = self.elastic {
            let total = widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
            let least = ELASTIC_MIN.min(widths[elastic]);
            widths[elastic] = widths[elastic].saturating_sub(total.saturating_sub(width)).max(least);
        }
        widths
    }
}

/// Cuts a text to a width, with `…` where it was longer.
#[must_use]
pub fn truncate_to_width(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut shown = String::new();
    let mut used = 0;
    for character in text.chars() {
        let next = character.width().unwrap_or(0);
        if used + next + 1 > width {
            break;
        }
        shown.push(character);
        used += next;
    }
    if width > 0 {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample_table() -> TextTable {
        let mut table = TextTable::new(&["THREAD", "SUBJECT", "STATE"]).with_elastic_column(1);
        table.push_row(vec![
            TableCell::plain("th-1"),
            TableCell::plain("日本語 text"),
            TableCell::new("queued", TextTone::Busy),
        ]);
        table.push_row(vec![
            TableCell::plain("th-12"),
            TableCell::plain("a\u{1b}[2J much longer subject"),
            TableCell::default(),
        ]);
        table
    }

    #[test]
    fn columns_are_aligned_by_width() {
        let expected = "\
            THREAD  SUBJECT                    STATE\n\
            th-1    日本語 text                queued\n\
            th-12   a␛[2J much longer subject\n";
        assert_eq!(sample_table().render(TextPainter { colour: false }, 80), expected);
    }

    #[test]
    fn the_elastic_column_gives_way() {
        let text = sample_table().render(TextPainter { colour: false }, 36);
        assert!(text.contains("a␛[2J much longer s…"), "{text}");
        assert!(text.lines().all(|line| line.width() <= 36), "{text}");
        assert_eq!(truncate_to_width("日本語", 5), "日本…");
        assert_eq!(truncate_to_width("日本語", 4), "日…");
        assert_eq!(truncate_to_width("abc", 3), "abc");
    }

    #[test]
    fn colours_do_not_move_columns() {
        let plain = sample_table().render(TextPainter { colour: false }, 80);
        let painted = sample_table().render(TextPainter { colour: true }, 80);
        let stripped: String =
            painted.replace("\u{1b}[36m", "").replace("\u{1b}[0m", "").replace("\u{1b}[2m", "");
        assert_eq!(stripped, plain);
    }
}
