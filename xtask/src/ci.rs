//! `cargo xtask ci`: every check in order, with its time, up to the first failure.

use std::env;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::agents::NOT_RUN;
use crate::tree::{Done, root};
use crate::{deny, docs, tidy};

/// A named check.
struct Step {
    name: &'static str,
    run: fn() -> Done,
}

/// From the cheapest to the dearest, so that a slip shows early.
const STEPS: [Step; 8] = [
    Step { name: "format", run: format },
    Step { name: "tidy", run: laws },
    Step { name: "generated documents", run: generated },
    Step { name: "dependencies", run: deny::run },
    Step { name: "clippy", run: clippy },
    Step { name: "tests", run: tests },
    Step { name: "documentation tests", run: documentation_tests },
    Step { name: "documentation", run: documentation },
];

/// Runs every step.
pub(crate) fn run() -> Done {
    let begin = Instant::now();
    for (index, step) in STEPS.iter().enumerate() {
        let (number, all, name) = (index + 1, STEPS.len(), step.name);
        say(&format!("[{number}/{all}] {name}"));
        let since = Instant::now();
        let done = (step.run)();
        let seconds = since.elapsed().as_secs_f64();
        if let Err(message) = done {
            return Err(format!("step {number} of {all}, {name}, failed after {seconds:.1} s: {message}"));
        }
        say(&format!("[{number}/{all}] {name}: ok, {seconds:.1} s"));
    }
    say(&format!("All {} steps passed in {:.1} s.", STEPS.len(), begin.elapsed().as_secs_f64()));
    say(NOT_RUN);
    Ok(())
}

fn format() -> Done {
    cargo(&["fmt", "--all", "--check"], &[])
}

fn laws() -> Done {
    tidy::run(&tidy::Tidy::default())
}

fn generated() -> Done {
    docs::run(true)
}

fn clippy() -> Done {
    cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"], &[])
}

/// Runs the tests with nextest where it is installed: it is faster and names slow tests.
fn tests() -> Done {
    if has_nextest() {
        cargo(&["nextest", "run", "--workspace", "--locked", "--no-fail-fast"], &[])
    } else {
        cargo(&["test", "--workspace", "--locked", "--no-fail-fast", "--lib", "--bins", "--tests"], &[])
    }
}

fn documentation_tests() -> Done {
    cargo(&["test", "--workspace", "--locked", "--doc", "--quiet"], &[])
}

fn documentation() -> Done {
    cargo(
        &["doc", "--workspace", "--locked", "--no-deps", "--document-private-items"],
        &[("RUSTDOCFLAGS", "-D warnings")],
    )
}

fn has_nextest() -> bool {
    Command::new(program())
        .args(["nextest", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Runs cargo in the root, with its output passed through.
pub(crate) fn cargo(arguments: &[&str], variables: &[(&str, &str)]) -> Done {
    let line = format!("cargo {}", arguments.join(" "));
    say(&format!("$ {line}"));
    let status = Command::new(program())
        .args(arguments)
        .envs(variables.iter().copied())
        .current_dir(root())
        .status()
        .map_err(|error| format!("`{line}` could not be started: {error}."))?;
    if status.success() { Ok(()) } else { Err(format!("`{line}` ended with {status}.")) }
}

/// The cargo that started this program, else the one on PATH.
pub(crate) fn program() -> String {
    env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

/// Prints a line at once: what a child prints must come after it.
fn say(line: &str) {
    println!("{line}");
    // A closed pipe is no reason to stop checking.
    let _ = std::io::stdout().flush();
}
