//! From the command line to a command, and from the parser's errors to the contract's.

#[cfg(test)]
mod guesses;
mod repair;
mod scan;
mod synonyms;

use std::error::Error as _;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, Command};
use orch_contract::{ErrorCode, ErrorView};

use scan::{ScannedLine, split_clusters};

/// A command line that does not parse.
#[derive(Debug)]
pub enum EarlyExit {
    /// Help or the version, printed as it is.
    Document {
        /// The named command, as far as it parses.
        command: String,
        /// The text.
        text: String,
    },
    /// The command line is invalid.
    UsageError {
        /// The most likely command.
        command: String,
        /// The error.
        error: Box<ErrorView>,
    },
}

/// Parses the command line with the quick parser, and with the full one to explain errors and to print help.
///
/// # Errors
/// Help is requested, or the command line is invalid.
pub fn parse_quickly(
    mut quick: Command,
    whole: impl FnOnce() -> Command,
    arguments: &[OsString],
) -> Result<(ArgMatches, String), EarlyExit> {
    match quick.try_get_matches_from_mut(arguments) {
        Ok(matches) if is_plain(&quick, arguments) => {
            let command = command_path(quick.get_name(), &matches);
            Ok((matches, command))
        }
        Ok(_) | Err(_) => parse_arguments(whole(), arguments),
    }
}

/// Whether every option is one that the command has, and none is hidden in a text.
fn is_plain(parser: &Command, arguments: &[OsString]) -> bool {
    let Some(words) = utf8_words(arguments) else { return true };
    let line = ScannedLine::scan(parser, &words);
    line.first_unknown().is_none() && !(line.has_clusters() && line.text_argument().is_some())
}

fn utf8_words(arguments: &[OsString]) -> Option<Vec<String>> {
    arguments.iter().map(|argument| argument.to_str().map(str::to_owned)).collect()
}

/// Parses the command line.
///
/// # Errors
/// Help was asked for, or the command line is wrong.
pub fn parse_arguments(
    mut parser: Command,
    arguments: &[OsString],
) -> Result<(ArgMatches, String), EarlyExit> {
    let name = parser.get_name().to_owned();
    let mut arguments = help_without_output_options(arguments);
    let words = utf8_words(&arguments);
    if let Some(words) = &words {
        let line = ScannedLine::scan(&parser, words);
        if line.has_clusters() {
            arguments = split_clusters(&line, words).into_iter().map(OsString::from).collect();
        }
    }
    let arguments = &arguments[..];
    let unknown = |parser: &Command| {
        let problem = repair::diagnose(parser, words.as_deref()?)?;
        let command = likely_command(parser, arguments);
        let mut error = ErrorView::new(ErrorCode::InvalidArgument, problem.message).with_hint(problem.hint);
        if let Some(argument) = problem.argument {
            error = error.with_detail("argument", argument);
        }
        Some(EarlyExit::UsageError { command, error: Box::new(error) })
    };
    let error = match parser.try_get_matches_from_mut(arguments) {
        Ok(matches) => {
            if let Some(problem) = unknown(&parser) {
                return Err(problem);
            }
            let command = command_path(&name, &matches);
            return Ok((matches, command));
        }
        Err(error) => error,
    };
    if let Some(repaired) = insert_default_wait(&error, arguments)
        && let Ok(matches) = parser.try_get_matches_from_mut(repaired)
    {
        let command = command_path(&name, &matches);
        return Ok((matches, command));
    }
    let command = likely_command(&parser, arguments);
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            Err(EarlyExit::Document { command, text: error.render().to_string() })
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand if arguments.len() < 2 => {
            Err(EarlyExit::Document { command, text: error.render().to_string() })
        }
        _ => Err(unknown(&parser).unwrap_or_else(|| {
            let view = usage_error_view(&error, &command);
            EarlyExit::UsageError { command, error: Box::new(view) }
        })),
    }
}

/// Returns the names of the program, the groups and the command.
fn command_path(program: &str, matches: &ArgMatches) -> String {
    let mut path = program.to_owned();
    let mut level = matches;
    while let Some((name, inner)) = level.subcommand() {
        path.push(' ');
        path.push_str(name);
        level = inner;
    }
    path
}

/// Returns the most likely command of an invalid command line: the nested names of commands in it.
fn likely_command(parser: &Command, arguments: &[OsString]) -> String {
    let mut path = parser.get_name().to_owned();
    let mut level = parser;
    for argument in arguments.iter().skip(1) {
        if argument == "--" || !level.has_subcommands() {
            break;
        }
        if let Some(inner) = argument.to_str().and_then(|name| level.find_subcommand(name)) {
            path.push(' ');
            path.push_str(inner.get_name());
            level = inner;
        }
    }
    path
}

/// Removes output options after `help`, where the parser takes them for commands.
fn help_without_output_options(arguments: &[OsString]) -> Vec<OsString> {
    let help = arguments.get(1).is_some_and(|command| command == "help");
    let output = |argument: &&OsString| *argument == "--json" || *argument == "--text";
    arguments.iter().filter(|argument| !(help && output(argument))).cloned().collect()
}

/// Inserts the default duration after a `--wait` before a text, as in `ask --wait "Which one?"`.
///
/// The parser finds out that the text is no duration only by an error.
fn insert_default_wait(error: &clap::Error, arguments: &[OsString]) -> Option<Vec<OsString>> {
    let wait_refused = error.kind() == ErrorKind::ValueValidation
        && error_context(error, ContextKind::InvalidArg)
            .is_some_and(|argument| argument.starts_with("--wait"));
    let refused = error_context(error, ContextKind::InvalidValue).filter(|_| wait_refused)?;
    if refused.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let place = arguments.windows(2).position(|pair| pair[0] == "--wait" && pair[1] == *refused)?;
    let mut repaired = arguments.to_vec();
    repaired[place] = "--wait=100s".into();
    Some(repaired)
}

/// Converts an error of the parser.
fn usage_error_view(error: &clap::Error, command: &str) -> ErrorView {
    let argument = error_context(error, ContextKind::InvalidArg);
    let argument_name = argument.as_deref().map(first_word);
    let value = error_context(error, ContextKind::InvalidValue);
    let mut view =
        ErrorView::new(ErrorCode::InvalidArgument, usage_sentence(error, argument_name, value.as_deref()))
            .with_hint(format!("{command} --help"));
    if let Some(name) = argument_name {
        view = view.with_detail("argument", name);
    }
    if let Some(value) = value.filter(|value| !value.is_empty()) {
        view = view.with_detail("value", value);
    }
    view
}

fn usage_sentence(error: &clap::Error, argument: Option<&str>, value: Option<&str>) -> String {
    let name = argument.unwrap_or("An argument");
    match error.kind() {
        ErrorKind::InvalidUtf8 => "An argument is not valid UTF-8.".to_owned(),
        ErrorKind::UnknownArgument => {
            let what = if name.starts_with('-') { "unknown option" } else { "unexpected argument" };
            format!("{what} '{name}'.")
        }
        ErrorKind::InvalidSubcommand => {
            let given = error_context(error, ContextKind::InvalidSubcommand).unwrap_or_default();
            format!("unknown command '{given}'.")
        }
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            "A command is missing.".to_owned()
        }
        ErrorKind::MissingRequiredArgument => {
            format!("{} is missing.", argument.unwrap_or("A required argument"))
        }
        ErrorKind::ValueValidation => {
            let why = error.source().map(ToString::to_string).unwrap_or_default();
            format!("invalid value '{}' for {name}: {why}.", value.unwrap_or_default())
        }
        ErrorKind::InvalidValue if value.is_none_or(str::is_empty) => format!("{name} needs a value."),
        ErrorKind::InvalidValue => {
            let possible = error_context(error, ContextKind::ValidValue).unwrap_or_default();
            format!("invalid value '{}' for {name}; allowed: {possible}.", value.unwrap_or_default())
        }
        ErrorKind::ArgumentConflict => {
            let other = error_context(error, ContextKind::PriorArg).unwrap_or_default();
            let other = first_word(&other);
            if other == name || other.is_empty() {
                format!("{name} is given more than once.")
            } else {
                format!("{name} and {other} exclude each other.")
            }
        }
        _ => {
            let rendered = error.render().to_string();
            let first = rendered.lines().next().unwrap_or_default();
            let text = first.strip_prefix("error: ").unwrap_or(first);
            format!("The command line is wrong: {text}.")
        }
    }
}

/// Returns one part of the context of a parser's error.
fn error_context(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) => Some(texts.join(", ")),
        _ => None,
    }
}

/// Returns an argument's name: `--lease` for `--lease <D>`, `THREAD` for `<THREAD>` and `[THREAD]`.
fn first_word(text: &str) -> &str {
    let word = text.split(' ').next().unwrap_or(text);
    if word.starts_with('-') { word } else { word.trim_matches(['<', '>', '[', ']', '.']) }
}
