//! The repository's files, as git sees them.

use std::cell::OnceCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::source::{self, RustSource};

/// The result of a chore; the error is a message for the developer.
pub(crate) type ChoreResult = Result<(), String>;

/// One file of the repository.
pub(crate) struct SourceFile {
    /// Its path from the root, with `/`.
    pub(crate) path: String,
    /// Its content.
    pub(crate) text: String,
    source: OnceCell<Result<RustSource, String>>,
}

impl SourceFile {
    /// Creates a file with this content.
    pub(crate) fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into(), source: OnceCell::new() }
    }

    /// Returns the parsed Rust source, parsed once; empty if it is invalid, which [`Self::not_rust`] reports.
    pub(crate) fn source(&self) -> &RustSource {
        static EMPTY: RustSource = RustSource::EMPTY;
        self.parsed().as_ref().unwrap_or(&EMPTY)
    }

    /// Returns why the file is not valid Rust.
    pub(crate) fn not_rust(&self) -> Option<&str> {
        self.parsed().as_ref().err().map(String::as_str)
    }

    fn parsed(&self) -> &Result<RustSource, String> {
        self.source.get_or_init(|| source::read_rust(&self.text))
    }

    /// Its name without folders and extension.
    pub(crate) fn stem(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or(&self.path);
        name.split('.').next().unwrap_or(name)
    }

    /// Whether its name has this extension.
    pub(crate) fn has_extension(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|found| found == extension)
    }
}

/// The repository's root.
pub(crate) fn repository_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Every text file that is tracked, or would be with `git add --all`.
pub(crate) fn repository_files() -> Result<Vec<SourceFile>, String> {
    let root = repository_root();
    let listing = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(&root)
        .output()
        .map_err(|error| format!("git could not be started: {error}."))?;
    if !listing.status.success() {
        return Err(format!("git ls-files failed: {}", String::from_utf8_lossy(&listing.stderr).trim()));
    }
    let names = String::from_utf8(listing.stdout).map_err(|_| "a file name is not UTF-8.".to_owned())?;
    let mut files = Vec::new();
    for path in names.split('\0').filter(|name| !name.is_empty()) {
        let full = root.join(path);
        // A tracked file that was just deleted is still listed.
        if !full.is_file() {
            continue;
        }
        let bytes = fs::read(&full).map_err(|error| format!("{path} could not be read: {error}."))?;
        if let Ok(text) = String::from_utf8(bytes) {
            files.push(SourceFile::new(path, text));
        }
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}
