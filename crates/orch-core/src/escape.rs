//! Escapes untrusted names, such as file names, for display: one line, no terminal control sequences.
//!
//! Machine-readable output has names unescaped.

use std::borrow::Cow;
use std::path::Path;

/// Escapes line ends, control characters and direction overrides of a name: `two\nlines`, `\u{1b}[31m`.
#[must_use]
pub fn escape_name(name: &str) -> Cow<'_, str> {
    if !name.chars().any(is_harmful) {
        return Cow::Borrowed(name);
    }
    let mut shown = String::with_capacity(name.len() + 8);
    for character in name.chars() {
        if is_harmful(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

/// Joins escaped names with commas.
#[must_use]
pub fn join_names<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(escape_name).collect::<Vec<_>>().join(", ")
}

/// Returns a path as text; invalid UTF-8 is replaced.
#[must_use]
pub fn path_text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Returns whether a terminal would interpret the character or a reader would not see it.
#[inline]
#[must_use]
pub fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(character,
            // Direction marks, overrides and isolates.
            '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            // Line and paragraph separators.
            | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_on_one_line() {
        for (name, shown) in [
            ("a b", "a b"),
            ("größe 日本", "größe 日本"),
            ("it's \"x\"", "it's \"x\""),
            ("two\nlines", r"two\nlines"),
            ("\u{1b}[31m", r"\u{1b}[31m"),
            ("\u{202e}exe", r"\u{202e}exe"),
        ] {
            assert_eq!(escape_name(name), shown);
        }
        assert_eq!(join_names(["a", "b\r"]), r"a, b\r");
    }
}
