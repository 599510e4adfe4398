//! `cargo xtask tidy`: checks the rules of the repository.
//!
//! [`text`] checks lines, [`shape`] file and function sizes, [`layout`] file locations, [`links`] links in documents,
//! [`dependency_rules`] dependencies between crates and modules. [`prose`] only gives advice.
//! [`names`], [`phrases`], [`machine_calls`] and [`sizes`] measure figures that may only fall, and [`ratchet`] compares them with their limits.

mod dependency_rules;
mod layout;
mod links;
mod machine_calls;
mod names;
mod phrases;
mod prose;
mod ratchet;
mod shape;
mod sizes;
mod text;

use std::fmt;

use self::ratchet::{RatchetFigure, RatchetFile};
use crate::tree::{self, ChoreResult, SourceFile};

/// A violation of a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TidyViolation {
    path: String,
    line: usize,
    message: String,
}

impl TidyViolation {
    /// Creates a violation at a line, counted from 1.
    fn at_line(file: &SourceFile, line: usize, message: impl Into<String>) -> Self {
        Self { path: file.path.clone(), line, message: message.into() }
    }
}

impl fmt::Display for TidyViolation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// Options of the rule checks
#[derive(Default, clap::Args)]
pub(crate) struct TidyArgs {
    /// Also print advice, which never fails the check
    #[arg(long)]
    advice: bool,
    /// Print all measured figures with their limits instead of checking
    #[arg(long, conflicts_with = "advice")]
    measure: bool,
    /// Print the locations that a figure counts instead of checking
    #[arg(long, value_name = "FIGURE", conflicts_with_all = ["advice", "measure"])]
    list: Option<String>,
    /// Update xtask/ratchet.toml with the figures that have fallen
    #[arg(long, conflicts_with_all = ["measure", "list"])]
    tighten: bool,
}

/// Measures all figures that may only fall.
fn measure_all(files: &[SourceFile]) -> Vec<RatchetFigure> {
    [names::measure, phrases::measure, machine_calls::measure, sizes::measure]
        .into_iter()
        .flat_map(|measure| measure(files))
        .collect()
}

/// Runs the rule checks, or what the options ask for.
pub(crate) fn run(tidy: &TidyArgs) -> ChoreResult {
    let files = tree::repository_files()?;
    let figures = measure_all(&files);
    let ratchet = RatchetFile::read(&files)?;
    if tidy.measure {
        print!("{}", ratchet.table(&figures));
        return Ok(());
    }
    if let Some(name) = &tidy.list {
        return ratchet::print_places(&figures, name);
    }
    if tidy.tighten {
        return ratchet.tighten(&figures);
    }
    check(&files, &figures, &ratchet, tidy.advice)
}

fn check(
    files: &[SourceFile],
    figures: &[RatchetFigure],
    ratchet: &RatchetFile,
    advice: bool,
) -> ChoreResult {
    let mut violations = Vec::new();
    for check in [
        text::check_text,
        shape::check_shape,
        layout::check_layout,
        links::check_links,
        links::check_promises,
        dependency_rules::check_dependencies,
    ] {
        violations.extend(check(files));
    }
    violations.extend(ratchet.check(figures));
    violations.sort();
    for violation in &violations {
        println!("{violation}");
    }
    let hints = prose::sentence_advice(files);
    if advice {
        for hint in &hints {
            println!("advice: {hint}");
        }
    } else if !hints.is_empty() {
        println!("{} pieces of advice; see them with `cargo xtask tidy --advice`.", hints.len());
    }
    let loose = ratchet.loose(figures);
    if loose > 0 {
        println!(
            "{loose} figures are below their limits in xtask/ratchet.toml; lower the limits with `cargo xtask tidy --tighten`."
        );
    }
    if violations.is_empty() {
        println!("{} files checked, no violations.", files.len());
        Ok(())
    } else {
        Err(format!("{} violations, listed above.", violations.len()))
    }
}

/// Returns the crate of a path: `orch-core` for `crates/orch-core/src/…`.
fn crate_name(path: &str) -> Option<&str> {
    path.strip_prefix("crates/").and_then(|rest| rest.split('/').next())
}

/// Whether a file is shipped code: in a crate's `src/` and not a file of tests.
fn is_shipped(file: &SourceFile) -> bool {
    file.has_extension("rs")
        && file.path.split('/').nth(2) == Some("src")
        && crate_name(&file.path).is_some_and(|room| room != "orch-testkit")
        && !file.stem().ends_with("tests")
        && !file.path.contains("/tests/")
}
