//! Rules about names: types have two words or more and unique names, functions say what they do to what.
//!
//! Shipped code and test support are measured separately.

use std::collections::{BTreeMap, BTreeSet};

use super::ratchet::RatchetFigure;
use super::{TidyViolation, crate_name, is_shipped};
use crate::tree::SourceFile;

/// The share of types that may have a name of one word.
const ONE_WORD_TYPES_PERCENT: usize = 20;

/// The share of types that may share their name with another type.
const SHARED_TYPES_PERCENT: usize = 8;

/// The share of functions that may have a name of one word.
const ONE_WORD_FUNCTIONS_PERCENT: usize = 45;

/// Suffixes without meaning of their own: they do not count as a second word.
const EMPTY_ENDINGS: [&str; 7] = ["Context", "Data", "Entry", "Info", "Item", "State", "Value"];

/// A name and its location.
struct FoundName<'a> {
    file: &'a SourceFile,
    /// The crate, or the tests of a crate.
    unit: String,
    name: &'a str,
    line: usize,
}

/// The names of shipped code or of test support.
#[derive(Default)]
struct NameSet<'a> {
    types: Vec<FoundName<'a>>,
    functions: Vec<FoundName<'a>>,
}

/// Measures all names.
pub(super) fn measure(files: &[SourceFile]) -> Vec<RatchetFigure> {
    let glossary = glossary_words(files);
    let (mut shipped, mut support) = (NameSet::default(), NameSet::default());
    for file in files.iter().filter(|file| file.has_extension("rs")) {
        let source = file.source();
        let name = |name, line, test| FoundName { file, unit: crate_unit(&file.path, test), name, line };
        for found in &source.types {
            let names = if is_shipped(file) && !found.test { &mut shipped } else { &mut support };
            names.types.push(name(found.name.as_str(), found.line, found.test));
        }
        for found in
            source.functions.iter().filter(|it| !it.of_trait_impl && !it.is_test && it.name != "main")
        {
            let names = if is_shipped(file) && !found.test { &mut shipped } else { &mut support };
            names.functions.push(name(found.name.as_str(), found.line, found.test));
        }
    }
    let mut figures = shipped.figures("names", &glossary);
    figures.extend(support.figures("test-support-names", &glossary));
    figures
}

impl NameSet<'_> {
    fn figures(&self, section: &'static str, glossary: &BTreeSet<String>) -> Vec<RatchetFigure> {
        let places =
            |names: &[FoundName<'_>], counts: &dyn Fn(&FoundName<'_>) -> bool| -> Vec<TidyViolation> {
                let counted = names.iter().filter(|name| counts(name));
                counted
                    .map(|name| TidyViolation::at_line(name.file, name.line, format!("`{}`", name.name)))
                    .collect()
            };
        let one_word = |name: &FoundName<'_>| one_word(name.name).is_some();
        let unknown = |name: &FoundName<'_>| one_word_unknown(name.name, glossary);
        let mut definitions: BTreeMap<&str, usize> = BTreeMap::new();
        let mut in_unit: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for found in &self.types {
            *definitions.entry(found.name).or_default() += 1;
            *in_unit.entry((&found.unit, found.name)).or_default() += 1;
        }
        let shared = |name: &FoundName<'_>| definitions[name.name] > 1;
        let shared_in_crate = |name: &FoundName<'_>| in_unit[&(name.unit.as_str(), name.name)] > 1;
        let plain = |name: &FoundName<'_>| !name.name.trim_start_matches('_').contains('_');
        let (types, functions) = (self.types.len(), self.functions.len());
        vec![
            RatchetFigure::of_share(
                section,
                "types-of-one-word",
                places(&self.types, &one_word),
                (types, ONE_WORD_TYPES_PERCENT),
            ),
            RatchetFigure::of_places(
                section,
                "types-of-one-word-not-in-glossary",
                places(&self.types, &unknown),
            ),
            RatchetFigure::of_places(
                section,
                "types-sharing-name-in-crate",
                places(&self.types, &shared_in_crate),
            ),
            RatchetFigure::of_share(
                section,
                "types-sharing-name",
                places(&self.types, &shared),
                (types, SHARED_TYPES_PERCENT),
            ),
            RatchetFigure::of_share(
                section,
                "functions-of-one-word",
                places(&self.functions, &plain),
                (functions, ONE_WORD_FUNCTIONS_PERCENT),
            ),
        ]
    }
}

/// Returns the crate of a file; the tests of a crate are a unit of their own.
fn crate_unit(path: &str, test: bool) -> String {
    let crate_name = crate_name(path).unwrap_or_else(|| path.split('/').next().unwrap_or_default());
    let tests = test || !path.starts_with(&format!("crates/{crate_name}/src/"));
    if tests { format!("{crate_name} tests") } else { crate_name.to_owned() }
}

/// Returns the terms that the glossary defines.
fn glossary_words(files: &[SourceFile]) -> BTreeSet<String> {
    let text =
        files.iter().find(|file| file.path == "docs/glossary.md").map_or("", |file| file.text.as_str());
    let explained = text.split("## Words that are not used").next().unwrap_or_default();
    let rows = explained.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next());
    rows.map(|word| word.trim_matches('`').to_lowercase()).collect()
}

/// Returns the word of a name that has only one.
fn one_word(name: &str) -> Option<&str> {
    let stem = EMPTY_ENDINGS
        .iter()
        .filter_map(|ending| name.strip_suffix(ending))
        .find(|stem| !stem.is_empty())
        .unwrap_or(name);
    (count_words(stem) == 1).then_some(stem)
}

/// Whether a name has one word and the glossary defines neither that word nor the whole name.
fn one_word_unknown(name: &str, glossary: &BTreeSet<String>) -> bool {
    let is_known = |word: &str| glossary.contains(&word.to_lowercase());
    one_word(name).is_some_and(|word| !is_known(word) && !is_known(&spaced(name)))
}

/// Returns the words of a type's name separated by spaces, as in the glossary.
fn spaced(name: &str) -> String {
    let mut spaced = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !spaced.is_empty() {
            spaced.push(' ');
        }
        spaced.push(letter);
    }
    spaced
}

/// Counts the words of a name: `HttpServer` and `HTTPServer` have two.
fn count_words(name: &str) -> usize {
    let letters: Vec<char> = name.chars().collect();
    let begins = |at: &usize| {
        let after_capital = *at > 0 && letters[at - 1].is_uppercase();
        let before_small = letters.get(at + 1).is_some_and(|next| next.is_lowercase());
        letters[*at].is_uppercase() && (!after_capital || before_small)
    };
    (0..letters.len()).filter(begins).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_types_are_counted() {
        for (name, word) in [
            ("Run", Some("Run")),
            ("RunId", None),
            ("RunState", Some("Run")),
            ("State", Some("State")),
            ("DataValue", Some("Data")),
            ("TaskGraphState", None),
            ("HTTPServer", None),
            ("IO", Some("IO")),
        ] {
            assert_eq!(one_word(name), word, "{name}");
        }
    }

    #[test]
    fn the_glossary_explains_words_and_whole_names() {
        let glossary: BTreeSet<String> = ["run", "index entry"].map(str::to_owned).into();
        for (name, unknown) in [
            ("Run", false),
            ("RunState", false),
            ("IndexEntry", false),
            ("LogEntry", true),
            ("LogLine", false),
        ] {
            assert_eq!(one_word_unknown(name, &glossary), unknown, "{name}");
        }
    }

    #[test]
    fn names_are_measured() {
        let files = [
            SourceFile::new(
                "docs/glossary.md",
                "| word | meaning |\n| run | a |\n\n## Words that are not used\n\n| job | task |\n",
            ),
            SourceFile::new("crates/orch-a/src/lib.rs", "struct Run; struct Job; fn go() {} fn main() {}"),
            SourceFile::new(
                "crates/orch-a/src/b.rs",
                "struct Job; struct TaskGraph; impl X for Run { fn f() {} } #[cfg(test)] mod t { #[test] fn g() {} }",
            ),
            SourceFile::new("crates/orch-c/src/lib.rs", "struct TaskGraph; fn go_on() {}"),
            SourceFile::new("bench/src/main.rs", "struct Yard; fn main() {}"),
        ];
        let figures = measure(&files);
        let measured: Vec<usize> = figures.iter().map(|figure| figure.measured).collect();
        assert_eq!(measured, [3, 2, 2, 4, 1, 1, 1, 0, 0, 0]);
    }
}
