//! Rules about the size of the product and its crates, and about import cycles between files.
//!
//! Product code is shipped code without tests; empty lines and comments count.

use std::collections::{BTreeMap, BTreeSet};

use super::ratchet::RatchetFigure;
use super::{TidyViolation, crate_name, is_shipped};
use crate::source::{PathKind, UsedPath};
use crate::tree::SourceFile;

/// The maximum number of product lines.
const PRODUCT_LINES_MAX: usize = 47_000;

/// The maximum number of product lines of a crate.
const CRATE_LINES_MAX: usize = 12_000;

/// The maximum number of files in an import cycle.
const CIRCLE_FILES_MAX: usize = 5;

/// The maximum depth at which re-exports are followed.
const REEXPORTS_MAX: usize = 8;

/// Measures product size, crate sizes and import cycles.
pub(super) fn measure(files: &[SourceFile]) -> Vec<RatchetFigure> {
    let mut crates: BTreeMap<&str, Vec<&SourceFile>> = BTreeMap::new();
    for file in files.iter().filter(|file| is_shipped(file)) {
        crates.entry(crate_name(&file.path).unwrap_or_default()).or_default().push(file);
    }
    let sizes: Vec<TidyViolation> = crates
        .iter()
        .map(|(name, files)| crate_size(name, files.iter().map(|file| product_lines(file)).sum()))
        .collect();
    let largest = sizes.iter().map(|size| size.line).max().unwrap_or(0);
    let all = sizes.iter().map(|size| size.line).sum();
    let circles: Vec<Vec<&SourceFile>> = crates.values().flat_map(|files| import_circles(files)).collect();
    let widest = circles.iter().map(Vec::len).max().unwrap_or(0);
    let members = circles.iter().filter(|circle| circle.len() > CIRCLE_FILES_MAX);
    let members = members.flat_map(|circle| {
        circle.iter().map(|file| TidyViolation::at_line(file, 1, format!("one of {}", circle.len())))
    });
    let figure = |key: &str, measured, bar, places| RatchetFigure {
        section: "sizes",
        key: key.to_owned(),
        measured,
        bar,
        note: String::new(),
        places,
    };
    vec![
        figure("lines-of-product", all, PRODUCT_LINES_MAX, sizes.clone()),
        figure("lines-of-largest-crate", largest, CRATE_LINES_MAX, sizes),
        figure("files-of-largest-circle", widest, CIRCLE_FILES_MAX, members.collect()),
    ]
}

/// Returns a crate's size as a location.
fn crate_size(name: &str, lines: usize) -> TidyViolation {
    TidyViolation { path: format!("crates/{name}/src"), line: lines, message: "lines".to_owned() }
}

/// Counts the lines of a file outside its tests.
fn product_lines(file: &SourceFile) -> usize {
    let tests: usize = file.source().test_lines.iter().map(ExactSizeIterator::len).sum();
    file.text.lines().count().saturating_sub(tests)
}

/// The modules of a crate by path.
struct ModuleTree<'a> {
    files: &'a [&'a SourceFile],
    by_path: BTreeMap<Vec<&'a str>, usize>,
}

/// Returns the import cycles: sets of files that import each other, directly or not.
fn import_circles<'a>(files: &[&'a SourceFile]) -> Vec<Vec<&'a SourceFile>> {
    let modules = ModuleTree::of(files);
    let reached: Vec<BTreeSet<usize>> = (0..files.len()).map(|file| modules.reach(file)).collect();
    let mut circles = Vec::new();
    let mut placed = BTreeSet::new();
    for file in 0..files.len() {
        if placed.contains(&file) {
            continue;
        }
        let circle: Vec<usize> =
            reached[file].iter().copied().filter(|other| reached[*other].contains(&file)).collect();
        placed.extend(circle.iter().copied());
        if circle.len() > 1 {
            circles.push(circle.into_iter().map(|file| files[file]).collect());
        }
    }
    circles
}

impl<'a> ModuleTree<'a> {
    fn of(files: &'a [&'a SourceFile]) -> Self {
        let paths = files.iter().enumerate().map(|(index, file)| (module_path(&file.path), index));
        // Each binary is the root of a module tree of its own.
        let by_path = paths.filter(|(path, _)| path.first() != Some(&"bin")).collect();
        Self { files, by_path }
    }

    /// Returns the files that a file imports, directly or not.
    fn reach(&self, from: usize) -> BTreeSet<usize> {
        let mut reached = BTreeSet::new();
        let mut ahead = vec![from];
        while let Some(file) = ahead.pop() {
            ahead.extend(self.imported(file).into_iter().filter(|other| reached.insert(*other)));
        }
        reached
    }

    fn imported(&self, file: usize) -> BTreeSet<usize> {
        let here = module_path(&self.files[file].path);
        let paths = &self.files[file].source().paths;
        // A re-export is attributed to the files that import through it.
        let used = paths.iter().filter(|path| !path.test && !matches!(path.kind, PathKind::Reexport(_)));
        used.filter_map(|path| self.resolve(&here, path, REEXPORTS_MAX))
            .filter(|other| *other != file)
            .collect()
    }

    /// Returns the file that defines the target of a path, if it is in this crate.
    fn resolve(&self, here: &[&'a str], path: &UsedPath, depth: usize) -> Option<usize> {
        let names: Vec<&str> = path.names.iter().map(String::as_str).collect();
        let whole = self.absolute(here, &names)?;
        let length = (0..=whole.len()).rev().find(|length| self.by_path.contains_key(&whole[..*length]))?;
        let (module, rest) = whole.split_at(length);
        let file = self.by_path[module];
        let Some(name) = rest.first().filter(|_| depth > 0) else { return Some(file) };
        let here = module_path(&self.files[file].path);
        let passes_on = |path: &&UsedPath| match &path.kind {
            PathKind::Reexport(alias) => alias == name,
            PathKind::Inline | PathKind::Import(_) => false,
        };
        let reexport = self.files[file].source().paths.iter().find(passes_on);
        Some(reexport.and_then(|path| self.resolve(&here, path, depth - 1)).unwrap_or(file))
    }

    /// Resolves a path relative to the crate root; `None` for a path into another crate.
    fn absolute<'n>(&self, here: &[&'n str], names: &[&'n str]) -> Option<Vec<&'n str>>
    where
        'a: 'n,
    {
        let (mut base, mut rest) = match names {
            ["crate", rest @ ..] => (&here[..0], rest),
            ["self", rest @ ..] => (here, rest),
            ["super", ..] => (here, names),
            [first, ..] => {
                let child: Vec<&str> = here.iter().copied().chain([*first]).collect();
                let is_module = self.by_path.contains_key(child.as_slice());
                return is_module.then(|| here.iter().chain(names).copied().collect());
            }
            [] => return None,
        };
        while let ["super", behind @ ..] = rest {
            (base, rest) = (&base[..base.len().checked_sub(1)?], behind);
        }
        Some(base.iter().chain(rest).copied().collect())
    }
}

/// Returns the module path of a file; empty for the crate root.
fn module_path(path: &str) -> Vec<&str> {
    let inside = path.split("/src/").nth(1).unwrap_or_default();
    let mut names: Vec<&str> = inside.trim_end_matches(".rs").split('/').collect();
    if names.last() == Some(&"mod") || matches!(names[..], ["lib" | "main"]) {
        names.pop();
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circles_are_found() {
        let texts = [
            ("lib.rs", "mod a; mod b; mod c; mod d; pub use c::C;"),
            ("a/mod.rs", "pub use inner::Inner; fn f() { super::b::g() }"),
            ("a/inner.rs", "use crate::d; pub struct Inner;"),
            ("b.rs", "use crate::a::Inner; use std::fs; #[cfg(test)] mod tests { use crate::c; }"),
            ("c.rs", "use crate::b; pub struct C;"),
            ("d.rs", "use super::{b, C};"),
        ];
        let files: Vec<SourceFile> = texts
            .iter()
            .map(|(path, text)| SourceFile::new(format!("crates/orch-x/src/{path}"), *text))
            .collect();
        let files: Vec<&SourceFile> = files.iter().collect();
        let circles: Vec<Vec<&str>> = import_circles(&files)
            .iter()
            .map(|circle| circle.iter().map(|file| file.stem()).collect())
            .collect();
        assert_eq!(circles, [["inner", "b", "c", "d"]]);
    }

    #[test]
    fn tests_are_no_product() {
        let text = "//! A.\n\nfn a() {}\n\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n";
        assert_eq!(product_lines(&SourceFile::new("crates/orch-x/src/a.rs", text)), 4);
    }
}
