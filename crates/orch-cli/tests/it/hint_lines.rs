//! The commands that answers offer: every one that any test of this program sees is held to the parser.

use std::collections::HashSet;
use std::ffi::OsString;
use std::sync::{LazyLock, Mutex};

use orch_cli::inbox::InboxCli;
use orch_cli::orch::OrchCli;
use orch_cli::program::CliProgram as _;
use orch_cli::usage::{EarlyExit, parse_arguments};
use serde_json::Value;

/// What was looked at before, by any test.
static SEEN: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);

/// Sees that each command that a document offers is accepted by the parser.
pub(crate) fn check_hints(document: &Value) {
    for line in offered_commands(document) {
        if SEEN.lock().unwrap().insert(line.clone()) {
            check_parses(&line);
        }
    }
}

/// The commands in `hint` and `next` anywhere in a document, as they stand there.
pub(crate) fn offered_commands(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect_commands(value, &mut found);
    found
}

fn collect_commands(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match (name.as_str(), value) {
                    ("hint" | "next", Value::String(line)) => keep_command(line, found),
                    ("next", Value::Array(lines)) => {
                        lines.iter().filter_map(Value::as_str).for_each(|line| keep_command(line, found));
                    }
                    // What agents say is content.
                    ("payload" | "body" | "document", _) => {}
                    (_, value) => collect_commands(value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect_commands(value, found)),
        _ => {}
    }
}

/// Keeps a command; the cursor of a list has the same name.
fn keep_command(line: &str, found: &mut Vec<String>) {
    if line.contains(' ') && !found.iter().any(|known| known == line) {
        found.push(line.to_owned());
    }
}

/// The words that stand for something, each with something that may stand there.
const PLACEHOLDERS: [(&str, &str); 12] = [
    ("TEXT", "'Some text.'"),
    ("TITLE", "'Another goal'"),
    ("AGENT", "w"),
    ("CMD", "true"),
    ("PREFIX", "other"),
    ("TOKEN", "\"$K\""),
    ("PROFILE", "shell"),
    ("RUN", "r"),
    ("TASK", "a"),
    ("N", "9"),
    ("D", "2h"),
    ("USD", "9.50"),
];

/// A command with its placeholders filled in.
pub(crate) fn fill_placeholders(line: &str) -> String {
    let fill = |word: &str| {
        let (before, last) = word.rsplit_once('=').map_or(("", word), |(name, value)| (name, value));
        let found = PLACEHOLDERS.iter().find(|(name, _)| *name == last);
        match found {
            Some((_, value)) if before.is_empty() => (*value).to_owned(),
            Some((_, value)) => format!("{before}={value}"),
            None => word.to_owned(),
        }
    };
    line.split(' ').map(fill).collect::<Vec<_>>().join(" ")
}

fn check_parses(line: &str) {
    let parser = match line.split(' ').next() {
        Some("orch") => OrchCli::full_parser(),
        Some("inbox") => InboxCli::full_parser(),
        _ => return,
    };
    let words: Vec<OsString> =
        split_words(&fill_placeholders(line)).into_iter().map(OsString::from).collect();
    if let Err(EarlyExit::UsageError { error, .. }) = parse_arguments(parser, &words) {
        panic!("{line}: {}", error.message);
    }
}

/// A line as a shell takes it apart.
fn split_words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote): (Vec<String>, Option<String>, Option<char>) = (vec![], None, None);
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(end), letter) if letter == end => quote = None,
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, '\\') => word.get_or_insert_default().extend(letters.next()),
            (None, ' ') => words.extend(word.take()),
            (_, letter) => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}
