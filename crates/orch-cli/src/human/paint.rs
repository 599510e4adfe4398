//! Colours, by meaning; a text means the same without them.

use anstyle::{AnsiColor, Style};

/// What a piece of text is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
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
pub struct Paint {
    /// Whether there are colours at all.
    pub colour: bool,
}

impl Paint {
    /// A text in its tone; the text must have been made harmless.
    #[must_use]
    pub fn text(self, tone: Tone, text: &str) -> String {
        let style = style(tone);
        if self.colour && !text.is_empty() && style != Style::new() {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }
}

fn style(tone: Tone) -> Style {
    let colour = |colour: AnsiColor| Style::new().fg_color(Some(colour.into()));
    match tone {
        Tone::Plain => Style::new(),
        Tone::Strong => Style::new().bold(),
        Tone::Faint => Style::new().dimmed(),
        Tone::Good => colour(AnsiColor::Green),
        Tone::Bad => colour(AnsiColor::Red).bold(),
        Tone::Busy => colour(AnsiColor::Cyan),
        Tone::Attention => colour(AnsiColor::Yellow).bold(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_colours_a_text_stays_as_it_is() {
        assert_eq!(Paint { colour: false }.text(Tone::Bad, "x"), "x");
        assert_eq!(Paint { colour: true }.text(Tone::Plain, "x"), "x");
        assert_eq!(Paint { colour: true }.text(Tone::Good, "x"), "\u{1b}[32mx\u{1b}[0m");
    }
}
