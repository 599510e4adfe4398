//! Rules about calls to the operating system: each kind is allowed in the crates responsible for it.
//!
//! Clippy's `disallowed-methods` cannot differ between crates without repeating the whole list.
//! A call is recognised by its path; imports and their aliases are resolved within the file.

use std::collections::BTreeMap;

use super::ratchet::RatchetFigure;
use super::{TidyViolation, is_shipped};
use crate::source::{PathKind, UsedPath};
use crate::tree::SourceFile;

/// A kind of call and where it is allowed.
struct MachineCall {
    key: &'static str,
    /// Whether a fully qualified path is such a call.
    is_call: fn(&[&str]) -> bool,
    /// The folders and files that may contain such calls.
    allowed: &'static [&'static str],
    /// What to use elsewhere.
    instead: &'static str,
}

const CALLS: [MachineCall; 3] = [
    MachineCall {
        key: "file-system",
        is_call: is_file_call,
        allowed: &["crates/orch-git/", "crates/orch-process/", "crates/orch-store/"],
        instead: "move the file access to orch-git, orch-process or orch-store",
    },
    MachineCall {
        key: "start-program",
        is_call: |path| path.ends_with(&["Command", "new"]) && path[0] == "std",
        allowed: &["crates/orch-git/", "crates/orch-process/"],
        instead: "run programs through orch-process, which limits and terminates them",
    },
    MachineCall {
        key: "monotonic-clock",
        is_call: |path| path.ends_with(&["Instant", "now"]) && path[0] == "std",
        allowed: &[
            "crates/orch-git/",
            "crates/orch-inbox/src/clock.rs",
            "crates/orch-inbox/src/wake.rs",
            "crates/orch-process/",
            "crates/orch-serve/",
            "crates/orch-store/",
        ],
        instead: "wait through orch-inbox's wake.rs, or take the time as a parameter",
    },
];

/// Methods of `Path` and `File` that access the file system.
const PATH_METHODS: [&str; 10] = [
    ".canonicalize",
    ".exists",
    ".is_dir",
    ".is_file",
    ".is_symlink",
    ".metadata",
    ".read_dir",
    ".read_link",
    ".symlink_metadata",
    ".try_exists",
];

/// Counts the calls outside the allowed folders.
pub(super) fn measure(files: &[SourceFile]) -> Vec<RatchetFigure> {
    CALLS.iter().map(|call| RatchetFigure::of_places("calls", call.key, find_calls(files, call))).collect()
}

fn find_calls(files: &[SourceFile], call: &MachineCall) -> Vec<TidyViolation> {
    let mut places = Vec::new();
    let is_bound = |file: &&SourceFile| {
        is_shipped(file) && !call.allowed.iter().any(|folder| file.path.starts_with(folder))
    };
    for file in files.iter().filter(is_bound) {
        let imports = imported_names(file);
        for path in file.source().paths.iter().filter(|path| !path.test) {
            let whole = written_out(path, &imports);
            if (call.is_call)(&whole) {
                let message = format!("`{}`: {}.", whole.join("::"), call.instead);
                places.push(TidyViolation::at_line(file, path.line, message));
            }
        }
    }
    places
}

/// Returns the full path of each imported name.
fn imported_names(file: &SourceFile) -> BTreeMap<&str, Vec<&str>> {
    let mut names = BTreeMap::new();
    for path in &file.source().paths {
        if let PathKind::Import(alias) | PathKind::Reexport(alias) = &path.kind {
            names.insert(alias.as_str(), path.names.iter().map(String::as_str).collect());
        }
    }
    names
}

/// Returns the fully qualified path, as far as the file's imports tell.
fn written_out<'a>(path: &'a UsedPath, imports: &BTreeMap<&str, Vec<&'a str>>) -> Vec<&'a str> {
    let names = path.names.iter().map(String::as_str);
    match imports.get(path.names[0].as_str()) {
        Some(origin) if path.kind == PathKind::Inline => {
            origin.iter().copied().chain(names.skip(1)).collect()
        }
        _ => names.collect(),
    }
}

/// Whether a path is a function of `std::fs` or `rustix::fs`, an associated function of their types, or a method of `Path`.
fn is_file_call(path: &[&str]) -> bool {
    let is_function = |name: &&str| name.starts_with(char::is_lowercase);
    match path {
        ["std" | "rustix", "fs", inside @ ..] => {
            inside.last().is_some_and(is_function) && !inside.contains(&"Permissions")
        }
        [method] => PATH_METHODS.contains(method),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_found_by_their_origin() {
        for (path, text, expected) in [
            ("orch-cli/src/a.rs", "use std::fs; fn a() { fs::read(b); }", [1, 0, 0]),
            (
                "orch-cli/src/a.rs",
                "use std::fs::{File, read_dir}; fn a(b: &File) { File::open(b); }",
                [2, 0, 0],
            ),
            ("orch-cli/src/a.rs", "fn a() { std::fs::read(b); c.exists(); d::fs::read(); }", [2, 0, 0]),
            ("orch-git/src/a.rs", "fn a() { std::fs::read(b); Command::new(c); }", [0, 0, 0]),
            (
                "orch-cli/src/a.rs",
                "use std::process::Command as C; use std::time::Instant; fn a() { C::new(b); Instant::now(); }",
                [0, 1, 1],
            ),
            ("orch-cli/src/a.rs", "use clap::Command; fn a() { Command::new(b); }", [0, 0, 0]),
            ("orch-cli/src/a.rs", "#[cfg(test)] mod t { fn a() { std::fs::read(b); } }", [0, 0, 0]),
            ("orch-cli/tests/it/a.rs", "fn a() { std::fs::read(b); }", [0, 0, 0]),
            ("orch-inbox/src/wake.rs", "use std::time; fn a() { time::Instant::now(); }", [0, 0, 0]),
        ] {
            let figures = measure(&[SourceFile::new(format!("crates/{path}"), text)]);
            let found: Vec<usize> = figures.iter().map(|figure| figure.measured).collect();
            assert_eq!(found, expected, "{path}: {text}");
        }
    }
}
