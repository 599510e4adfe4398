//! Names of strangers, such as files, within sentences of ours: on one line, and with nothing that a terminal obeys.
//!
//! Programs get names as they are; this is for what people and workers read.

use std::borrow::Cow;
use std::path::Path;

/// The name with line ends, control characters and direction overrides written out: `two\nlines`, `\u{1b}[31m`.
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

/// Names in a row, for a sentence.
#[must_use]
pub fn join_names<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(escape_name).collect::<Vec<_>>().join(", ")
}

/// A path as text; what is not UTF-8 is replaced.
#[must_use]
pub fn path_text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Whether a reader would not see it as it is, or a terminal would do something else with it than show it.
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
