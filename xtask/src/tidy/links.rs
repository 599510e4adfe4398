//! Rules about links: the target of a link exists, and so does the test of each promise.

use std::collections::BTreeSet;

use super::TidyViolation;
use crate::tree::SourceFile;

/// Checks every relative link of every document.
pub(super) fn check_links(files: &[SourceFile]) -> Vec<TidyViolation> {
    let mut there = BTreeSet::new();
    for file in files {
        // A folder exists if it contains a file.
        let mut path = file.path.as_str();
        while there.insert(path) {
            path = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        }
    }
    let mut violations = Vec::new();
    for file in files.iter().filter(|file| file.has_extension("md")) {
        for (index, line) in file.text.lines().enumerate() {
            for target in link_targets(line).filter(|target| is_relative(target)) {
                if !there.contains(resolve_link(&file.path, target).as_str()) {
                    violations.push(TidyViolation::at_line(
                        file,
                        index + 1,
                        format!("{target} does not exist."),
                    ));
                }
            }
        }
    }
    violations
}

/// The last column of a table whose lines are promises, each with its test.
const PROMISE_HEAD: &str = "| promise | test |";

/// Checks that each line of a table of promises names a test, and that each test that it names exists.
pub(super) fn check_promises(files: &[SourceFile]) -> Vec<TidyViolation> {
    let mut tests = BTreeSet::new();
    for file in files.iter().filter(|file| file.has_extension("rs")) {
        for line in file.text.lines() {
            let function = line.trim_start().strip_prefix("fn ").and_then(|rest| rest.split_once("()"));
            tests.extend(function.map(|(name, _)| name));
        }
    }
    let mut violations = Vec::new();
    for file in files.iter().filter(|file| file.has_extension("md")) {
        let mut is_promise = false;
        for (index, line) in file.text.lines().enumerate() {
            is_promise = line == PROMISE_HEAD || (is_promise && line.starts_with('|'));
            if !is_promise || line == PROMISE_HEAD || line.starts_with("| ---") {
                continue;
            }
            let named: Vec<&str> = promise_tests(line).collect();
            let mut add = |text: String| violations.push(TidyViolation::at_line(file, index + 1, text));
            if named.is_empty() {
                add("This promise names no test.".to_owned());
            }
            for name in named.into_iter().filter(|name| !tests.contains(name)) {
                add(format!("There is no test `{name}`."));
            }
        }
    }
    violations
}

/// Returns the names in the last column of a line of a table.
fn promise_tests(line: &str) -> impl Iterator<Item = &str> {
    let last = line.trim_end_matches([' ', '|']).rsplit(" | ").next().unwrap_or(line);
    last.split('`').skip(1).step_by(2)
}

/// Returns the target of each `](…)` link of a line.
fn link_targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}

fn is_relative(target: &str) -> bool {
    !target.contains("://") && !target.starts_with('#') && !target.starts_with("mailto:")
}

/// Resolves a link of this document relative to the root.
fn resolve_link(document: &str, target: &str) -> String {
    let target = target.split('#').next().unwrap_or(target);
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_somewhere() {
        let file = |path: &str, text: &str| SourceFile::new(path, text);
        for (text, violations) in [
            ("[a](b.md) and [c](../README.md#top)", 0),
            ("[a](decisions/)", 0),
            ("[a](https://example.org/x) [b](#here)", 0),
            ("[a](gone.md)", 1),
            ("[a](b.md) [c](../gone/d.md)", 1),
        ] {
            let files = [
                file("README.md", ""),
                file("docs/a.md", text),
                file("docs/b.md", ""),
                file("docs/decisions/1.md", ""),
            ];
            assert_eq!(check_links(&files).len(), violations, "{text}");
        }
    }

    #[test]
    fn promises_have_tests() {
        let file = |path: &str, text: &str| SourceFile::new(path, text);
        for (row, violations) in [
            ("| It holds. | `it_holds` |", 0),
            ("| It holds. | [a.rs](a.rs), `it_holds`, `it_holds` |", 0),
            ("| `It` holds. | [a.rs](a.rs) |", 1),
            ("| It holds. | `it_held`, `it_fell` |", 2),
        ] {
            let text =
                format!("| who | what |\n| --- | --- |\n| a | b |\n\n{PROMISE_HEAD}\n| --- | --- |\n{row}\n");
            let files = [file("a.md", &text), file("a.rs", "#[test]\n    fn it_holds() {}\n")];
            assert_eq!(check_promises(&files).len(), violations, "{row}");
        }
    }
}
