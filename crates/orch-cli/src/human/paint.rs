//! Colours, by meaning; a text means the same without them.

use anstyle::{AnsiColor, Style};

/// What a piece of text is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TextTone {
    /// Nothing special.
    #[default]
    Plain,
    /// A heading or a name.
    Strong,
    /// Less important than the rest.
    Faint,
    /// It went well.
    Good,
    /// It went wrong.
    Bad,
    /// It is under way.
    Busy,
    /// Somebody should look at it.
    Attention,
}

/// How texts are painted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextPainter {
    /// Whether there are colours at all.
    pub colour: bool,
}

impl TextPainter {
    /// A text in its tone; the text must have been made harmless.
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
