//! Truncates texts to a number of bytes, always at a character boundary.

/// Marks where a text was truncated.
pub const ELLIPSIS: char = '…';

/// Returns the beginning of a text, with an ellipsis if it was longer than `bytes_max`.
#[must_use]
pub fn truncate_end(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    format!("{}{ELLIPSIS}", longest_prefix(text, bytes_max))
}

/// Returns the longest beginning of a text that has at most `bytes_max` bytes.
#[must_use]
pub fn longest_prefix(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

/// Returns the longest end of a text that has at most `bytes_max` bytes.
#[must_use]
pub fn longest_suffix(text: &str, bytes_max: usize) -> &str {
    &text[text.ceil_char_boundary(text.len().saturating_sub(bytes_max))..]
}

/// Returns the words of a text on one line, separated by one space, with an ellipsis if they were longer than `bytes_max`.
///
/// Control characters separate words, so that a terminal escape sequence loses its effect.
#[must_use]
pub fn to_one_line(text: &str, bytes_max: usize) -> String {
    let mut line = String::new();
    for word in text.split(|character: char| character.is_whitespace() || character.is_control()) {
        if line.len() > bytes_max {
            break;
        }
        if !line.is_empty() && !word.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    truncate_end(&line, bytes_max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_shortened_between_characters() {
        for (text, bytes_max, end, start) in
            [("abc", 3, "abc", "abc"), ("abcd", 2, "ab…", "cd"), ("aéé", 2, "a…", "é"), ("éé", 3, "é…", "é")]
        {
            assert_eq!(truncate_end(text, bytes_max), end, "{text}");
            assert_eq!(longest_suffix(text, bytes_max), start, "{text}");
        }
    }

    #[test]
    fn words_are_joined_on_one_line() {
        for (text, bytes_max, expected) in [
            ("  a\n\tb\u{1b}[1m  c ", 100, "a b [1m c"),
            ("éé", 3, "é…"),
            ("", 5, ""),
            ("one two three", 7, "one two…"),
        ] {
            assert_eq!(to_one_line(text, bytes_max), expected);
        }
    }
}
