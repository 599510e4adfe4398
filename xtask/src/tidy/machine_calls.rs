//! Laws about who touches the machine: files, programs and clocks are reached from the crates that are made for it.
//!
//! Clippy's `disallowed-methods` has one list per workspace, and a list per crate would repeat that one.
//! Here a call is a path; what an import calls otherwise is followed within its file.

use std::collections::BTreeMap;

use super::ratchet::RatchetFigure;
use super::{TidyViolation, is_shipped};
use crate::source::{PathKind, UsedPath};
use crate::tree::SourceFile;

/// A kind of call, and where it may be.
struct MachineCall {
    key: &'static str,
    /// Whether a path, written out from its crate, is such a call.
    is_call: fn(&[&str]) -> bool,
    /// The folders and files that it is made for.
    allowed: &'static [&'static str],
    /// What the others do.
    instead: &'static str,
}

const CALLS: [MachineCall; 3] = [
    MachineCall {
        key: "file-system",
        is_call: is_file_call,
        allowed: &["crates/orch-git/", "crates/orch-process/", "crates/orch-store/"],
        instead: "ask orch-git, orch-process or orch-store for it",
    },
    MachineCall {
        key: "start-program",
        is_call: |path| path.ends_with(&["Command", "new"]) && path[0] == "std",
        allowed: &["crates/orch-git/", "crates/orch-process/"],
        instead: "run it by orch-process, which bounds and ends it",
    },
    MachineCall {
        key: "monotonic-clock",
        is_call: |path| path.ends_with(&["Instant", "now"]) && path[0] == "std",
        allowed: &[
            "crates/orch-git/",
            "crates/orch-inbox/src/clock.rs",
            "crates/orch-inbox/src/wake.rs",
            "crates/orch-process/",
            "crates/orch-store/",
        ],
        instead: "wait by orch-inbox's wake.rs, or be given the time",
    },
];

/// Methods of paths that look at the disk.
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

/// Counts the calls outside the places that are made for them.
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

/// What each imported name stands for.
fn imported_names(file: &SourceFile) -> BTreeMap<&str, Vec<&str>> {
    let mut names = BTreeMap::new();
    for path in &file.source().paths {
        if let PathKind::Import(alias) | PathKind::Reexport(alias) = &path.kind {
            names.insert(alias.as_str(), path.names.iter().map(String::as_str).collect());
        }
    }
    names
}

/// A path with its first name replaced by what that was imported from.
fn written_out<'a>(path: &'a UsedPath, imports: &BTreeMap<&str, Vec<&'a str>>) -> Vec<&'a str> {
    let names = path.names.iter().map(String::as_str);
    match imports.get(path.names[0].as_str()) {
        Some(origin) if path.kind == PathKind::Inline => {
            origin.iter().copied().chain(names.skip(1)).collect()
        }
        _ => names.collect(),
    }
}

/// A function of `std::fs` or `rustix::fs` and of their types, or a method of a path; a type alone is no call.
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
