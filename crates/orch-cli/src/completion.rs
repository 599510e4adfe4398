//! Completions in a shell: options and values by the parser, names by the store.

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use clap::{Arg, Command};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use clap_complete::env::Shells;
use orch_app::completion::CompletedName;
use orch_app::environment::ProcessEnvironment;
use orch_app::{App, CallOptions, CallerRules};
use orch_core::check::{CheckIdentity, FlakyVerdict};
use orch_core::event::AwaitedEvent;
use orch_core::run::{BranchMovePolicy, DoneWhen, ReviewPolicy};
use orch_core::task::TaskState;

use crate::program::CliProgram;
use crate::respond::{OutputMode, ReplyPrinter};

/// Returns the variable by which a shell's script asks a program for completions.
fn completion_variable(program: &str) -> String {
    format!("{}_COMPLETE", program.to_uppercase())
}

/// Answers the script of a shell that asks for completions; `None` for any other call.
pub(crate) fn answer_shell<P: CliProgram>() -> Option<ExitCode> {
    let shell = std::env::var(completion_variable(P::IDENTITY.program)).ok()?;
    let shells = Shells::builtins();
    let completer = shells.completer(&shell)?;
    let words: Vec<OsString> = std::env::args_os().skip_while(|word| word != "--").skip(1).collect();
    let mut parser = with_names(P::full_parser(), P::IDENTITY.caller);
    let mut answer = Vec::new();
    // A shell shows no error of a completion.
    let _ =
        completer.write_complete(&mut parser, words, std::env::current_dir().ok().as_deref(), &mut answer);
    let printer = ReplyPrinter::new(OutputMode::Json, &ProcessEnvironment);
    let _ = printer.print_document("completions", &String::from_utf8_lossy(&answer), false);
    Some(ExitCode::SUCCESS)
}

/// Returns the script that makes a shell ask the program for completions.
pub(crate) fn registration_script(shell: &str, program: &str) -> Option<String> {
    let shells = Shells::builtins();
    let mut script = Vec::new();
    let variable = completion_variable(program);
    shells.completer(shell)?.write_registration(&variable, program, program, program, &mut script).ok()?;
    Some(String::from_utf8_lossy(&script).into_owned())
}

/// Adds the names of the store to the arguments that name something.
fn with_names(command: Command, rules: CallerRules) -> Command {
    let command = command.mut_args(|argument| {
        let words = words_of(&argument);
        if !words.is_empty() {
            return argument.add(ArgValueCompleter::new(move |given: &OsStr| matching(&words, given)));
        }
        match named_by(&argument) {
            Some(name) => {
                argument.add(ArgValueCompleter::new(move |given: &OsStr| complete_name(name, given, rules)))
            }
            None => argument,
        }
    });
    command.mut_subcommands(|command| with_names(command, rules))
}

/// Returns what an argument names, by the name of its value.
fn named_by(argument: &Arg) -> Option<CompletedName> {
    let value = argument.get_value_names().and_then(|names| names.first())?;
    match value.as_str() {
        "RUN" => Some(CompletedName::Run),
        "TASK" | "ON" => Some(CompletedName::Task),
        // The keys of `--after`; a new task's own key is new.
        "KEY" if argument.get_id() == "after" => Some(CompletedName::Task),
        "AGENT" | "QUEUE" => Some(CompletedName::Agent),
        "NAME" if argument.get_id() == "who" => Some(CompletedName::Agent),
        "PROFILE" | "PROFILE=N" | "PROFILE[=N]" => Some(CompletedName::Profile),
        "BRANCH" | "REV" => Some(CompletedName::Branch),
        _ => None,
    }
}

/// Returns the words that an argument may be, where it is one of a few.
fn words_of(argument: &Arg) -> Vec<&'static str> {
    match argument.get_id().as_str() {
        "done_when" => DoneWhen::ALL.map(DoneWhen::name).to_vec(),
        "review" => ReviewPolicy::ALL.map(ReviewPolicy::name).to_vec(),
        "on_branch_move" => BranchMovePolicy::ALL.map(BranchMovePolicy::name).to_vec(),
        "check_by" => CheckIdentity::ALL.map(CheckIdentity::name).to_vec(),
        "flaky" => FlakyVerdict::ALL.map(FlakyVerdict::name).to_vec(),
        "wakes" => AwaitedEvent::ALL.map(AwaitedEvent::name).to_vec(),
        "states" => TaskState::ALL.map(TaskState::name).to_vec(),
        _ => Vec::new(),
    }
}

fn complete_name(name: CompletedName, given: &OsStr, rules: CallerRules) -> Vec<CompletionCandidate> {
    let mut app = App::new("completion".to_owned(), rules, CallOptions::default(), &ProcessEnvironment);
    matching(&app.list_completions(name), given)
}

/// Returns the names that begin with what is given, or with what is given after the last comma.
fn matching<T: AsRef<str>>(names: &[T], given: &OsStr) -> Vec<CompletionCandidate> {
    let Some(given) = given.to_str() else { return Vec::new() };
    let (before, last) = given.rfind(',').map_or(("", given), |comma| given.split_at(comma + 1));
    let fitting = names.iter().map(AsRef::as_ref).filter(|name| name.starts_with(last));
    fitting.map(|name| CompletionCandidate::new(format!("{before}{name}"))).collect()
}
