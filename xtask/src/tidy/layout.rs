//! Rules about file locations.

use super::{TidyViolation, crate_name};
use crate::tree::SourceFile;

/// The files and folders allowed in the root, which every visitor sees first.
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

/// Checks the locations of all files.
pub(super) fn check_layout(files: &[SourceFile]) -> Vec<TidyViolation> {
    let mut violations = Vec::new();
    for file in files {
        let first = file.path.split('/').next().unwrap_or_default();
        if !ROOT.contains(&first) {
            let message = format!("`{first}` is not on the list of files allowed in the root.");
            violations.push(TidyViolation::at_line(file, 1, message));
        }
        if is_scattered_test(&file.path) {
            let message = "each file here is a program of its own: move it into tests/it/, or another folder with a main.rs.";
            violations.push(TidyViolation::at_line(file, 1, message));
        }
    }
    violations.extend(forgotten_files(files));
    violations
}

/// A Rust file directly under a crate's `tests/` is a program of its own, and each costs a link.
fn is_scattered_test(path: &str) -> bool {
    let inside = crate_name(path).and_then(|_| path.split('/').nth(2)) == Some("tests");
    inside && path.ends_with(".rs") && path.split('/').count() == 4
}

/// Rust files that no `mod` line names, in source and tests, however deep: they would never be built.
fn forgotten_files(files: &[SourceFile]) -> Vec<TidyViolation> {
    let mut violations = Vec::new();
    for file in files.iter().filter(|file| file.has_extension("rs") && !is_root(&file.path)) {
        let Some((folder, name)) = file.path.rsplit_once('/') else { continue };
        let (folder, module) = match (name, folder.rsplit_once('/')) {
            ("mod.rs", Some((above, module))) => (above, module),
            _ => (folder, name.trim_end_matches(".rs")),
        };
        let parents = ["mod.rs", "main.rs", "lib.rs"].map(|parent| format!("{folder}/{parent}"));
        let beside = format!("{folder}.rs");
        let is_parent = |other: &&SourceFile| other.path == beside || parents.contains(&other.path);
        let listed = |other: &SourceFile| other.source().modules.iter().any(|listed| listed == module);
        let by_path = format!("#[path = \"{name}\"]");
        let is_beside =
            |other: &&SourceFile| other.path.rsplit_once('/').is_some_and(|(place, _)| place == folder);
        let is_listed = files.iter().filter(is_parent).any(listed)
            || files
                .iter()
                .filter(is_beside)
                .any(|other| other.text.lines().any(|line| line.trim() == by_path));
        if !is_listed {
            let message = format!("no file has `mod {module};` for it: it is never built.");
            violations.push(TidyViolation::at_line(file, 1, message));
        }
    }
    violations
}

/// Whether a file is the root of a crate, or no part of one.
fn is_root(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let (["crates", _, "src" | "tests", inside @ ..] | ["bench" | "xtask", "src", inside @ ..]) = &parts[..]
    else {
        return true;
    };
    match inside {
        [name] => ["lib.rs", "main.rs"].contains(name) || parts[2] == "tests",
        ["bin", ..] => true,
        [_, "main.rs"] => parts[2] == "tests",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source_file(path: &str, text: &str) -> SourceFile {
        SourceFile::new(path, text)
    }

    #[test]
    fn the_root_is_a_list() {
        assert_eq!(check_layout(&[source_file("README.md", ""), source_file("crates/a/src/lib.rs", "")]), []);
        assert_eq!(check_layout(&[source_file("NOTES.md", "")]).len(), 1);
    }

    #[test]
    fn every_file_is_listed() {
        let main = source_file("crates/a/tests/it/main.rs", "mod one;\npub mod two;\n// mod three;\n");
        let one = source_file("crates/a/tests/it/one.rs", "");
        let two = source_file("crates/a/tests/it/two/mod.rs", "mod deep;\n");
        let deep = source_file("crates/a/tests/it/two/deep.rs", "");
        assert_eq!(check_layout(&[main, one, two, deep]), []);
        let main = || source_file("crates/a/tests/it/main.rs", "mod one;\nmod two;\n// mod three;\n");
        assert_eq!(check_layout(&[main(), source_file("crates/a/tests/it/three.rs", "")]).len(), 1);
        let two = source_file("crates/a/tests/it/two/mod.rs", "// mod deep;\n");
        assert_eq!(check_layout(&[main(), two, source_file("crates/a/tests/it/two/deep.rs", "")]).len(), 1);
        assert_eq!(check_layout(&[source_file("crates/a/tests/alone.rs", "")]).len(), 1);
    }

    #[test]
    fn source_files_are_listed_beside_or_above() {
        let lib = || source_file("crates/a/src/lib.rs", "mod one;\n");
        let one = source_file(
            "crates/a/src/one.rs",
            "mod deep;\n#[cfg(test)]\n#[path = \"one_tests.rs\"]\nmod tests;\n",
        );
        let files = [
            lib(),
            one,
            source_file("crates/a/src/one/deep.rs", ""),
            source_file("crates/a/src/one_tests.rs", ""),
        ];
        assert_eq!(check_layout(&files), []);
        assert_eq!(check_layout(&[lib(), source_file("crates/a/src/two.rs", "")]).len(), 1);
        assert_eq!(
            check_layout(&[
                source_file("crates/a/src/bin/tool.rs", ""),
                source_file("xtask/src/main.rs", "")
            ]),
            []
        );
        assert_eq!(
            check_layout(&[source_file("xtask/src/main.rs", "mod a;"), source_file("xtask/src/b.rs", "")])
                .len(),
            1
        );
    }
}
