//! Rules about single lines.

use super::TidyViolation;
use crate::source::UsedPath;
use crate::tree::SourceFile;

/// Folders of a developer's machine, concatenated so that this file passes its own rule.
const MACHINE_FOLDERS: [&str; 4] =
    [concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/Us", "ers/"), concat!("/wo", "rk/")];

/// Words that mark unfinished work.
const UNFINISHED: &str = concat!("FIX", "ME");
const LATER: &str = concat!("TO", "DO");

/// Markers of an unresolved merge conflict.
const CONFLICT: [&str; 2] = [concat!("<<<<", "<<< "), concat!(">>>>", ">>> ")];

/// Checks every line of every text file.
pub(super) fn check_text(files: &[SourceFile]) -> Vec<TidyViolation> {
    let mut violations = Vec::new();
    for file in files {
        if is_borrowed(file) {
            continue;
        }
        for (index, line) in file.text.lines().enumerate() {
            let mut violation =
                |message: String| violations.push(TidyViolation::at_line(file, index + 1, message));
            if line.trim_end() != line {
                violation("there are spaces at the end of the line.".to_owned());
            }
            if file.has_extension("rs") && line.contains('\t') {
                violation("Rust code is indented by spaces; write a tab in a text as \\t.".to_owned());
            }
            if line.contains(UNFINISHED) {
                violation(format!(
                    "{UNFINISHED} cannot be merged: fix it, or write a {LATER} with a number."
                ));
            }
            // A document may mention such marks; code may not contain them.
            if !file.has_extension("md")
                && line
                    .match_indices(LATER)
                    .any(|(at, _)| is_word(line, at) && !is_numbered(&line[at + LATER.len()..]))
            {
                violation(format!("write {LATER}(#12) for an issue or {LATER}(0007) for a decision."));
            }
            if CONFLICT.into_iter().any(|mark| line.starts_with(mark)) {
                violation("unresolved merge conflict.".to_owned());
            }
            if let Some(folder) = machine_folder(line) {
                violation(format!("{folder} is a path of one machine."));
            }
        }
        if !file.text.is_empty() && !file.text.ends_with('\n') {
            violations.push(TidyViolation::at_line(
                file,
                file.text.lines().count(),
                "the last line does not end.",
            ));
        }
        violations.extend(check_unfinished(file));
    }
    violations
}

/// Whether a file is third-party or generated text.
fn is_borrowed(file: &SourceFile) -> bool {
    file.path.starts_with("LICENSE-") || file.path == "Cargo.lock"
}

/// Finds `todo!` and `unimplemented!`, also where clippy does not.
fn check_unfinished(file: &SourceFile) -> Vec<TidyViolation> {
    if !file.has_extension("rs") {
        return Vec::new();
    }
    let unwritten = |path: &&UsedPath| ["todo!", "unimplemented!"].contains(&path.names[0].as_str());
    let promise = |path: &UsedPath| {
        TidyViolation::at_line(file, path.line, format!("{} is a promise, not code.", path.names[0]))
    };
    file.source().paths.iter().filter(unwritten).map(promise).collect()
}

fn machine_folder(line: &str) -> Option<&'static str> {
    MACHINE_FOLDERS.into_iter().find(|folder| {
        line.match_indices(folder).any(|(at, _)| {
            // Inside a relative path or after a host name it is not an absolute path.
            !line[..at].ends_with(|before: char| before.is_alphanumeric() || "-_./:>})".contains(before))
        })
    })
}

fn is_word(line: &str, at: usize) -> bool {
    let joins = |character: char| character.is_alphanumeric() || character == '_';
    !line[..at].ends_with(joins) && !line[at + LATER.len()..].starts_with(joins)
}

fn is_numbered(rest: &str) -> bool {
    let number = rest.strip_prefix('(').and_then(|inside| inside.split(')').next());
    let digits = number.map(|number| number.strip_prefix('#').unwrap_or(number));
    digits.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violation_messages(path: &str, text: &str) -> usize {
        check_text(&[SourceFile::new(path, text)]).len()
    }

    #[test]
    fn lines_are_judged() {
        for (path, text, violations) in [
            ("a.rs", "fn a() {}\n", 0),
            ("a.rs", "fn a() {} \n", 1),
            ("a.rs", "\tfn a() {}\n", 1),
            ("a.md", "\tcode\n", 0),
            ("a.rs", &format!("// {UNFINISHED} now\n"), 1),
            ("a.rs", &format!("// {LATER} later\n"), 1),
            ("a.rs", &format!("// {LATER}(#7) later\n"), 0),
            ("a.rs", &format!("// {LATER}(0003) later\n"), 0),
            ("a.rs", &format!("const MY_{LATER}: u8 = 1;\n"), 0),
            ("a.rs", &format!("fn a() {{ {}!() }}\n", "todo"), 1),
            ("a.rs", "fn a() { \"todo!\" }\n", 0),
            ("a.md", &format!("see {}me/x\n", "/ho"), 1),
            ("a.md", &format!("see docs{}rk/x\n", "/wo"), 0),
            ("a.md", "no end", 1),
            ("a.md", &format!("{}HEAD\n", CONFLICT[0]), 1),
        ] {
            assert_eq!(violation_messages(path, text), violations, "{path}: {text}");
        }
    }
}
