//! What newcomers and agents type: each line of `guesses.txt` is understood, or answered with the command that was meant.

use std::ffi::OsString;

use clap::Command;

use super::{EarlyExit, parse_arguments};
use crate::inbox::InboxCli;
use crate::orch::OrchCli;
use crate::program::CliProgram as _;

/// The guesses: the command line as it is typed, `=>`, and the hint or the word `understood`.
const GUESSES: &str = include_str!("guesses.txt");

/// Hints that a pasted command could take work away by.
const TAKES_AWAY: [&str; 13] = [
    "orch run rm",
    "orch run cancel",
    "orch task cancel",
    "orch recall",
    "orch reject",
    "orch stop",
    "orch worktree remove",
    "orch worktree prune",
    "orch clean",
    "orch uninstall",
    "inbox cancel",
    "inbox release",
    "inbox fail",
];

/// Splits a line at spaces, where single quotes hold words together.
fn split_line(line: &str) -> Vec<OsString> {
    let mut words = Vec::new();
    for (place, part) in line.replace("\\'", "\u{1}").split('\'').enumerate() {
        if place % 2 == 1 {
            let glued = words.pop_if(|last: &mut String| !last.is_empty() && last.ends_with('='));
            words.push(format!("{}{part}", glued.unwrap_or_default()));
        } else {
            words.extend(part.split(' ').filter(|word| !word.is_empty()).map(str::to_owned));
        }
    }
    words.into_iter().map(|word| word.replace('\u{1}', "'").into()).collect()
}

fn parser_of(line: &str) -> Command {
    if line.starts_with("inbox") { InboxCli::full_parser() } else { OrchCli::full_parser() }
}

/// Returns the hint and the message of a command line, unless it is accepted.
fn refusal_of(line: &str) -> Option<(String, String)> {
    match parse_arguments(parser_of(line), &split_line(line)) {
        Ok(_) | Err(EarlyExit::Document { .. }) => None,
        Err(EarlyExit::UsageError { error, .. }) => Some((error.hint.unwrap_or_default(), error.message)),
    }
}

#[test]
fn every_guess_is_understood_or_answered_with_what_was_meant() {
    let mut wrong = Vec::new();
    for line in GUESSES.lines() {
        let (guess, expected) = line.split_once(" => ").unwrap();
        let (hint, message) = refusal_of(guess).unwrap_or_else(|| ("understood".to_owned(), String::new()));
        if hint != expected {
            wrong.push(format!("{guess} => {hint}\n    {message}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), GUESSES.lines().count(), wrong.join("\n"));
    assert!(GUESSES.lines().count() > 320);
}

#[test]
fn every_hint_is_accepted_and_takes_nothing_away() {
    for line in GUESSES.lines() {
        let (guess, hint) = line.split_once(" => ").unwrap();
        if hint == "understood" {
            continue;
        }
        assert!(refusal_of(hint).is_none(), "{guess}: {hint}: {:?}", refusal_of(hint));
        let takes_away = |line: &str| TAKES_AWAY.iter().find(|one| line.starts_with(*one));
        let is_help = hint.ends_with(" --help");
        assert!(
            is_help || takes_away(hint).is_none() || takes_away(guess) == takes_away(hint),
            "{guess}: {hint}"
        );
    }
}
