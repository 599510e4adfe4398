//! Advice about the language of the documents, which never fails the check.

use crate::tree::SourceFile;

/// Abbreviations, whose full stop does not end a sentence.
const SHORT_FORMS: [&str; 5] = ["e.g.", "i.e.", "etc.", "vs.", "cf."];

/// Returns the lines of Markdown with more than one sentence.
///
/// With one sentence per line, a changed sentence is one changed line.
pub(super) fn sentence_advice(files: &[SourceFile]) -> Vec<String> {
    let mut advice = Vec::new();
    for file in files.iter().filter(|file| file.has_extension("md") && !file.path.starts_with("docs/cli/")) {
        let mut fenced = false;
        for (index, line) in file.text.lines().enumerate() {
            if line.trim_start().starts_with("```") {
                fenced = !fenced;
            }
            let prose = !fenced && !line.starts_with(['|', '#']) && !line.starts_with("    ");
            if prose && holds_two_sentences(line) {
                advice.push(format!("{}:{}: one sentence per line.", file.path, index + 1));
            }
        }
    }
    advice
}

fn holds_two_sentences(line: &str) -> bool {
    let numbered = line.trim_start().trim_start_matches(|character: char| character.is_ascii_digit());
    let text = numbered.strip_prefix(". ").unwrap_or(line);
    text.match_indices(". ").any(|(at, _)| {
        let before = &text[..=at];
        let starts = text[at + 2..].starts_with(|next: char| next.is_uppercase() || next == '`');
        starts && !SHORT_FORMS.iter().any(|form| before.ends_with(form))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_counted() {
        for (line, two) in [
            ("One sentence.", false),
            ("One. Two.", true),
            ("1. One.", false),
            ("Some, e.g. Names.", false),
            ("See v1.2. then more.", false),
        ] {
            assert_eq!(holds_two_sentences(line), two, "{line}");
        }
    }
}
