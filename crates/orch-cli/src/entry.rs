//! The way of every command: parse, run, print, tend.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};
use orch_contract::{Code, ErrorView};
use orch_core::id::Slug;
use orch_core::shell;

use crate::arguments::Globals;
use crate::context::{Context, Identity};
use crate::environment::{Environment, OUTPUT, ProcessEnvironment};
use crate::failure::{Again, Failure};
use crate::interrupts;
use crate::respond::{Mode, Outcome, Printer, Wish, Written};
use crate::usage::{self, NoCommand};

/// One of the two programs: its command line, and what its commands do.
pub trait Program: CommandFactory + FromArgMatches {
    /// Which one it is.
    const IDENTITY: Identity;

    /// The command line as the parser knows it, with the options of every command.
    #[must_use]
    fn parser() -> clap::Command {
        let mut parser = Self::quick_parser();
        parser.build();
        parser
    }

    /// The same, where the options of a command are not known before it is met: most of them never are.
    #[must_use]
    fn quick_parser() -> clap::Command {
        let variable = Self::IDENTITY.agent_variable;
        let default = Self::IDENTITY.agent_default.map(|name| format!(", else {name}")).unwrap_or_default();
        Self::command().mut_arg("who", |who| who.help(format!("Who you are{default} [env: {variable}]")))
    }

    /// The command that this process goes on with after it has become its program again, and its name.
    fn kept() -> Option<Result<(Self, String), NoCommand>> {
        None
    }

    /// The options that every command takes.
    fn globals(&self) -> &Globals;

    /// Does what the command line asks for.
    ///
    /// # Errors
    /// The command failed; nothing was changed.
    fn run(self, context: &mut Context<'_>) -> Result<Outcome, Failure>;
}

/// Runs the program that the file was called as: `inbox` under that name, else `orch`.
#[must_use]
pub fn called() -> ExitCode {
    let name = std::env::args_os().next().map(std::path::PathBuf::from);
    match name.as_deref().and_then(std::path::Path::file_stem) {
        Some(stem) if stem == "inbox" => main::<crate::inbox::Inbox>(),
        _ => main::<crate::orch::Orch>(),
    }
}

/// Runs a program from its arguments to its exit status.
#[must_use]
pub fn main<P: Program>() -> ExitCode {
    interrupts::end_at_once();
    let name = OsString::from(P::IDENTITY.program);
    // The program's own name is fixed, so that help and hints do not change with how it was called.
    let arguments: Vec<OsString> = std::iter::once(name).chain(std::env::args_os().skip(1)).collect();
    ExitCode::from(run::<P>(&arguments, &ProcessEnvironment))
}

fn run<P: Program>(arguments: &[OsString], environment: &dyn Environment) -> u8 {
    let wish = wish(arguments);
    let guess = Printer::new(Mode::guess(wish, environment), environment);
    let (program, command) = match P::kept().unwrap_or_else(|| read(arguments)) {
        Ok(read) => read,
        Err(NoCommand::Document { command, text }) => {
            return status(guess.document(&command, &text, json_wanted(wish, environment)), 0);
        }
        Err(NoCommand::Wrong { command, error }) => return fail(guess, &command, &error),
    };
    let globals = program.globals().clone();
    let wish = Wish { json: globals.json, text: globals.text };
    let printer = match Mode::choose(wish, environment) {
        Ok(mode) => Printer::new(mode, environment),
        Err(failure) => return fail(guess, &command, &with_hint(failure, &command, arguments)),
    };
    let (store, who) = (globals.store.clone(), globals.who.clone());
    let mut context = Context::new(P::IDENTITY, command.clone(), globals, environment, printer);
    let exit = match program.run(&mut context) {
        Ok(outcome) => {
            let exit = match &outcome {
                Outcome::Answer(_) | Outcome::Document(_) | Outcome::Raw(..) | Outcome::Streamed => 0,
                Outcome::StreamedAs(exit) | Outcome::AnswerAs(_, exit) => *exit,
            };
            let written = match outcome {
                Outcome::Answer(answer) => printer.answer(&command, answer.as_ref(), context.warnings()),
                Outcome::Document(text) => printer.document(&command, &text, json_wanted(wish, environment)),
                Outcome::Raw(bytes, answer) => {
                    let json = json_wanted(wish, environment);
                    printer.raw(&command, &bytes, answer.as_ref(), context.warnings(), json)
                }
                Outcome::Streamed | Outcome::StreamedAs(_) => Written::Whole,
                Outcome::AnswerAs(answer, _) => printer.answer(&command, answer.as_ref(), context.warnings()),
            };
            status(written, exit)
        }
        Err(failure) => {
            let mut error = with_hint(failure, &command, arguments);
            let hint = error.hint.map(|hint| in_store(hint, store.as_deref()));
            error.hint = hint.map(|hint| by_whom(hint, P::IDENTITY.program, who.as_ref()));
            fail(printer, &command, &error)
        }
    };
    context.meter();
    context.tend();
    // The process ends here, and takes memory, files and locks with it sooner than they are given back one by one.
    std::mem::forget(context);
    exit
}

/// Understands the command line.
fn read<P: Program>(arguments: &[OsString]) -> Result<(P, String), NoCommand> {
    let (matches, command) = usage::parse_quickly(P::quick_parser(), P::parser, arguments)?;
    match P::from_arg_matches(&matches) {
        Ok(program) => Ok((program, command)),
        Err(error) => {
            let error = ErrorView::new(Code::Internal, format!("The command line was misread: {error}."));
            Err(NoCommand::Wrong { command, error: Box::new(error) })
        }
    }
}

/// What the command line asks for, read without understanding it: good enough to report that it is wrong.
fn wish(arguments: &[OsString]) -> Wish {
    let options = arguments.iter().take_while(|argument| *argument != "--");
    options.fold(Wish::default(), |wish, argument| Wish {
        json: wish.json || argument == "--json",
        text: wish.text || argument == "--text",
    })
}

/// Whether JSON was asked for in so many words.
fn json_wanted(wish: Wish, environment: &dyn Environment) -> bool {
    wish.json || (!wish.text && environment.raw(OUTPUT).is_some_and(|value| value == "json"))
}

fn fail(printer: Printer, command: &str, error: &ErrorView) -> u8 {
    status(printer.failure(command, error), error.code.0.exit_status())
}

/// The exit status: a reader who went away is none of our business, an answer that could not be written is.
fn status(written: Written, status: u8) -> u8 {
    match written {
        Written::Whole | Written::NoReader => status,
        Written::Failed => Code::Internal.exit_status(),
    }
}

/// A wait that timed out hints at the same command, going on from its cursor; a plan that is there already at its
/// update; what is wrong with the request itself at the help.
fn with_hint(failure: Failure, command: &str, arguments: &[OsString]) -> ErrorView {
    let mut error = *failure.error;
    if error.hint.is_none() {
        error.hint = match failure.again {
            Some(again) => Some(same_command(arguments, &again)),
            // Nothing better is known than how the command is called.
            None if matches!(error.code.0.exit_status(), 2..=4) => Some(format!("{command} --help")),
            None => None,
        };
    }
    error
}

/// The same command for the store that was named on the command line: pasted, it must find that one.
fn in_store(hint: String, store: Option<&str>) -> String {
    let Some(store) = store else { return hint };
    let ours = hint.starts_with("orch ") || hint.starts_with("inbox ");
    let needs_none = hint.contains(" --store") || hint.ends_with(" --help") || hint.ends_with(" --version");
    if !ours || needs_none { hint } else { format!("{hint} --store {}", shell::quoted(store)) }
}

/// The same command by who was named on the command line: nobody else may be meant, or nobody at all.
fn by_whom(hint: String, program: &str, who: Option<&Slug>) -> String {
    let Some(who) = who else { return hint };
    let ours = hint.split(' ').next() == Some(program);
    let needs_none = hint.contains(" --as ")
        || hint.contains(" --as=")
        || hint.ends_with(" --help")
        || hint.ends_with(" --version");
    if !ours || needs_none { hint } else { format!("{hint} --as {who}") }
}

fn same_command(arguments: &[OsString], again: &Again) -> String {
    let texts: Vec<&str> = arguments.iter().filter_map(|argument| argument.to_str()).collect();
    let cursor = match again {
        Again::After(cursor) => cursor,
        Again::Same => return shell::line(texts),
        Again::With(option) => return shell::line(texts.into_iter().chain([*option])),
    };
    let mut words = Vec::new();
    let mut rest = texts.into_iter();
    while let Some(word) = rest.next() {
        if word == "--after" {
            rest.next();
        } else if !word.starts_with("--after=") {
            words.push(word);
        }
    }
    words.extend(["--after", cursor]);
    shell::line(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn a_wait_goes_on_from_its_cursor() {
        let after = Again::After("m-9".to_owned());
        for (line, expected) in [
            ("inbox wait --timeout 1s", "inbox wait --timeout 1s --after m-9"),
            ("inbox wait --after m-3 --for a", "inbox wait --for a --after m-9"),
            ("inbox wait --after=m-3", "inbox wait --after m-9"),
        ] {
            assert_eq!(same_command(&words(line), &after), expected);
        }
        assert_eq!(same_command(&words("inbox ask Q --wait"), &Again::Same), "inbox ask Q --wait");
        let update = Again::With("--update");
        assert_eq!(
            same_command(&words("orch task add --file p"), &update),
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
            assert_eq!(in_store(hint.to_owned(), store), expected);
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
            assert_eq!(by_whom(hint.to_owned(), "inbox", who), expected);
        }
    }

    #[test]
    fn the_wish_is_read_up_to_the_double_dash() {
        assert_eq!(wish(&words("inbox list --json")), Wish { json: true, text: false });
        assert_eq!(wish(&words("inbox reply th-1 -- --json")), Wish::default());
    }
}
