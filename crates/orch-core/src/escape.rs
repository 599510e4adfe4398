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

/// Returns whether the character takes no place and means nothing to a reader; the two joiners are not among these.
const fn is_invisible(character: char) -> bool {
    matches!(character,
        // Soft hyphen, combining grapheme joiner, Mongolian separator, zero-width spaces, invisible operators.
        '\u{ad}' | '\u{34f}' | '\u{180e}' | '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{206a}'..='\u{206f}' | '\u{feff}'
        // Fillers of Hangul, and annotations.
        | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
        // Tags, and variation selectors of the supplement.
        | '\u{e0000}'..='\u{e0fff}')
}

/// Returns whether the character is a direction mark, override or isolate.
const fn is_direction_control(character: char) -> bool {
    matches!(character,
        '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Returns whether a terminal would interpret the character or a reader would not see it.
#[inline]
#[must_use]
pub fn is_harmful(character: char) -> bool {
    character.is_control()
        || is_direction_control(character)
        || is_invisible(character)
        // Line and paragraph separators.
        || matches!(character, '\u{2028}' | '\u{2029}')
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

    #[test]
    fn invisible_characters_are_harmful_and_letters_are_not() {
        for character in ['\u{200b}', '\u{202e}', '\u{2066}', '\u{e0041}', '\u{feff}', '\u{ad}'] {
            assert!(is_harmful(character), "{}", character.escape_unicode());
        }
        assert!(!"größe 日本 🚀 \u{1f469}\u{200d}\u{1f680} \u{2764}\u{fe0f}".contains(is_harmful));
    }
}
