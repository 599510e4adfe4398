//! The entry of every command: parse, run, print, checkpoint.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use orch_contract::{ErrorCode, ErrorView};
use orch_core::id::Slug;
use orch_core::shell;
use serde_json::Value;

use crate::completion;
use crate::context::CommandRuntime;
use crate::interrupts;
use crate::program::CliProgram;
use crate::respond::{
    CommandOutcome, OutputMode, ReplyPrinter, RequestedFormat, WriteOutcome, count_printed_bytes,
};
use crate::usage::{self, EarlyExit};
use orch_app::environment::{ProcessEnvironment, VariableSource};
use orch_app::{AppError, RetryAdvice};

/// Runs the program of the executable's name: `inbox` under that name, else `orch`.
#[must_use]
pub fn run_by_file_name() -> ExitCode {
    let name = std::env::args_os().next().map(std::path::PathBuf::from);
    match name.as_deref().and_then(Path::file_stem) {
        Some(stem) if stem == "inbox" => run_to_exit_code::<crate::inbox::InboxCli>(),
        _ => run_to_exit_code::<crate::orch::OrchCli>(),
    }
}

/// Runs a program from its arguments to its exit status.
#[must_use]
pub fn run_to_exit_code<P: CliProgram>() -> ExitCode {
    if let Some(code) = orch_app::serve_check_guard() {
        return code;
    }
    if let Some(code) = completion::answer_shell::<P>() {
        return code;
    }
    interrupts::exit_on_interrupt();
    let name = OsString::from(P::IDENTITY.program);
    // The program's own name is fixed, so that help and hints do not depend on the executable's path.
    let arguments: Vec<OsString> = std::iter::once(name).chain(std::env::args_os().skip(1)).collect();
    let status = run_with_arguments::<P>(&arguments, &ProcessEnvironment);
    orch_app::withdraw_presence();
    ExitCode::from(status)
}

fn run_with_arguments<P: CliProgram>(arguments: &[OsString], environment: &dyn VariableSource) -> u8 {
    let wish = requested_format(arguments);
    let guess = ReplyPrinter::new(OutputMode::guess_mode(wish, environment), environment);
    let (program, command) = match P::take_reexec_command().unwrap_or_else(|| parse_program(arguments)) {
        Ok(read) => read,
        Err(EarlyExit::Document { command, text }) => {
            return exit_status(
                guess.print_document(&command, &text, wish.is_json_requested(environment)),
                0,
            );
        }
        Err(EarlyExit::UsageError { command, error }) => return print_failure(guess, &command, &error),
    };
    let globals = program.global_options().clone();
    let wish = globals.requested_format();
    let printer = match OutputMode::choose_mode(wish, environment) {
        Ok(mode) => ReplyPrinter::new(mode, environment).with_quiet(globals.quiet),
        Err(failure) => return print_failure(guess, &command, &attach_hint(failure, &command, arguments)),
    };
    if let Some(folder) = &globals.directory
        && let Err(failure) = enter_folder(folder)
    {
        return print_failure(printer, &command, &attach_hint(failure, &command, arguments));
    }
    let (store, who, folder) = (globals.store.clone(), globals.who.clone(), globals.directory.clone());
    let is_json = wish.is_json_requested(environment);
    let mut context = CommandRuntime::new(P::IDENTITY, command.clone(), globals, environment, printer);
    let exit = match program.run(&mut context) {
        Ok(outcome) => print_outcome(printer, &command, outcome, &context.app().warnings(), is_json),
        Err(failure) => {
            let mut error = attach_hint(failure, &command, arguments);
            let complete = |hint: String| {
                let hint = add_store_option(hint, store.as_deref());
                let hint = add_agent_option(hint, P::IDENTITY.program, who.as_ref());
                add_folder_option(hint, folder.as_deref())
            };
            error.hint = error.hint.map(&complete);
            for (name, value) in error.details.iter_mut().flatten() {
                complete_commands(value, name == "next", &complete);
            }
            print_failure(printer, &command, &error)
        }
    };
    context.app().record_meter(count_printed_bytes());
    context.app().checkpoint_if_due();
    // The process exits here; the system frees memory, files and locks faster than destructors do.
    std::mem::forget(context);
    exit
}

/// Parses the command line.
fn parse_program<P: CliProgram>(arguments: &[OsString]) -> Result<(P, String), EarlyExit> {
    let (matches, command) = usage::parse_quickly(P::quick_parser(), P::full_parser, arguments)?;
    match P::from_arg_matches(&matches) {
        Ok(program) => {
            let alone = P::DEFAULT_COMMAND.filter(|_| command == P::IDENTITY.program);
            Ok((program, alone.map_or(command, str::to_owned)))
        }
        Err(error) => {
            let error =
                ErrorView::new(ErrorCode::Internal, format!("The command line was misread: {error}."));
            Err(EarlyExit::UsageError { command, error: Box::new(error) })
        }
    }
}

/// Changes the working folder, as `-C` asks, before anything is looked for.
fn enter_folder(folder: &Path) -> Result<(), AppError> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the program has no other thread yet, and every path of the command line is relative to this folder"
    )]
    std::env::set_current_dir(folder).map_err(|error| {
        AppError::invalid_argument(
            "-C",
            format!("The folder {} cannot be entered: {error}.", folder.display()),
        )
    })
}

/// Finds the requested format without parsing the command line, to report that it does not parse.
fn requested_format(arguments: &[OsString]) -> RequestedFormat {
    let options = arguments.iter().take_while(|argument| *argument != "--");
    let words: Vec<&str> = options.map(|argument| argument.to_str().unwrap_or_default()).collect();
    let asks_for = |format: &str| {
        let is_output = |word: &str| word == "-o" || word == "--output";
        words.iter().any(|word| word.strip_prefix("--") == Some(format))
            || words.windows(2).any(|pair| is_output(pair[0]) && pair[1] == format)
            || words.iter().any(|word| {
                let attached = word.strip_prefix("--output=").or_else(|| word.strip_prefix("-o"));
                attached.map(|value| value.trim_start_matches('=')) == Some(format)
            })
    };
    RequestedFormat { json: asks_for("json"), text: asks_for("text") }
}

/// Prints the outcome of a command and returns the exit status.
fn print_outcome(
    printer: ReplyPrinter,
    command: &str,
    outcome: CommandOutcome,
    warnings: &[String],
    is_json: bool,
) -> u8 {
    let (written, status) = match outcome {
        CommandOutcome::Reply(answer) => (printer.print_reply(command, answer.as_ref(), warnings), 0),
        CommandOutcome::ReplyWithStatus(answer, status) => {
            (printer.print_reply(command, answer.as_ref(), warnings), status)
        }
        CommandOutcome::Document(text) => (printer.print_document(command, &text, is_json), 0),
        CommandOutcome::Raw(bytes, answer) => {
            (printer.print_raw(command, &bytes, answer.as_ref(), warnings, is_json), 0)
        }
        CommandOutcome::Streamed => (WriteOutcome::Complete, 0),
        CommandOutcome::StreamedWithStatus(status) => (WriteOutcome::Complete, status),
    };
    exit_status(written, status)
}

fn print_failure(printer: ReplyPrinter, command: &str, error: &ErrorView) -> u8 {
    exit_status(printer.print_failure(command, error), error.code.0.exit_status())
}

/// Returns the exit status: a closed pipe is not an error, an answer that could not be written is.
fn exit_status(written: WriteOutcome, status: u8) -> u8 {
    match written {
        WriteOutcome::Complete | WriteOutcome::NoReader => status,
        WriteOutcome::Failed => ErrorCode::Internal.exit_status(),
    }
}

/// Adds the hint: the command to repeat, where the error has advice for it, else the help of a wrong request.
fn attach_hint(failure: AppError, command: &str, arguments: &[OsString]) -> ErrorView {
    let mut error = *failure.view;
    if let Some(RetryAdvice::WithRun(runs)) = &failure.retry {
        let texts: Vec<&str> = arguments.iter().filter_map(|argument| argument.to_str()).collect();
        let next: Vec<String> = runs.iter().take(RUNS_HINTED).map(|run| with_run(&texts, run)).collect();
        error = error.with_detail("next", next);
    }
    if error.hint.is_none() {
        error.hint = match failure.retry {
            Some(retry) => Some(retry_command(arguments, &retry)),
            // The help is the best hint for a request that is wrong.
            None if matches!(error.code.0.exit_status(), 2..=4) => Some(format!("{command} --help")),
            None => None,
        };
    }
    error
}

/// Completes the commands in `next` below a value, as hints are.
fn complete_commands(value: &mut Value, is_next: bool, complete: &dyn Fn(String) -> String) {
    match value {
        Value::String(command) if is_next => *command = complete(std::mem::take(command)),
        Value::Array(values) => {
            values.iter_mut().for_each(|value| complete_commands(value, is_next, complete));
        }
        Value::Object(fields) => fields.iter_mut().for_each(|(name, value)| {
            complete_commands(value, name == "next", complete);
        }),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Adds the store of the command line to a hint, so that the pasted command finds that store.
fn add_store_option(hint: String, store: Option<&str>) -> String {
    let Some(store) = store else { return hint };
    let ours = hint.starts_with("orch ") || hint.starts_with("inbox ");
    let needs_none = hint.contains(" --store") || hint.ends_with(" --help") || hint.ends_with(" --version");
    if !ours || needs_none { hint } else { format!("{hint} --store {}", shell::quote_word(store)) }
}

/// Adds the agent of the command line to a hint, so that the pasted command runs as that agent.
fn add_agent_option(hint: String, program: &str, who: Option<&Slug>) -> String {
    let Some(who) = who else { return hint };
    let ours = hint.split(' ').next() == Some(program);
    let needs_none = hint.contains(" --as ")
        || hint.contains(" --as=")
        || hint.ends_with(" --help")
        || hint.ends_with(" --version");
    if !ours || needs_none { hint } else { format!("{hint} --as {who}") }
}

/// Adds the folder of the command line to a hint, so that the pasted command runs there.
fn add_folder_option(hint: String, folder: Option<&Path>) -> String {
    let Some(folder) = folder else { return hint };
    let ours = hint.starts_with("orch ") || hint.starts_with("inbox ");
    let needs_none = hint.contains(" -C") || hint.ends_with(" --help") || hint.ends_with(" --version");
    if !ours || needs_none {
        hint
    } else {
        format!("{hint} -C {}", shell::quote_word(&folder.display().to_string()))
    }
}

/// How many runs an error offers.
const RUNS_HINTED: usize = 10;

/// Returns a command line for one run.
fn with_run(words: &[&str], run: &str) -> String {
    let end = words.iter().position(|word| *word == "--").unwrap_or(words.len());
    let (options, texts) = words.split_at(end);
    shell::join_words(options.iter().copied().chain(["--run", run]).chain(texts.iter().copied()))
}

fn retry_command(arguments: &[OsString], again: &RetryAdvice) -> String {
    // The token is a secret, and a hint is printed and logged.
    let texts = arguments.iter().filter_map(|argument| argument.to_str());
    let mut hides_next = false;
    let texts: Vec<&str> = texts
        .map(|word| {
            let is_token = std::mem::replace(&mut hides_next, word == "--token");
            match word {
                _ if is_token => "TOKEN",
                word if word.starts_with("--token=") => "--token=TOKEN",
                word => word,
            }
        })
        .collect();
    let cursor = match again {
        RetryAdvice::AfterCursor(cursor) => cursor,
        RetryAdvice::WithRun(runs) => {
            let run = runs.first().map_or("RUN", String::as_str);
            return with_run(&texts, run);
        }
        RetryAdvice::Unchanged => return shell::join_words(texts),
        RetryAdvice::WithOption(option) => {
            let given = option.split_once('=').map_or(*option, |(name, _)| name);
            let words = if given.len() < option.len() { without_option(texts, given) } else { texts };
            return shell::join_words(words.into_iter().chain([*option]));
        }
    };
    let mut words = without_option(texts, "--after");
    words.extend(["--after", cursor]);
    shell::join_words(words)
}

/// Returns a command line without an option that has a value.
fn without_option<'a>(words: Vec<&'a str>, option: &str) -> Vec<&'a str> {
    let mut left = Vec::new();
    let mut rest = words.into_iter();
    while let Some(word) = rest.next() {
        if word == option {
            rest.next();
        } else if word.strip_prefix(option).is_none_or(|value| !value.starts_with('=')) {
            left.push(word);
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split_words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn a_wait_continues_from_its_cursor() {
        let after = RetryAdvice::AfterCursor("m-9".to_owned());
        for (line, expected) in [
            ("inbox wait --timeout 1s", "inbox wait --timeout 1s --after m-9"),
            ("inbox wait --after m-3 --for a", "inbox wait --for a --after m-9"),
            ("inbox wait --after=m-3", "inbox wait --after m-9"),
        ] {
            assert_eq!(retry_command(&split_words(line), &after), expected);
        }
        assert_eq!(
            retry_command(&split_words("inbox ask Q --wait"), &RetryAdvice::Unchanged),
            "inbox ask Q --wait"
        );
        for line in ["inbox ask Q --token secret --wait", "inbox ask Q --token=secret --wait"] {
            let hint = retry_command(&split_words(line), &RetryAdvice::Unchanged);
            assert_eq!(hint.replace('=', " "), "inbox ask Q --token TOKEN --wait");
        }
        let prefix = RetryAdvice::WithOption("--branch-prefix=PREFIX");
        assert_eq!(
            retry_command(&split_words("orch run init x --branch-prefix taken"), &prefix),
            "orch run init x --branch-prefix=PREFIX"
        );
        let update = RetryAdvice::WithOption("--update");
        assert_eq!(
            retry_command(&split_words("orch task add --file p"), &update),
            "orch task add --file p --update"
        );
    }

    #[test]
    fn a_hint_names_the_store_that_was_named() {
        for (hint, store, expected) in [
            ("orch run list", None, "orch run list"),
            ("orch run list", Some("a b.db"), "orch run list --store 'a b.db'"),
            ("orch wait --store x --after e-1", Some("x"), "orch wait --store x --after e-1"),
            ("orch run show --help", Some("x"), "orch run show --help"),
            ("ls -ld x", Some("x"), "ls -ld x"),
        ] {
            assert_eq!(add_store_option(hint.to_owned(), store), expected);
        }
    }

    #[test]
    fn a_hint_names_who_was_named() {
        let ana = Slug::new("ana").unwrap();
        for (hint, who, expected) in [
            ("inbox show th-1", None, "inbox show th-1"),
            ("inbox show th-1", Some(&ana), "inbox show th-1 --as ana"),
            ("inbox wait --as ana --after m-1", Some(&ana), "inbox wait --as ana --after m-1"),
            ("inbox claim --help", Some(&ana), "inbox claim --help"),
            ("orch init", Some(&ana), "orch init"),
        ] {
            assert_eq!(add_agent_option(hint.to_owned(), "inbox", who), expected);
        }
    }

    #[test]
    fn the_requested_format_is_read_up_to_the_double_dash() {
        assert_eq!(
            requested_format(&split_words("inbox list --json")),
            RequestedFormat { json: true, text: false }
        );
        for line in ["inbox list -o json", "inbox list --output=json", "inbox list -ojson"] {
            assert!(requested_format(&split_words(line)).json, "{line}");
        }
        assert_eq!(requested_format(&split_words("inbox reply th-1 -- --json")), RequestedFormat::default());
    }
}
