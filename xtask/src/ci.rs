//! `cargo xtask ci`: runs every check in order, with its time, up to the first failure.

use std::env;
use std::io::Write as _;
use std::path::Path;
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

/// The checks, cheapest first, so that simple mistakes fail early.
const STEPS: [CiStep; 9] = [
    CiStep { name: "format", run: check_format },
    CiStep { name: "tidy", run: check_tidy },
    CiStep { name: "generated documents", run: check_generated },
    CiStep { name: "dependencies", run: deny::run },
    CiStep { name: "clippy", run: run_clippy },
    CiStep { name: "check for macOS", run: check_for_macos },
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

/// Checks the shipped crates for macOS, if the toolchain has that target or can add it.
///
/// `cargo check` links nothing, so no C cross-compiler is needed: `true` replaces the one that would build SQLite.
fn check_for_macos() -> ChoreResult {
    const TARGET: &str = "aarch64-apple-darwin";
    let added = Command::new("rustup").args(["target", "add", TARGET]).stderr(Stdio::null()).status();
    if !added.is_ok_and(|status| status.success()) && !has_target(TARGET) {
        print_line(&format!("Not run: this toolchain has no target {TARGET}, and rustup could not add it."));
        return Ok(());
    }
    let without = ["--exclude", "orch-bench", "--exclude", "orch-testkit", "--exclude", "xtask"];
    let arguments = ["check", "--workspace", "--lib", "--bins", "--locked", "--target", TARGET];
    let stand_ins = [("CC_aarch64_apple_darwin", "true"), ("AR_aarch64_apple_darwin", "true")];
    run_cargo(&[&arguments[..], &without].concat(), &stand_ins)
}

/// Whether the toolchain has the standard library of a target.
fn has_target(target: &str) -> bool {
    let folder = Command::new("rustc").args(["--print", "target-libdir", "--target", target]).output();
    folder.is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir())
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

/// Prints a line and flushes it, so that it precedes the output of a child process.
fn print_line(line: &str) {
    println!("{line}");
    // The checks continue if stdout is closed.
    let _ = std::io::stdout().flush();
}
