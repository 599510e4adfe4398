//! The repository's own chores: `cargo xtask ci` is what continuous integration runs.
//!
//! [`tidy`] checks rules that the compiler does not, [`docs`] generates documents from the code,
//! [`mod@bench`] measures, and [`ci`] runs everything in order.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this program talks to the developer who started it"
)]

mod agents;
mod bench;
mod ci;
mod deny;
mod docs;
mod soak;
mod source;
mod tidy;
mod tree;

use std::process::ExitCode;

use clap::Parser;

/// The repository's own chores
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum XtaskCommand {
    /// Run everything that a change must pass, in order, and stop at the first failure
    Ci,
    /// Check the rules of the repository
    Tidy(tidy::TidyArgs),
    /// Check licences, bans and sources of everything we depend on
    Deny,
    /// Write the documents that are made from the code
    Docs {
        /// Write nothing; fail when a document is not current
        #[arg(long)]
        check: bool,
    },
    /// Kill random commands at random moments, or simulate random work; every failure prints its seed
    Soak(soak::SoakArgs),
    /// Let real agent clients work under our supervisor, against a scripted model on this machine
    Agents(agents::ClientTestArgs),
    /// Measure what the programs cost, built as they ship
    Bench {
        /// Which benchmarks; all when none is named
        names: Vec<String>,
    },
}

fn main() -> ExitCode {
    let done = match XtaskCommand::parse() {
        XtaskCommand::Ci => ci::run(),
        XtaskCommand::Tidy(tidy) => tidy::run(&tidy),
        XtaskCommand::Deny => deny::run(),
        XtaskCommand::Docs { check } => docs::run(check),
        XtaskCommand::Soak(soak) => soak::run(&soak),
        XtaskCommand::Agents(agents) => agents::run(&agents),
        XtaskCommand::Bench { names } => bench::run(&names),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}
