//! What the help shows is what the parser takes: every command has examples, and every example parses.

use std::ffi::OsString;

use clap::Command;

use super::OrchCli;
use super::prime::{PRIME_LEAD, worker_text};
use crate::inbox::InboxCli;
use crate::program::CliProgram;
use crate::usage::EarlyExit;

/// Every command of a program that does something, with its name from the program down.
fn leaf_commands(path: &str, command: &Command, found: &mut Vec<(String, Command)>) {
    let inner: Vec<&Command> = command
        .get_subcommands()
        .filter(|inner| inner.get_name() != "help" && !inner.is_hide_set())
        .collect();
    for inner in &inner {
        leaf_commands(&format!("{path} {}", inner.get_name()), inner, found);
    }
    if inner.is_empty() {
        found.push((path.to_owned(), command.clone()));
    }
}

/// The command lines of a text: `orch …` and `inbox …`, with here-documents and comments left out.
fn command_lines(text: &str) -> Vec<Vec<String>> {
    let mut lines = Vec::new();
    for line in text.lines().flat_map(|line| line.split("; ")) {
        let line = line.trim();
        let line = line.rsplit_once(": ").map_or(line, |(before, after)| {
            // A label before commands, as in "Look: orch status".
            if before.contains(['\'', '"', '{']) { line } else { after }
        });
        for part in line.split(", ") {
            if part.starts_with("orch ") || part.starts_with("inbox ") {
                let words = split_words(part);
                // Two names in a row begin a sentence, not a command.
                if words.get(1).is_some_and(|word| word != "and") {
                    lines.push(words);
                }
            }
        }
    }
    lines
}

/// A line as a shell takes it apart, up to a redirection or a comment.
fn split_words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for character in line.chars() {
        match (quote, character) {
            (Some(end), _) if character == end => quote = None,
            (Some(_), _) => word.get_or_insert_default().push(character),
            (None, '\'' | '"') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            (None, _) => word.get_or_insert_default().push(character),
        }
        if word.as_deref().is_some_and(|word| word.starts_with('<') || word.starts_with('>'))
            || (quote.is_none() && word.as_deref() == Some("#"))
        {
            return words;
        }
    }
    words.extend(word.take());
    words
}

fn check_parses(words: &[String]) -> Result<(), String> {
    let parser = match words[0].as_str() {
        "orch" => OrchCli::full_parser(),
        _ => InboxCli::full_parser(),
    };
    let arguments: Vec<OsString> = words.iter().map(|word| fill_placeholder(word).into()).collect();
    match crate::usage::parse_arguments(parser, &arguments) {
        Ok(_) | Err(EarlyExit::Document { .. }) => Ok(()),
        Err(wrong @ EarlyExit::UsageError { .. }) => Err(format!("{words:?}: {wrong:?}")),
    }
}

/// A word that stands for something, as something that could stand there.
fn fill_placeholder(word: &str) -> &str {
    match word {
        "TASK" => "t1",
        "B" => "b",
        "A" => "a",
        "e-N" => "e-1",
        other => other,
    }
}

#[test]
fn every_command_has_examples_that_parse() {
    let mut commands = Vec::new();
    leaf_commands("orch", &OrchCli::full_parser(), &mut commands);
    leaf_commands("inbox", &InboxCli::full_parser(), &mut commands);
    assert!(commands.len() > 45, "{}", commands.len());
    for (name, command) in commands {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let examples = command_lines(&help);
        let shared = name.ends_with(" schema") || name.ends_with(" completions");
        let own = examples.iter().any(|words| words.join(" ").starts_with(&name));
        assert!(own || (shared && !examples.is_empty()), "{name} shows no example of itself: {help:?}");
        for words in examples {
            check_parses(&words).unwrap();
        }
    }
}

#[test]
fn what_an_agent_is_told_parses() {
    for (text, least) in [(PRIME_LEAD.to_owned(), 20), (worker_text(false), 6), (worker_text(true), 5)] {
        let lines = command_lines(&text);
        assert!(lines.len() >= least, "{lines:?}");
        for words in lines {
            check_parses(&words).unwrap();
        }
    }
}

#[test]
fn every_command_has_a_schema() {
    let mut commands = Vec::new();
    leaf_commands("orch", &OrchCli::full_parser(), &mut commands);
    // The messages of a server are those of its protocol.
    commands.retain(|(name, _)| name != "orch mcp");
    let schemas = orch_contract::schema::orch_schemas();
    for (name, _) in &commands {
        assert!(schemas.contains_key(name), "{name}");
    }
    assert_eq!(schemas.len(), commands.len());
}

#[test]
fn the_parsers_are_sound() {
    OrchCli::full_parser().debug_assert();
    InboxCli::full_parser().debug_assert();
}
