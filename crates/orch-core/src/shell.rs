//! Quotes commands for a POSIX shell.

/// Joins words to one shell command line.
#[must_use]
pub fn join_words<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(quote_word).collect::<Vec<_>>().join(" ")
}

/// Quotes a word where a shell would split or expand it.
#[must_use]
pub fn quote_word(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@,+%".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_a_shell() {
        assert_eq!(join_words(["inbox", "claim", "--wait=5s"]), "inbox claim --wait=5s");
        assert_eq!(join_words(["a b", "", "it's", "`x`"]), r"'a b' '' 'it'\''s' '`x`'");
    }
}
