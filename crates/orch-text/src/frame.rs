//! A page that is redrawn in place on a terminal, below the earlier output.

use unicode_width::UnicodeWidthChar as _;

/// The size of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalSize {
    /// How many columns it has.
    pub columns: usize,
    /// How many rows it has.
    pub rows: usize,
}

/// The page currently shown on the terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TerminalFrame {
    lines: usize,
    columns: usize,
}

/// Ends a line and erases the rest of the previous, longer one.
const LINE_END: &str = "\u{1b}[K\n";

/// Erases everything below the cursor.
const BELOW: &str = "\u{1b}[J";

impl TerminalFrame {
    /// Returns the bytes that replace the previous page, for one write, so that nothing flickers.
    ///
    /// Lines are cut at the right edge, and lines that do not fit are left out: a page that scrolled could not
    /// be redrawn.
    #[must_use]
    pub fn draw_page(&mut self, page: &str, size: TerminalSize) -> String {
        let mut text = self.cursor_to_start(size.columns);
        let lines: Vec<&str> = page.lines().collect();
        let room = size.rows.saturating_sub(1).max(1);
        let shown = if lines.len() > room { room - 1 } else { lines.len() };
        for line in &lines[..shown] {
            text.push_str(&truncate_painted(line, size.columns));
            text.push_str(LINE_END);
        }
        self.lines = shown;
        if shown < lines.len() {
            text.push_str(&truncate_painted(&format!("… {} more lines", lines.len() - shown), size.columns));
            text.push_str(LINE_END);
            self.lines += 1;
        }
        self.columns = size.columns;
        text.push_str(BELOW);
        text
    }

    /// Returns the bytes that erase the page.
    #[must_use]
    pub fn erase_page(&mut self, size: TerminalSize) -> String {
        let back = self.cursor_to_start(size.columns);
        self.lines = 0;
        if back.is_empty() { back } else { back + BELOW }
    }

    /// Leaves the page on the terminal; the next one starts below it.
    pub fn keep_page(&mut self) {
        self.lines = 0;
    }

    /// Moves the cursor to the first line of the previous page.
    fn cursor_to_start(&self, columns: usize) -> String {
        if self.lines == 0 {
            return String::new();
        }
        if self.columns != columns {
            // The terminal was resized and has rewrapped the lines: their positions are unknown.
            return "\u{1b}[H\u{1b}[2J".to_owned();
        }
        format!("\r\u{1b}[{}A", self.lines)
    }
}

/// Cuts a line, which may contain colour sequences, to a width.
fn truncate_painted(line: &str, width: usize) -> String {
    let mut shown = String::with_capacity(line.len());
    let (mut used, mut painted) = (0, false);
    let mut rest = line.chars();
    // The length of the text at the last possible cut.
    let mut cut = 0;
    while let Some(character) = rest.next() {
        if character == '\u{1b}' {
            // Only our own colour sequences are left in a page.
            painted = true;
            shown.push(character);
            for part in rest.by_ref() {
                shown.push(part);
                if part == 'm' {
                    break;
                }
            }
            continue;
        }
        let next = used + character.width().unwrap_or(0);
        if next > width {
            shown.truncate(cut);
            shown.push('…');
            if painted {
                shown.push_str("\u{1b}[0m");
            }
            return shown;
        }
        if next < width {
            cut = shown.len() + character.len_utf8();
        }
        shown.push(character);
        used = next;
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: TerminalSize = TerminalSize { columns: 10, rows: 4 };

    #[test]
    fn a_page_takes_the_place_of_the_last_one() {
        let mut frame = TerminalFrame::default();
        assert_eq!(frame.draw_page("one\ntwo\n", SIZE), "one\u{1b}[K\ntwo\u{1b}[K\n\u{1b}[J");
        assert_eq!(frame.draw_page("three\n", SIZE), "\r\u{1b}[2Athree\u{1b}[K\n\u{1b}[J");
        assert_eq!(frame.erase_page(SIZE), "\r\u{1b}[1A\u{1b}[J");
        assert_eq!(frame.erase_page(SIZE), "", "nothing stands there any more");
    }

    #[test]
    fn a_page_that_is_too_long_never_scrolls() {
        let mut frame = TerminalFrame::default();
        let drawn = frame.draw_page("1\n2\n3\n4\n5\n", SIZE);
        assert_eq!(drawn, "1\u{1b}[K\n2\u{1b}[K\n… 3 more …\u{1b}[K\n\u{1b}[J");
        assert!(frame.draw_page("1\n", SIZE).starts_with("\r\u{1b}[3A"));
    }

    #[test]
    fn a_terminal_of_another_width_is_cleared() {
        let mut frame = TerminalFrame::default();
        let _ = frame.draw_page("one\n", SIZE);
        let wider = TerminalSize { columns: 20, ..SIZE };
        assert!(frame.draw_page("one\n", wider).starts_with("\u{1b}[H\u{1b}[2J"));
    }

    #[test]
    fn lines_are_cut_at_the_edge() {
        for (line, shown) in [
            ("0123456789", "0123456789"),
            ("01234567890", "012345678…"),
            ("日本語日本語", "日本語日…"),
            ("\u{1b}[1m0123456789\u{1b}[0m", "\u{1b}[1m0123456789\u{1b}[0m"),
            ("\u{1b}[1m01234\u{1b}[0m567890", "\u{1b}[1m01234\u{1b}[0m5678…\u{1b}[0m"),
        ] {
            assert_eq!(truncate_painted(line, 10), shown);
        }
    }
}
