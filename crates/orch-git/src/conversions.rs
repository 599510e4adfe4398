//! By what git converts files between the repository and a checkout: settings, and attributes outside the tree.

use std::fs;
use std::io;

use super::error::GitError;
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
        let is_named = names_attributes_file(&settings);
        let files = [Some(self.common_dir().join("info/attributes")), self.user_attributes_file(is_named)?];
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

/// Whether the settings name a file of attributes for all repositories.
fn names_attributes_file(settings: &[u8]) -> bool {
    split_nul(settings).any(|entry| entry.starts_with(b"core.attributesfile\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_attributes_file_is_noticed() {
        for (settings, named) in [
            (&b""[..], false),
            (b"core.autocrlf\ntrue\0", false),
            (b"core.autocrlf\ntrue\0core.attributesfile\n~/a\0", true),
        ] {
            assert_eq!(names_attributes_file(settings), named);
        }
    }
}
