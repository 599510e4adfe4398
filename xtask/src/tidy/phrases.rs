//! Banned phrases in comments, messages and documents, each with its replacement.
//!
//! STYLE.md 62, 65 and 66 give the reason: readers search for the standard terms.

use std::collections::{BTreeMap, HashMap};

use super::ratchet::RatchetFigure;
use super::{TidyViolation, crate_name};
use crate::tree::SourceFile;

/// The forms of a phrase and its replacement.
struct BannedPhrase {
    forms: &'static [&'static str],
    plain: &'static str,
}

const fn phrase(forms: &'static [&'static str], plain: &'static str) -> BannedPhrase {
    BannedPhrase { forms, plain }
}

/// A banned beginning of doc comments: each must be understandable without its neighbours.
const BEGINNING: &str = "the same";

/// The banned phrases; the first form of each is the key of its figure.
const PHRASES: [BannedPhrase; 45] = [
    phrase(&["the same again", "the same where"], "name what is repeated"),
    phrase(&["whoever", "whomever"], "name the actor: the caller, the process, the worker"),
    phrase(&["nobody", "nobody else"], "no caller, no process, no worker"),
    phrase(&["somebody", "somebody else"], "another process, the user, a worker"),
    phrase(&["everybody", "anybody"], "all workers, any process"),
    phrase(&["goes on", "go on", "going on", "gone on", "went on"], "continues, resumes, proceeds"),
    phrase(
        &["is gone", "are gone", "was gone", "were gone", "be gone"],
        "no longer exists, has exited, was removed",
    ),
    phrase(&["what is left of", "what was left of"], "the rest of, the remaining"),
    phrase(&["what is left over", "is left over"], "leftover"),
    phrase(&["is to be", "are to be", "was to be", "were to be"], "must, should, or the plain present"),
    phrase(&["in our places", "in places of ours", "in a place of ours", "of ours"], "our, managed by orch"),
    phrase(&["is no option", "is no field", "is no command"], "unknown option, unknown field"),
    phrase(&["is no error", "is no reason", "is no fault"], "is not an error"),
    phrase(&["there is no such"], "unknown, not found"),
    phrase(&["by now"], "now, already"),
    phrase(&["for who", "who still"], "the workers that, the processes that"),
    phrase(
        &["what came of", "what comes of", "came of it", "comes of it", "comes of that"],
        "the result, the outcome",
    ),
    phrase(&["came to nothing", "come to nothing", "comes to nothing"], "failed, had no effect, was aborted"),
    phrase(&["becomes of", "become of", "became of"], "what happens to"),
    phrase(&["afresh"], "again; re-exec of a process"),
    phrase(&["anew"], "again, from the start"),
    phrase(&["put aside", "puts aside", "putting aside"], "rotated, stashed, renamed"),
    phrase(&["let be", "let go", "lets go", "letting go"], "skipped, released"),
    phrase(&["taken away", "takes away", "take away", "took away"], "removed, revoked"),
    phrase(&["taken off", "takes off", "take off"], "removed"),
    phrase(&["what there is", "that there is"], "name what exists"),
    phrase(&["is there", "are there", "was there", "be there"], "exists"),
    phrase(&["is not there", "are not there", "was not there"], "does not exist, is missing"),
    phrase(&["in the way"], "already exists, conflicts with"),
    phrase(&["under way"], "running, in progress, live"),
    phrase(&["does not merge", "do not merge"], "merge conflict, conflicts with"),
    phrase(&["nothing of it", "none of it"], "no part of"),
    phrase(&["once more"], "again"),
    phrase(&["in vain"], "without a result"),
    phrase(&["bury", "buries", "buried"], "reap, mark lost"),
    phrase(&["is said", "are said", "was said", "be said"], "is reported, is printed"),
    phrase(
        &["told of", "tells of", "tell of", "speaks of", "speak of"],
        "reports, mentions, is informed about",
    ),
    phrase(&["look whether", "looks whether", "looked whether", "looking whether"], "check whether"),
    phrase(&["as it likes", "as they like"], "without limit, freely"),
    phrase(&["lies in", "lie in", "lay in", "stands in", "stand in"], "is in, is stored in"),
    phrase(&["is meant", "are meant"], "name the thing: the run to use"),
    phrase(&["counts for nothing", "count for nothing"], "is not counted"),
    phrase(&["does not fit"], "is invalid, is too long"),
    phrase(&["is not expected here"], "unexpected argument"),
    phrase(&["shall"], "should, must"),
];

/// A word of a text with its punctuation.
struct TextWord<'a> {
    line: usize,
    text: &'a str,
}

/// Counts the occurrences of each phrase.
pub(super) fn measure(files: &[SourceFile]) -> Vec<RatchetFigure> {
    let mut found: Vec<Vec<TidyViolation>> = PHRASES.iter().map(|_| Vec::new()).collect();
    let (forms, mut beginnings) = (index_forms(), Vec::new());
    for file in files.iter().filter(|file| is_ours(file)) {
        if file.has_extension("rs") {
            for text in &file.source().texts {
                let lowered = text.text.to_ascii_lowercase();
                let words = split_words(&lowered, text.line);
                if text.doc && starts_with(&words, BEGINNING) {
                    let message = "a doc comment stands alone: name its subject.";
                    beginnings.push(TidyViolation::at_line(file, text.line, message));
                }
                search_phrases(file, &words, &forms, &mut found);
            }
        } else if file.has_extension("md") {
            let lowered = file.text.to_ascii_lowercase();
            search_phrases(file, &split_words(&lowered, 1), &forms, &mut found);
        }
    }
    let mut figures = vec![phrase_figure("(doc comment) the same", beginnings)];
    figures.extend(PHRASES.iter().zip(found).map(|(phrase, places)| phrase_figure(phrase.forms[0], places)));
    figures
}

fn phrase_figure(key: &str, places: Vec<TidyViolation>) -> RatchetFigure {
    let mut rooms: BTreeMap<&str, usize> = BTreeMap::new();
    for place in &places {
        let path = place.path.as_str();
        let name = crate_name(path).unwrap_or_else(|| path.split('/').next().unwrap_or_default());
        *rooms.entry(name.trim_start_matches("orch-")).or_default() += 1;
    }
    let rooms: Vec<String> = rooms.iter().map(|(room, count)| format!("{room} {count}")).collect();
    RatchetFigure { note: rooms.join(", "), ..RatchetFigure::of_places("phrases", key, places) }
}

/// Whether a file is checked: generated documents repeat texts of the code, and two files list the phrases.
fn is_ours(file: &SourceFile) -> bool {
    let path = file.path.as_str();
    let generated =
        path.starts_with("docs/cli/") || ["docs/contract.md", "docs/state-machines.md"].contains(&path);
    !generated && !["STYLE.md", "xtask/src/tidy/phrases.rs"].contains(&path)
}

fn split_words(text: &str, first: usize) -> Vec<TextWord<'_>> {
    let lines = text.split('\n').enumerate();
    lines
        .flat_map(|(index, line)| {
            line.split_whitespace().map(move |text| TextWord { line: first + index, text })
        })
        .collect()
}

/// All forms by their first word, each with the index of its phrase.
type FormIndex = HashMap<&'static str, Vec<(usize, &'static str)>>;

fn index_forms() -> FormIndex {
    let mut forms = FormIndex::new();
    for (number, phrase) in PHRASES.iter().enumerate() {
        for form in phrase.forms {
            forms.entry(form.split(' ').next().unwrap_or(form)).or_default().push((number, form));
        }
    }
    forms
}

/// Records every occurrence of every phrase.
fn search_phrases(
    file: &SourceFile,
    words: &[TextWord<'_>],
    forms: &FormIndex,
    found: &mut [Vec<TidyViolation>],
) {
    for (at, word) in words.iter().enumerate() {
        let mut last = None;
        for (number, form) in forms.get(without_marks(word.text)).into_iter().flatten() {
            // Two forms of a phrase at one place count once.
            if last != Some(number) && starts_with(&words[at..], form) {
                let message = format!("“{form}”: write {}.", PHRASES[*number].plain);
                found[*number].push(TidyViolation::at_line(file, word.line, message));
                last = Some(number);
            }
        }
    }
}

/// Returns a word without the punctuation around it.
fn without_marks(word: &str) -> &str {
    let word = word.trim_matches(is_mark);
    word.strip_suffix("'s").unwrap_or(word)
}

fn is_mark(character: char) -> bool {
    !character.is_alphanumeric()
}

/// Whether the text starts with this form, without punctuation inside it.
fn starts_with(words: &[TextWord<'_>], form: &str) -> bool {
    let wanted = form.split(' ').count();
    words.len() >= wanted
        && form.split(' ').enumerate().all(|(index, wanted_word)| {
            let mut word = words[index].text;
            if index == 0 {
                word = word.trim_start_matches(is_mark);
            }
            if index + 1 == wanted {
                word = word.trim_end_matches(is_mark);
                word = word.strip_suffix("'s").unwrap_or(word);
            }
            word == wanted_word
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(path: &str, text: &str) -> usize {
        measure(&[SourceFile::new(path, text)]).iter().map(|figure| figure.measured).sum()
    }

    #[test]
    fn phrases_are_found_where_people_read() {
        for (path, text, phrases) in [
            ("a.rs", "/// The same, for two.\nfn whoever() {}", 1),
            ("a.rs", "// The same, for two.\nfn a() { b(\"It is\\n gone.\") }", 1),
            ("a.rs", "// It goes\n// on, whoever\n// comes.", 2),
            ("a.rs", "// (Whoever's) it goes. On then.", 1),
            ("a.md", "The run goes\non by now.", 2),
            ("docs/cli/a.md", "The run goes on.", 0),
            ("a.toml", "# goes on", 0),
        ] {
            assert_eq!(count(path, text), phrases, "{path}: {text}");
        }
    }
}
