//! Figures that may only fall: each has a bar to reach, and until then the best that was reached counts.
//!
//! The figures are kept in `xtask/ratchet.toml`; `cargo xtask tidy --tighten` writes what is better now.

use std::fmt::Write as _;
use std::fs;

use toml::{Table, Value};

use super::TidyViolation;
use crate::tree::{ChoreResult, SourceFile, repository_root};

/// Where the figures are kept.
const PATH: &str = "xtask/ratchet.toml";

/// Something that is counted.
pub(super) struct RatchetFigure {
    /// Its section of the file.
    pub(super) section: &'static str,
    /// Its key in the section.
    pub(super) key: String,
    /// How often it is found, or how large it is.
    pub(super) measured: usize,
    /// The most that it may be in the end.
    pub(super) bar: usize,
    /// What the number is of, for people.
    pub(super) note: String,
    /// What was counted; a message is empty where the place says it all.
    pub(super) places: Vec<TidyViolation>,
}

impl RatchetFigure {
    /// A figure that is the number of these places, of which there should be none.
    pub(super) fn of_places(
        section: &'static str,
        key: impl Into<String>,
        places: Vec<TidyViolation>,
    ) -> Self {
        Self { section, key: key.into(), measured: places.len(), bar: 0, note: String::new(), places }
    }

    /// A figure that is a share of `all`, and may be at most `percent` of it.
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

/// The kept figures.
pub(super) struct RatchetFile(Table);

impl RatchetFile {
    /// Reads the file; nothing is kept where there is none.
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

    /// Each figure that has grown.
    pub(super) fn check(&self, figures: &[RatchetFigure]) -> Vec<TidyViolation> {
        let grown = figures.iter().filter(|figure| figure.measured > self.limit(figure));
        let breach = |figure: &RatchetFigure| {
            let (name, limit, measured) = (figure.name(), self.limit(figure), figure.measured);
            let message = format!(
                "{name} is {measured}, more than {limit}; see what is counted with `cargo xtask tidy --list '{name}'`."
            );
            TidyViolation { path: PATH.to_owned(), line: 1, message }
        };
        grown.map(breach).collect()
    }

    /// How many figures are better than they need to be.
    pub(super) fn loose(&self, figures: &[RatchetFigure]) -> usize {
        figures.iter().filter(|figure| figure.measured < self.kept(figure).unwrap_or(0)).count()
    }

    /// A table of all figures.
    pub(super) fn table(&self, figures: &[RatchetFigure]) -> String {
        let mut table = format!("{:44} {:>7} {:>7} {:>7}\n", "figure", "now", "allowed", "bar");
        for figure in figures {
            let (name, now, limit, bar) = (figure.name(), figure.measured, self.limit(figure), figure.bar);
            let line = format!("{name:44} {now:7} {limit:7} {bar:7}  {}", figure.note);
            let _ = writeln!(table, "{}", line.trim_end());
        }
        table
    }

    /// Writes the figures as they are now, each at most as it was; one that has reached its bar needs no line.
    pub(super) fn tighten(&self, figures: &[RatchetFigure]) -> ChoreResult {
        let mut text =
            "# Figures that may only fall, by `cargo xtask tidy --tighten`; what has reached its bar has no line here.\n"
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

/// What is counted by the figure of this name.
pub(super) fn print_places(figures: &[RatchetFigure], name: &str) -> ChoreResult {
    let Some(figure) = figures.iter().find(|figure| figure.name() == name) else {
        return Err(format!("There is no figure {name}; `cargo xtask tidy --measure` shows all."));
    };
    for place in &figure.places {
        println!("{place}");
    }
    Ok(())
}

/// A key of TOML, in quotes where it is more than a word.
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
