//! What lies between two commits: files, lines, and whether a pattern names any of them.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use super::{CommitId, GitError, Repository};

/// A file that two commits have differently. A renamed one is two: one gone, one added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileDiffStat {
    /// Where it lies.
    pub path: PathBuf,
    /// The lines that were added and removed; `None` for what has no lines.
    pub lines: Option<LineCount>,
}

/// How many lines changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineCount {
    /// Lines that the newer one has and the older has not.
    pub added: u64,
    /// Lines that the older one has and the newer has not.
    pub removed: u64,
}

/// A difference as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiffText {
    /// As git prints it, in whatever encoding the files are.
    pub bytes: Vec<u8>,
    /// Whether there was more.
    pub is_cut: bool,
}

/// What [`Repository::diff_text`] shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiffStyle {
    /// Every changed line.
    Patch,
    /// A line for each file.
    Stat,
}

/// The files and folders at the top that were changed, by the commit that has the changes.
pub type ChangedAreas = HashMap<CommitId, HashSet<Vec<u8>>>;

impl Repository {
    /// Counts the changed lines of each changed file.
    ///
    /// # Errors
    /// One of the commits is not there.
    pub fn diff_stat(&self, base: &CommitId, head: &CommitId) -> Result<Vec<FileDiffStat>, GitError> {
        let answer = self.git_command(diff_tree_arguments(base, head, &["--numstat"])).run_to_output()?;
        if answer.exit_code() != Some(0) {
            return Err(answer.into_error());
        }
        parse_numstat(&answer.stdout).ok_or_else(|| answer.into_unreadable())
    }

    /// Lists the changed files.
    ///
    /// # Errors
    /// One of the commits is not there.
    pub fn changed_paths(&self, base: &CommitId, head: &CommitId) -> Result<Vec<PathBuf>, GitError> {
        Ok(parse_changed_paths(
            &self.git_command(diff_tree_arguments(base, head, &["--name-only"])).read_stdout()?,
        ))
    }

    /// The files and folders at the top that lie between two commits each, by the second of them.
    ///
    /// Changes that contradict each other, also by way of renamed files and folders, have one of these in common.
    ///
    /// # Errors
    /// One of the commits is not there.
    pub fn changed_areas(&self, steps: &[(CommitId, CommitId)]) -> Result<ChangedAreas, GitError> {
        let lines: String = steps.iter().map(|(base, head)| format!("{head} {base}\n")).collect();
        let words = ["diff-tree", "--stdin", "--name-only", "-z", "--no-renames", "--no-ext-diff"];
        let heads: HashSet<&CommitId> = steps.iter().map(|(_, head)| head).collect();
        Ok(parse_changed_areas(&self.git_command(words).with_stdin(lines).read_stdout()?, &heads))
    }

    /// Lists the changed files that one of these patterns names.
    ///
    /// Patterns are those of `.gitignore`: one without a slash names files in every folder, one that names a
    /// folder names all below it, `*` stops at a slash and `**` does not. They may not begin with `!`.
    ///
    /// # Errors
    /// `InvalidPattern`.
    pub fn changed_paths_matching(
        &self,
        base: &CommitId,
        head: &CommitId,
        globs: &[String],
    ) -> Result<Vec<PathBuf>, GitError> {
        if globs.is_empty() {
            return Ok(Vec::new());
        }
        let mut words: Vec<OsString> = diff_tree_arguments(base, head, &["--name-only"]);
        words.push("--".into());
        for glob in globs {
            let specs = pathspecs_for_glob(glob);
            words.extend(specs.ok_or_else(|| GitError::InvalidPattern { pattern: glob.clone() })?);
        }
        Ok(parse_changed_paths(&self.git_command(words).read_stdout()?))
    }

    /// Shows what changed, at most so many bytes of it.
    ///
    /// # Errors
    /// One of the commits is not there.
    pub fn diff_text(
        &self,
        base: &CommitId,
        head: &CommitId,
        style: DiffStyle,
        bytes_max: usize,
    ) -> Result<DiffText, GitError> {
        let style = match style {
            DiffStyle::Patch => "--patch",
            DiffStyle::Stat => "--stat=100",
        };
        let words = ["diff", "--no-color", "--no-ext-diff", "--no-textconv", "--find-renames", style];
        let call = self.git_command(words.into_iter().chain([base.as_str(), head.as_str(), "--"]));
        let answer = call.truncate_stdout_at(bytes_max).run_to_output()?;
        if answer.exit_code() != Some(0) {
            return Err(answer.into_error());
        }
        Ok(DiffText { is_cut: answer.is_cut, bytes: answer.stdout })
    }
}

fn diff_tree_arguments(base: &CommitId, head: &CommitId, what: &[&str]) -> Vec<OsString> {
    let words = ["diff-tree", "-r", "-z", "--no-renames", "--no-ext-diff", "--no-textconv"];
    let words = words.iter().chain(what).copied().chain([base.as_str(), head.as_str()]);
    words.map(OsString::from).collect()
}

/// What git is asked for in place of a pattern as in `.gitignore`: what it names, and all below that.
fn pathspecs_for_glob(glob: &str) -> Option<[OsString; 2]> {
    let pattern = glob.trim_end_matches('/');
    if pattern.is_empty() || pattern.starts_with('!') || pattern.contains('\0') {
        return None;
    }
    let anchored = match pattern.strip_prefix('/') {
        Some(pattern) => pattern.to_owned(),
        None if pattern.contains('/') => pattern.to_owned(),
        None => format!("**/{pattern}"),
    };
    let below = format!(":(top,glob){anchored}/**");
    // With a slash at its end a pattern names folders only.
    let itself = if glob.ends_with('/') { below.clone() } else { format!(":(top,glob){anchored}") };
    Some([itself.into(), below.into()])
}

/// Reads `ADDED TAB REMOVED TAB PATH`, with `-` for what has no lines.
fn parse_numstat(output: &[u8]) -> Option<Vec<FileDiffStat>> {
    output
        .split(|byte| *byte == 0)
        .filter(|entry| !entry.is_empty())
        .map(|entry| {
            let mut fields = entry.splitn(3, |byte| *byte == b'\t');
            let mut number = || std::str::from_utf8(fields.next()?).ok();
            let lines = match (number()?, number()?) {
                ("-", "-") => None,
                (added, removed) => {
                    Some(LineCount { added: added.parse().ok()?, removed: removed.parse().ok()? })
                }
            };
            let path = fields.next().filter(|path| !path.is_empty())?;
            Some(FileDiffStat { path: PathBuf::from(OsStr::from_bytes(path)), lines })
        })
        .collect()
}

/// Reads names, each commit's behind its own.
fn parse_changed_areas(output: &[u8], heads: &HashSet<&CommitId>) -> ChangedAreas {
    let mut areas = ChangedAreas::new();
    let mut current = None;
    for entry in output.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()) {
        let commit = std::str::from_utf8(entry).ok().and_then(CommitId::parse);
        match commit.filter(|commit| heads.contains(commit)) {
            Some(commit) => current = Some(areas.entry(commit).or_default()),
            None => {
                if let Some(current) = &mut current {
                    current.insert(entry.to_vec());
                }
            }
        }
    }
    areas
}

fn parse_changed_paths(output: &[u8]) -> Vec<PathBuf> {
    let entries = output.split(|byte| *byte == 0).filter(|entry| !entry.is_empty());
    entries.map(|entry| PathBuf::from(OsStr::from_bytes(entry))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read() {
        let changes = parse_numstat(b"3\t0\ta b\0-\t-\tpic.png\x000\t12\tn\nl\tx\0").unwrap();
        let read: Vec<(&str, Option<(u64, u64)>)> = changes
            .iter()
            .map(|change| {
                (change.path.to_str().unwrap(), change.lines.map(|lines| (lines.added, lines.removed)))
            })
            .collect();
        assert_eq!(read, [("a b", Some((3, 0))), ("pic.png", None), ("n\nl\tx", Some((0, 12)))]);
        assert_eq!(parse_numstat(b""), Some(Vec::new()));
        for output in [&b"3\t0\0"[..], b"3\t0\t\0", b"x\t0\ta\0", b"3\t-\ta\0"] {
            assert_eq!(parse_numstat(output), None, "{}", String::from_utf8_lossy(output));
        }
    }

    #[test]
    fn areas_are_read() {
        let [one, two] = ["1", "2"].map(|digit| CommitId::parse(&digit.repeat(40)).unwrap());
        let output = format!("{one}\0a\0d\0{two}\0d\0");
        let read = parse_changed_areas(output.as_bytes(), &HashSet::from([&one, &two]));
        assert_eq!(read[&one], HashSet::from([b"a".to_vec(), b"d".to_vec()]));
        assert_eq!(read[&two], HashSet::from([b"d".to_vec()]));
    }

    #[test]
    fn patterns_become_pathspecs() {
        for (glob, expected) in [
            ("Cargo.lock", Some([":(top,glob)**/Cargo.lock", ":(top,glob)**/Cargo.lock/**"])),
            ("/Cargo.lock", Some([":(top,glob)Cargo.lock", ":(top,glob)Cargo.lock/**"])),
            ("tests/", Some([":(top,glob)**/tests/**", ":(top,glob)**/tests/**"])),
            ("a/*.rs", Some([":(top,glob)a/*.rs", ":(top,glob)a/*.rs/**"])),
            ("", None),
            ("/", None),
            ("!a", None),
            ("a\0b", None),
        ] {
            assert_eq!(pathspecs_for_glob(glob), expected.map(|specs| specs.map(OsString::from)), "{glob:?}");
        }
    }
}
