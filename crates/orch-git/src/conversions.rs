//! By what git converts files between the repository and a checkout: settings, and attributes outside the tree.

use std::fs;
use std::io;
use std::path::PathBuf;

use super::error::GitError;
use super::index::to_file_path;
use super::program::split_nul;
use super::repository::Repository;
use super::written_files::digest_text;

/// The settings by which git converts files at checkout.
const CONVERSIONS_QUERY: [&str; 4] = [
    "config",
    "--null",
    "--get-regexp",
    r"^(filter\..*|core\.(autocrlf|eol|attributesfile|symlinks|filemode|ignorecase))$",
];

impl Repository {
    /// Returns a digest of the settings and the attributes outside the tree by which git converts files at checkout.
    ///
    /// It changes whenever one of them changes.
    pub fn describe_conversions(&self) -> Result<String, GitError> {
        let settings = self.git_command(CONVERSIONS_QUERY).read_optional(|output| Some(output.to_vec()))?;
        let settings = settings.unwrap_or_default();
        let mut text = format!("{settings:?}");
        let named = attributes_file(&settings).map(|path| self.expand_user_path(path));
        let files = [Some(self.common_dir().join("info/attributes")), named, self.user_attributes_file()];
        for path in files.into_iter().flatten() {
            match fs::read(&path) {
                Ok(attributes) => text.push_str(&format!("{path:?}{attributes:?}")),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(GitError::io("read", path)(error)),
            }
        }
        Ok(digest_text(&text))
    }
}

/// Returns the attributes file that the settings name, the last one if there are several.
fn attributes_file(settings: &[u8]) -> Option<PathBuf> {
    let values = split_nul(settings).filter_map(|entry| entry.strip_prefix(b"core.attributesfile\n"));
    values.last().map(|value| to_file_path(value).to_owned())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_last_attributes_file_counts() {
        for (settings, expected) in [
            (&b""[..], None),
            (b"core.autocrlf\ntrue\0core.attributesfile\n~/a\0core.attributesfile\n/b\0", Some("/b")),
        ] {
            assert_eq!(attributes_file(settings).as_deref(), expected.map(Path::new));
        }
    }
}
