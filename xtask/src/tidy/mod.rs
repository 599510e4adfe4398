//! `cargo xtask tidy`: the repository's laws, checked by machine.
//!
//! [`text`] looks at lines, [`shape`] at sizes and names, [`layout`] at where files lie, [`links`] at what documents point at,
//! [`dependency_rules`] at who knows whom, [`prose`] at the language of the documents.
//! What is only advice is never an error.
//! [`names`], [`phrases`], [`machine_calls`] and [`sizes`] measure figures that may only fall, which [`ratchet`] keeps.

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

/// One breach of a law.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TidyViolation {
    path: String,
    line: usize,
    message: String,
}

impl TidyViolation {
    /// A breach at a line, from 1.
    fn at_line(file: &SourceFile, line: usize, message: impl Into<String>) -> Self {
        Self { path: file.path.clone(), line, message: message.into() }
    }
}

impl fmt::Display for TidyViolation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// What is shown besides breaches
#[derive(Default, clap::Args)]
pub(crate) struct TidyArgs {
    /// Also list what is advice and not law
    #[arg(long)]
    advice: bool,
    /// Print the figures that may only fall, and check nothing
    #[arg(long, conflicts_with = "advice")]
    measure: bool,
    /// List what a figure counts, and check nothing
    #[arg(long, value_name = "FIGURE", conflicts_with_all = ["advice", "measure"])]
    list: Option<String>,
    /// Write the figures that are better than xtask/ratchet.toml has them
    #[arg(long, conflicts_with_all = ["measure", "list"])]
    tighten: bool,
}

/// Measures everything that may only fall.
fn measure_all(files: &[SourceFile]) -> Vec<RatchetFigure> {
    [names::measure, phrases::measure, machine_calls::measure, sizes::measure]
        .into_iter()
        .flat_map(|measure| measure(files))
        .collect()
}

/// Checks every law.
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
    let mut breaches = Vec::new();
    for law in [
        text::check_text,
        shape::check_shape,
        layout::check_layout,
        links::check_links,
        dependency_rules::check_dependencies,
    ] {
        breaches.extend(law(files));
    }
    breaches.extend(ratchet.check(figures));
    breaches.sort();
    for breach in &breaches {
        println!("{breach}");
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
            "{loose} figures are better than xtask/ratchet.toml has them; keep them so with `cargo xtask tidy --tighten`."
        );
    }
    if breaches.is_empty() {
        println!("{} files keep the laws.", files.len());
        Ok(())
    } else {
        Err(format!("{} breaches of the repository's laws, listed above.", breaches.len()))
    }
}

/// The rooms of the workspace: `crates/orch-core/src/…` is of the room `orch-core`.
fn crate_name(path: &str) -> Option<&str> {
    path.strip_prefix("crates/").and_then(|rest| rest.split('/').next())
}

/// Whether this is code that ships: under a room's `src/`, and not a file of tests alone.
fn is_shipped(file: &SourceFile) -> bool {
    file.has_extension("rs")
        && file.path.split('/').nth(2) == Some("src")
        && crate_name(&file.path).is_some_and(|room| room != "orch-testkit")
        && !file.stem().ends_with("tests")
        && !file.path.contains("/tests/")
}
