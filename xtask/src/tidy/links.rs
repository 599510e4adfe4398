//! Rules about links: the target of a link exists.

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
}
