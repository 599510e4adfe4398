//! Laws about where files lie.

use super::{Breach, room};
use crate::tree::File;

/// Everything that may lie in the root. A new file here is seen by every visitor, so it is added on purpose.
const ROOT: [&str; 23] = [
    ".cargo",
    ".ci",
    ".config",
    ".gitattributes",
    ".gitignore",
    "AGENTS.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "STYLE.md",
    "bench",
    "clippy.toml",
    "crates",
    "deny.toml",
    "docs",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "xtask",
];

/// Checks the places of all files.
pub(super) fn check(files: &[File]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for file in files {
        let first = file.path.split('/').next().unwrap_or_default();
        if !ROOT.contains(&first) {
            let message = format!("`{first}` is not on the list of what may lie in the root.");
            breaches.push(Breach::at(file, 1, message));
        }
        if is_scattered_test(&file.path) {
            let message = "each file here is a program of its own: move it into tests/it/, or another folder with a main.rs.";
            breaches.push(Breach::at(file, 1, message));
        }
    }
    breaches.extend(forgotten_tests(files));
    breaches
}

/// A Rust file directly under a crate's `tests/` is a program of its own, and each costs a link.
fn is_scattered_test(path: &str) -> bool {
    let inside = room(path).and_then(|_| path.split('/').nth(2)) == Some("tests");
    inside && path.ends_with(".rs") && path.split('/').count() == 4
}

/// `crates/orch-cli/tests/it/main.rs` and its like.
fn is_test_program(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    matches!(parts[..], ["crates", _, "tests", _, "main.rs"])
}

/// Files of a test program that no `mod` line names: they would never run.
fn forgotten_tests(files: &[File]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for main in files.iter().filter(|file| is_test_program(&file.path)) {
        let folder = main.path.trim_end_matches("main.rs");
        let listed = &main.source().modules;
        for file in files.iter().filter(|file| file.is("rs") && file.path != main.path) {
            let Some(inside) = file.path.strip_prefix(folder) else { continue };
            let module = inside.split('/').next().unwrap_or_default().trim_end_matches(".rs");
            if !listed.iter().any(|name| name == module) {
                let message = format!("`mod {module};` is missing in {}: these tests never run.", main.path);
                breaches.push(Breach::at(file, 1, message));
            }
        }
    }
    breaches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> File {
        File::new(path, text)
    }

    #[test]
    fn the_root_is_a_list() {
        assert_eq!(check(&[file("README.md", ""), file("crates/a/src/lib.rs", "")]), []);
        assert_eq!(check(&[file("NOTES.md", "")]).len(), 1);
    }

    #[test]
    fn every_test_file_is_listed() {
        let main = file("crates/a/tests/it/main.rs", "mod one;\npub mod two;\n// mod three;\n");
        let listed = [main, file("crates/a/tests/it/one.rs", ""), file("crates/a/tests/it/two/mod.rs", "")];
        assert_eq!(check(&listed), []);
        let main = file("crates/a/tests/it/main.rs", "mod one;\n// mod three;\n");
        assert_eq!(check(&[main, file("crates/a/tests/it/three.rs", "")]).len(), 1);
        assert_eq!(check(&[file("crates/a/tests/alone.rs", "")]).len(), 1);
    }
}
