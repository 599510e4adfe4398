//! Colours by meaning; a text means the same without them.

use anstyle::{AnsiColor, Style};

/// The meaning of a piece of text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TextTone {
    /// Plain text.
    #[default]
    Plain,
    /// A heading or a name.
    Strong,
    /// Less important text.
    Faint,
    /// A success.
    Good,
    /// A failure.
    Bad,
    /// Something in progress.
    Busy,
    /// Something that needs attention.
    Attention,
}

/// Paints texts, if colours are enabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextPainter {
    /// Whether colours are enabled.
    pub colour: bool,
}

impl TextPainter {
    /// Paints a text in its tone; the text must have been escaped.
    #[must_use]
    pub fn paint_text(self, tone: TextTone, text: &str) -> String {
        let style = tone_style(tone);
        if self.colour && !text.is_empty() && style != Style::new() {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }
}

fn tone_style(tone: TextTone) -> Style {
    let colour = |colour: AnsiColor| Style::new().fg_color(Some(colour.into()));
    match tone {
        TextTone::Plain => Style::new(),
        TextTone::Strong => Style::new().bold(),
        TextTone::Faint => Style::new().dimmed(),
        TextTone::Good => colour(AnsiColor::Green),
        TextTone::Bad => colour(AnsiColor::Red).bold(),
        TextTone::Busy => colour(AnsiColor::Cyan),
        TextTone::Attention => colour(AnsiColor::Yellow).bold(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_colours_a_text_stays_as_it_is() {
        assert_eq!(TextPainter { colour: false }.paint_text(TextTone::Bad, "x"), "x");
        assert_eq!(TextPainter { colour: true }.paint_text(TextTone::Plain, "x"), "x");
        assert_eq!(TextPainter { colour: true }.paint_text(TextTone::Good, "x"), "\u{1b}[32mx\u{1b}[0m");
    }
}
