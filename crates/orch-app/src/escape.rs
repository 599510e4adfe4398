//! Escapes untrusted text, so that it can neither move a terminal's cursor nor paint or hide other text.

use std::borrow::Cow;

use orch_core::escape::is_harmful;

/// Returns the text with visible control characters, escape sequences and direction overrides.
///
/// Tabs and line feeds become spaces and `⏎`, so that a line stays a line.
#[must_use]
pub fn escape_controls(text: &str) -> Cow<'_, str> {
    if !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\t' => shown.push(' '),
            '\n' => shown.push('⏎'),
            // C0 controls and DEL have pictures of their own.
            '\0'..='\u{1f}' => shown.push(control_picture(character)),
            '\u{7f}' => shown.push('␡'),
            other if is_harmful(other) => shown.push('�'),
            other => shown.push(other),
        }
    }
    Cow::Owned(shown)
}

/// Returns the picture of a C0 control character.
fn control_picture(control: char) -> char {
    char::from_u32(0x2400 + u32::from(control)).unwrap_or('�')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_left_alone() {
        for plain in ["", "Ship it.", "日本語 é `x` 🚀"] {
            assert!(matches!(escape_controls(plain), Cow::Borrowed(same) if same == plain));
        }
    }

    #[test]
    fn controls_become_visible() {
        for (text, shown) in [
            ("a\u{1b}[31mred\u{1b}[0m", "a␛[31mred␛[0m"),
            ("\u{1b}]0;title\u{7}", "␛]0;title␇"),
            ("a\r\nb\tc", "a␍⏎b c"),
            ("\0\u{8}\u{7f}", "␀␈␡"),
            ("\u{9b}31m", "�31m"),
            ("user\u{202e}txt.exe\u{2066}", "user�txt.exe�"),
        ] {
            assert_eq!(escape_controls(text), shown);
        }
    }
}
