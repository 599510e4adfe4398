//! `cargo xtask ci`: every check in order, with its time, up to the first failure.

use std::env;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::agents::NOT_RUN;
use crate::tree::{ChoreResult, repository_root};
use crate::{deny, docs, tidy};

/// A named check.
struct CiStep {
    name: &'static str,
    run: fn() -> ChoreResult,
}

/// From the cheapest to the dearest, so that a slip shows early.
const STEPS: [CiStep; 8] = [
    CiStep { name: "format", run: check_format },
    CiStep { name: "tidy", run: check_tidy },
    CiStep { name: "generated documents", run: check_generated },
    CiStep { name: "dependencies", run: deny::run },
    CiStep { name: "clippy", run: run_clippy },
    CiStep { name: "tests", run: run_tests },
    CiStep { name: "documentation tests", run: run_documentation_tests },
    CiStep { name: "documentation", run: build_documentation },
];

/// Runs every step.
pub(crate) fn run() -> ChoreResult {
    let begin = Instant::now();
    for (index, step) in STEPS.iter().enumerate() {
        let (number, all, name) = (index + 1, STEPS.len(), step.name);
        print_line(&format!("[{number}/{all}] {name}"));
        let since = Instant::now();
        let done = (step.run)();
        let seconds = since.elapsed().as_secs_f64();
        if let Err(message) = done {
            return Err(format!("step {number} of {all}, {name}, failed after {seconds:.1} s: {message}"));
        }
        print_line(&format!("[{number}/{all}] {name}: ok, {seconds:.1} s"));
    }
    print_line(&format!("All {} steps passed in {:.1} s.", STEPS.len(), begin.elapsed().as_secs_f64()));
    print_line(NOT_RUN);
    Ok(())
}

fn check_format() -> ChoreResult {
    run_cargo(&["fmt", "--all", "--check"], &[])
}

fn check_tidy() -> ChoreResult {
    tidy::run(&tidy::TidyArgs::default())
}

fn check_generated() -> ChoreResult {
    docs::run(true)
}

fn run_clippy() -> ChoreResult {
    run_cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"], &[])
}

/// Runs the tests with nextest where it is installed: it is faster and names slow tests.
fn run_tests() -> ChoreResult {
    if has_nextest() {
        run_cargo(&["nextest", "run", "--workspace", "--locked", "--no-fail-fast"], &[])
    } else {
        run_cargo(&["test", "--workspace", "--locked", "--no-fail-fast", "--lib", "--bins", "--tests"], &[])
    }
}

fn run_documentation_tests() -> ChoreResult {
    run_cargo(&["test", "--workspace", "--locked", "--doc", "--quiet"], &[])
}

fn build_documentation() -> ChoreResult {
    run_cargo(
        &["doc", "--workspace", "--locked", "--no-deps", "--document-private-items"],
        &[("RUSTDOCFLAGS", "-D warnings")],
    )
}

fn has_nextest() -> bool {
    Command::new(cargo_program())
        .args(["nextest", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Runs cargo in the root, with its output passed through.
pub(crate) fn run_cargo(arguments: &[&str], variables: &[(&str, &str)]) -> ChoreResult {
    let line = format!("cargo {}", arguments.join(" "));
    print_line(&format!("$ {line}"));
    let status = Command::new(cargo_program())
        .args(arguments)
        .envs(variables.iter().copied())
        .current_dir(repository_root())
        .status()
        .map_err(|error| format!("`{line}` could not be started: {error}."))?;
    if status.success() { Ok(()) } else { Err(format!("`{line}` ended with {status}.")) }
}

/// The cargo that started this program, else the one on PATH.
pub(crate) fn cargo_program() -> String {
    env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

/// Prints a line at once: what a child prints must come after it.
fn print_line(line: &str) {
    println!("{line}");
    // A closed pipe is no reason to stop checking.
    let _ = std::io::stdout().flush();
}
