//! Rules about the size of files and functions, and the names of files.

use super::TidyViolation;
use crate::tree::SourceFile;

/// The maximum number of lines of a file.
const FILE_LINES_MAX: usize = 600;

/// The maximum number of lines of a function.
const FUNCTION_LINES_MAX: usize = 70;

/// File names that do not describe the content.
const EMPTY_NAMES: [&str; 12] = [
    "util", "utils", "helper", "helpers", "common", "misc", "imp", "impl", "manager", "stuff", "shared",
    "prelude",
];

/// Checks every Rust file.
pub(super) fn check_shape(files: &[SourceFile]) -> Vec<TidyViolation> {
    files.iter().filter(|file| file.has_extension("rs")).flat_map(check_file).collect()
}

fn check_file(file: &SourceFile) -> Vec<TidyViolation> {
    let mut violations = Vec::new();
    let lines = file.text.lines().count();
    if lines > FILE_LINES_MAX {
        let message = format!("the file has {lines} lines, more than {FILE_LINES_MAX}; split it by nouns.");
        violations.push(TidyViolation::at_line(file, lines, message));
    }
    if !file.text.lines().find(|line| !line.is_empty()).is_some_and(|line| line.starts_with("//!")) {
        violations.push(TidyViolation::at_line(
            file,
            1,
            "the file does not open with `//!`: say what lives here.",
        ));
    }
    if let Some(why) = file.not_rust() {
        violations.push(TidyViolation::at_line(file, 1, why));
    }
    if let Some(name) = empty_name(&file.path) {
        violations.push(TidyViolation::at_line(
            file,
            1,
            format!("`{name}` says nothing; name the thing that is inside."),
        ));
    }
    for function in &file.source().functions {
        if function.lines > FUNCTION_LINES_MAX {
            let (name, lines) = (&function.name, function.lines);
            let message =
                format!("`{name}` has {lines} lines, more than {FUNCTION_LINES_MAX}; take it apart.");
            violations.push(TidyViolation::at_line(file, function.line, message));
        }
    }
    violations
}

/// Returns the first component of a path that is, or ends in, such a name.
fn empty_name(path: &str) -> Option<&str> {
    path.split('/').map(|part| part.strip_suffix(".rs").unwrap_or(part)).find(|part| {
        EMPTY_NAMES.contains(part)
            || part.rsplit(['_', '-']).next().is_some_and(|last| EMPTY_NAMES.contains(&last))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count_violations(path: &str, text: &str) -> usize {
        check_shape(&[SourceFile::new(path, text)]).len()
    }

    #[test]
    fn sizes_are_bounded() {
        assert_eq!(count_violations("a.rs", &format!("//! A.\n{}", "\n".repeat(599))), 0);
        assert_eq!(count_violations("a.rs", &format!("//! A.\n{}", "\n".repeat(600))), 1);
        assert_eq!(count_violations("a.rs", &format!("//! A.\nfn a() {{{}}}\n", "\n".repeat(69))), 0);
        assert_eq!(count_violations("a.rs", &format!("//! A.\nfn a() {{{}}}\n", "\n".repeat(70))), 1);
    }

    #[test]
    fn files_open_with_what_they_are() {
        assert_eq!(count_violations("a.rs", "use b;\n"), 1);
        assert_eq!(count_violations("a.rs", ""), 1);
    }

    #[test]
    fn names_say_something() {
        for (path, good) in [
            ("crates/a/src/claim.rs", true),
            ("crates/a/src/util.rs", false),
            ("crates/a/src/cli_util.rs", false),
            ("crates/a/src/common/mod.rs", false),
            ("crates/a/src/improve.rs", true),
        ] {
            assert_eq!(count_violations(path, "//! A.\n") == 0, good, "{path}");
        }
    }
}
