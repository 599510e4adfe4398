//! `cargo xtask tidy`: the repository's laws, checked by machine.
//!
//! [`text`] looks at lines, [`shape`] at sizes and names, [`layout`] at where files lie, [`links`] at what documents point at,
//! [`arrows`] at who knows whom,
//! [`words`] at the language of the documents. What is only advice is never an error.

mod arrows;
mod code;
mod layout;
mod links;
mod shape;
mod text;
mod words;

use std::fmt;

use crate::tree::{self, Done, File};

/// One breach of a law.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Breach {
    path: String,
    line: usize,
    message: String,
}

impl Breach {
    /// A breach at a line, from 1.
    fn at(file: &File, line: usize, message: impl Into<String>) -> Self {
        Self { path: file.path.clone(), line, message: message.into() }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// Checks every law.
pub(crate) fn run(advice: bool) -> Done {
    let files = tree::files()?;
    let mut breaches = Vec::new();
    for law in [text::check, shape::check, layout::check, links::check, arrows::check] {
        breaches.extend(law(&files));
    }
    breaches.sort();
    for breach in &breaches {
        println!("{breach}");
    }
    let hints = words::advise(&files);
    if advice {
        for hint in &hints {
            println!("advice: {hint}");
        }
    } else if !hints.is_empty() {
        println!("{} pieces of advice; see them with `cargo xtask tidy --advice`.", hints.len());
    }
    if breaches.is_empty() {
        println!("{} files keep the laws.", files.len());
        Ok(())
    } else {
        Err(format!("{} breaches of the repository's laws, listed above.", breaches.len()))
    }
}

/// The rooms of the workspace: `crates/orch-core/src/…` is of the room `orch-core`.
fn room(path: &str) -> Option<&str> {
    path.strip_prefix("crates/").and_then(|rest| rest.split('/').next())
}

/// Whether this is code that ships: under a room's `src/`, and not a file of tests alone.
fn ships(file: &File) -> bool {
    file.is("rs")
        && file.path.split('/').nth(2) == Some("src")
        && room(&file.path).is_some_and(|room| room != "orch-testkit")
        && !file.stem().ends_with("tests")
        && !file.path.contains("/tests/")
}

/// The code of a file up to its `mod tests`, blanked: what the laws about product code look at.
fn product_code(file: &File) -> String {
    let code = code::code_of(&file.text);
    match code.find("\n#[cfg(test)]\nmod tests") {
        Some(end) => code[..end].to_owned(),
        None => code,
    }
}
