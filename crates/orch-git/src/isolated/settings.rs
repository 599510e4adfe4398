//! The settings of a repository that decide what a checkout holds, saved before others can change them.

use std::fs;
use std::path::Path;

use crate::error::GitError;
use crate::program::split_nul;
use crate::repository::Repository;

/// The saved configuration.
pub(super) const CONFIG_FILE: &str = "config";

/// Files in the repository's `info` folder that are saved too.
pub(super) const INFO_FILES: [&str; 2] = ["attributes", "exclude"];

/// Sections and variables that concern one worktree, hooks, or the storage of the repository itself.
const LEFT_OUT: [&str; 15] = [
    "core.worktree",
    "core.bare",
    "core.hookspath",
    "core.fsmonitor",
    "core.untrackedcache",
    "core.splitindex",
    "core.sparsecheckout",
    "core.sparsecheckoutcone",
    "core.alternaterefscommand",
    "extensions.worktreeconfig",
    "extensions.refstorage",
    "extensions.relativeworktrees",
    "include.",
    "includeif.",
    "gc.",
];

impl Repository {
    /// Saves the settings on which the content of a checkout depends, unless they were saved already.
    pub fn save_checkout_settings(&self, folder: &Path) -> Result<(), GitError> {
        let file = folder.join(CONFIG_FILE);
        if file.exists() {
            return Ok(());
        }
        self.create_outer_folder(folder)?;
        for name in INFO_FILES {
            if let Ok(content) = fs::read(self.common_dir().join("info").join(name)) {
                fs::write(folder.join(name), content).map_err(GitError::io("write", folder.join(name)))?;
            }
        }
        let words = ["config", "--local", "--includes", "--null", "--list"];
        let listed = self.git_command(words).read_optional(|output| Some(format_settings(output)))?;
        // Renamed at the end: a process that sees the file sees all of it.
        let new = folder.join(format!("{CONFIG_FILE}.{}", std::process::id()));
        fs::write(&new, listed.unwrap_or_default()).map_err(GitError::io("write", &new))?;
        fs::rename(&new, &file).map_err(GitError::io("write", file))
    }
}

/// Formats entries of `NAME LF VALUE NUL` as a configuration file.
fn format_settings(output: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    for entry in split_nul(output) {
        let end = entry.iter().position(|byte| *byte == b'\n');
        let (name, value) = match end {
            Some(end) => (&entry[..end], Some(&entry[end + 1..])),
            None => (entry, None),
        };
        let Ok(name) = std::str::from_utf8(name) else { continue };
        let (Some((section, _)), Some((subsection, variable))) =
            (name.split_once('.'), name.rsplit_once('.'))
        else {
            continue;
        };
        let is_left_out = |left_out: &&str| match left_out.strip_suffix('.') {
            Some(left_out) => section.eq_ignore_ascii_case(left_out),
            None => name.eq_ignore_ascii_case(left_out),
        };
        if LEFT_OUT.iter().any(is_left_out) {
            continue;
        }
        text.push(b'[');
        text.extend_from_slice(section.as_bytes());
        if let Some(subsection) = subsection.get(section.len() + 1..) {
            text.extend_from_slice(b" \"");
            append_escaped(&mut text, subsection.as_bytes());
            text.push(b'"');
        }
        text.extend_from_slice(b"]\n\t");
        text.extend_from_slice(variable.as_bytes());
        if let Some(value) = value {
            text.extend_from_slice(b" = \"");
            append_escaped(&mut text, value);
            text.push(b'"');
        }
        text.push(b'\n');
    }
    text
}

/// Appends text as it stands between quotation marks.
fn append_escaped(text: &mut Vec<u8>, value: &[u8]) {
    for byte in value {
        match byte {
            b'"' | b'\\' => text.extend_from_slice(&[b'\\', *byte]),
            b'\n' => text.extend_from_slice(b"\\n"),
            _ => text.push(*byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_settings_of_the_content_are_saved() {
        let listed = b"core.bare\nfalse\0core.autocrlf\ninput\0core.hooksPath\n/x\0\
            filter.a.b.smudge\nsay \"hi\" \\ \n2\0core.filemode\0include.path\n../y\0gc.auto\n5\0";
        let text = String::from_utf8(format_settings(listed)).unwrap();
        assert_eq!(
            text,
            "[core]\n\tautocrlf = \"input\"\n\
             [filter \"a.b\"]\n\tsmudge = \"say \\\"hi\\\" \\\\ \\n2\"\n\
             [core]\n\tfilemode\n"
        );
    }
}
