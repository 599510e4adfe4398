//! Figures that may only fall: until a figure reaches its final limit, its best value so far is the limit.
//!
//! `xtask/ratchet.toml` records the best values; `cargo xtask tidy --tighten` updates it.

use std::fmt::Write as _;
use std::fs;

use toml::{Table, Value};

use super::TidyViolation;
use crate::tree::{ChoreResult, SourceFile, repository_root};

/// The file with the recorded figures.
const PATH: &str = "xtask/ratchet.toml";

/// A measured figure.
pub(super) struct RatchetFigure {
    /// Its section of the file.
    pub(super) section: &'static str,
    /// Its key in the section.
    pub(super) key: String,
    /// The current value.
    pub(super) measured: usize,
    /// The final limit.
    pub(super) bar: usize,
    /// An explanation of the value.
    pub(super) note: String,
    /// The counted locations.
    pub(super) places: Vec<TidyViolation>,
}

impl RatchetFigure {
    /// Creates a figure that counts these locations, with a final limit of 0.
    pub(super) fn of_places(
        section: &'static str,
        key: impl Into<String>,
        places: Vec<TidyViolation>,
    ) -> Self {
        Self { section, key: key.into(), measured: places.len(), bar: 0, note: String::new(), places }
    }

    /// Creates a figure that counts these locations, with a final limit of `percent` of `all`.
    pub(super) fn of_share(
        section: &'static str,
        key: impl Into<String>,
        places: Vec<TidyViolation>,
        (all, percent): (usize, usize),
    ) -> Self {
        let measured = places.len();
        let tenths = (measured * 1000).checked_div(all).unwrap_or(0);
        let note = format!("{}.{} % of {all}, at most {percent} %", tenths / 10, tenths % 10);
        Self { section, key: key.into(), measured, bar: all * percent / 100, note, places }
    }

    fn name(&self) -> String {
        format!("{}.{}", self.section, self.key)
    }
}

/// The recorded figures.
pub(super) struct RatchetFile(Table);

impl RatchetFile {
    /// Parses the file; without it, nothing is recorded.
    pub(super) fn read(files: &[SourceFile]) -> Result<Self, String> {
        let text = files.iter().find(|file| file.path == PATH).map_or("", |file| file.text.as_str());
        text.parse().map(Self).map_err(|error| format!("{PATH} is not TOML: {error}"))
    }

    fn kept(&self, figure: &RatchetFigure) -> Option<usize> {
        let kept = self.0.get(figure.section)?.get(&figure.key).and_then(Value::as_integer)?;
        usize::try_from(kept).ok()
    }

    fn limit(&self, figure: &RatchetFigure) -> usize {
        self.kept(figure).unwrap_or(0).max(figure.bar)
    }

    /// Returns a violation for each figure above its limit.
    pub(super) fn check(&self, figures: &[RatchetFigure]) -> Vec<TidyViolation> {
        let grown = figures.iter().filter(|figure| figure.measured > self.limit(figure));
        let violation = |figure: &RatchetFigure| {
            let (name, limit, measured) = (figure.name(), self.limit(figure), figure.measured);
            let message = format!(
                "{name} is {measured}, above its limit of {limit}; list the occurrences with `cargo xtask tidy --list '{name}'`."
            );
            TidyViolation { path: PATH.to_owned(), line: 1, message }
        };
        grown.map(violation).collect()
    }

    /// Counts the figures that are below their recorded value.
    pub(super) fn loose(&self, figures: &[RatchetFigure]) -> usize {
        figures.iter().filter(|figure| figure.measured < self.kept(figure).unwrap_or(0)).count()
    }

    /// Formats all figures as a table.
    pub(super) fn table(&self, figures: &[RatchetFigure]) -> String {
        let mut table = format!("{:44} {:>7} {:>7} {:>7}\n", "figure", "now", "allowed", "bar");
        for figure in figures {
            let (name, now, limit, bar) = (figure.name(), figure.measured, self.limit(figure), figure.bar);
            let line = format!("{name:44} {now:7} {limit:7} {bar:7}  {}", figure.note);
            let _ = writeln!(table, "{}", line.trim_end());
        }
        table
    }

    /// Records the current figures where they are lower; drops those within their final limit.
    pub(super) fn tighten(&self, figures: &[RatchetFigure]) -> ChoreResult {
        let mut text =
            "# Figures that may only fall, updated by `cargo xtask tidy --tighten`. Figures within their final limit are not listed.\n"
                .to_owned();
        let mut section = "";
        for figure in figures.iter().filter(|figure| figure.measured > figure.bar) {
            if figure.section != section {
                section = figure.section;
                let _ = write!(text, "\n[{section}]\n");
            }
            let kept = figure.measured.min(self.kept(figure).unwrap_or(usize::MAX));
            let _ = writeln!(text, "{} = {kept}", toml_key(&figure.key));
        }
        fs::write(repository_root().join(PATH), text)
            .map_err(|error| format!("{PATH} could not be written: {error}."))
    }
}

/// Prints the locations that a figure counts.
pub(super) fn print_places(figures: &[RatchetFigure], name: &str) -> ChoreResult {
    let Some(figure) = figures.iter().find(|figure| figure.name() == name) else {
        return Err(format!("Unknown figure {name}; list all figures with `cargo xtask tidy --measure`."));
    };
    for place in &figure.places {
        println!("{place}");
    }
    Ok(())
}

/// Formats a TOML key, quoted if necessary.
fn toml_key(name: &str) -> String {
    let bare = name.chars().all(|character| character.is_ascii_alphanumeric() || "_-".contains(character));
    if bare { name.to_owned() } else { format!("{name:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_may_only_fall() {
        let ratchet = RatchetFile::read(&[SourceFile::new(PATH, "[a]\nb = 3\n\"c d\" = 1\n")]).unwrap();
        for (key, measured, bar, grown, loose) in [
            ("b", 3, 0, 0, 0),
            ("b", 4, 0, 1, 0),
            ("b", 2, 0, 0, 1),
            ("b", 4, 5, 0, 0),
            ("c d", 1, 0, 0, 0),
            ("e", 1, 0, 1, 0),
            ("e", 1, 1, 0, 0),
        ] {
            let places = Vec::new();
            let figure = RatchetFigure {
                section: "a",
                key: key.to_owned(),
                measured,
                bar,
                note: String::new(),
                places,
            };
            let figures = [figure];
            let found = (ratchet.check(&figures).len(), ratchet.loose(&figures));
            assert_eq!(found, (grown, loose), "{key} {measured} {bar}");
        }
    }
}
