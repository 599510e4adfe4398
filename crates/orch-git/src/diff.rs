//! Differences between two commits: files, line counts, and text.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::error::GitError;
use super::name::CommitId;
use super::program::split_nul;
use super::repository::Repository;
use super::written_files::digest_of;

/// The name of a tree without files, which git knows in every repository.
const EMPTY_TREE_SHA1: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

/// The name of a tree without files in a repository with SHA-256.
const EMPTY_TREE_SHA256: &str = "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321";

/// A file that differs between two commits; a renamed file counts as one deleted and one added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileDiffStat {
    /// The path.
    pub path: PathBuf,
    /// The added and removed lines; `None` for binary files.
    pub lines: Option<LineCount>,
}

/// The number of changed lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineCount {
    /// Lines that only the newer version has.
    pub added: u64,
    /// Lines that only the older version has.
    pub removed: u64,
}

/// A diff as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiffText {
    /// The output of git, in the encoding of the files.
    pub bytes: Vec<u8>,
    /// Whether the text was truncated.
    pub is_cut: bool,
}

/// The format of [`Repository::diff_text`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiffStyle {
    /// Every changed line.
    Patch,
    /// One line per file.
    Stat,
}

/// The changed files and folders of the top level, by the commit with the changes.
pub type ChangedAreas = HashMap<CommitId, HashSet<Vec<u8>>>;

impl Repository {
    /// Counts the changed lines of each changed file.
    pub fn diff_stat(&self, base: &CommitId, head: &CommitId) -> Result<Vec<FileDiffStat>, GitError> {
        self.git_command(diff_tree_arguments(base, head, &["--numstat"])).read_parsed(parse_numstat)
    }

    /// Lists the changed files.
    pub fn changed_paths(&self, base: &CommitId, head: &CommitId) -> Result<Vec<PathBuf>, GitError> {
        Ok(parse_changed_paths(
            &self.git_command(diff_tree_arguments(base, head, &["--name-only"])).read_stdout()?,
        ))
    }

    /// Returns the changed files and folders of the top level for pairs of base and head.
    ///
    /// Two changes that conflict, even through renamed files and folders, have at least one of these in common.
    pub fn changed_areas(&self, steps: &[(CommitId, CommitId)]) -> Result<ChangedAreas, GitError> {
        let lines: String = steps.iter().map(|(base, head)| format!("{head} {base}\n")).collect();
        let words = ["diff-tree", "--stdin", "--name-only", "-z", "--no-renames", "--no-ext-diff"];
        let heads: HashSet<&CommitId> = steps.iter().map(|(_, head)| head).collect();
        Ok(parse_changed_areas(&self.git_command(words).with_stdin(lines).read_stdout()?, &heads))
    }

    /// Lists the changed files that match one of these patterns.
    ///
    /// The syntax is that of `.gitignore`: a pattern without a slash matches in every folder, a pattern for a folder
    /// matches everything below it, and `**` matches slashes while `*` does not.
    /// A pattern may not begin with `!`.
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
        words.extend(pathspecs_for_globs(globs)?);
        Ok(parse_changed_paths(&self.git_command(words).read_stdout()?))
    }

    /// Lists the files that match one of these patterns and that the commits from `base` to `head` change themselves.
    ///
    /// What `head` took over from a third commit, `other`, is no change of its own; what it undoes of it is.
    ///
    /// # Errors
    /// `InvalidPattern`.
    pub fn own_changes_matching(
        &self,
        base: &CommitId,
        head: &CommitId,
        other: &CommitId,
        globs: &[String],
    ) -> Result<Vec<PathBuf>, GitError> {
        let since_base = self.changed_paths_matching(base, head, globs)?;
        let Some(taken) = self.merge_base(other, head)? else { return Ok(since_base) };
        if self.is_ancestor(&taken, base)? {
            return Ok(since_base);
        }
        let mut candidates: BTreeSet<PathBuf> = since_base.into_iter().collect();
        candidates.extend(self.changed_paths_matching(&taken, head, globs)?);
        let fork = self.merge_base(base, &taken)?.unwrap_or_else(|| base.clone());
        let mut own = Vec::new();
        for path in candidates {
            let file = |commit: &CommitId| self.file_at(commit, &path);
            let (own_base, taken_over, at_fork, at_head) =
                (file(base)?, file(&taken)?, file(&fork)?, file(head)?);
            let is_expected = if own_base == at_fork {
                at_head == taken_over
            } else if taken_over == at_fork {
                at_head == own_base
            } else {
                at_head == own_base || at_head == taken_over
            };
            if !is_expected {
                own.push(path);
            }
        }
        Ok(own)
    }

    /// Returns mode and content of a file in a commit; `None` if there is none.
    fn file_at(&self, commit: &CommitId, path: &Path) -> Result<Option<Vec<u8>>, GitError> {
        let words = ["ls-tree", "-z", "--full-tree", "--", commit.as_str()].map(OsStr::new);
        let output = self.git_command(words.into_iter().chain([path.as_os_str()])).read_stdout()?;
        Ok(Some(output).filter(|output| !output.is_empty()))
    }

    /// Returns a digest of the paths and contents of a commit's files that match one of these patterns.
    ///
    /// # Errors
    /// `InvalidPattern`.
    pub fn describe_files_matching(&self, commit: &CommitId, globs: &[String]) -> Result<String, GitError> {
        if globs.is_empty() {
            return Ok(String::new());
        }
        let empty = if commit.as_str().len() == 40 { EMPTY_TREE_SHA1 } else { EMPTY_TREE_SHA256 };
        let words = ["diff-tree", "-r", "-z", "--no-renames", "--no-ext-diff", empty, commit.as_str()];
        let words = words.iter().map(OsString::from).chain(pathspecs_for_globs(globs)?);
        let output = self.git_command(words).read_stdout()?;
        digest_of(output.as_slice()).map_err(GitError::io("read", "the output of git"))
    }

    /// Returns the diff as text, truncated at a size limit.
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
        let command = self.git_command(words.into_iter().chain([base.as_str(), head.as_str(), "--"]));
        let output = command.truncate_stdout_at(bytes_max).run_successfully()?;
        Ok(DiffText { is_cut: output.is_cut, bytes: output.stdout })
    }
}

fn diff_tree_arguments(base: &CommitId, head: &CommitId, options: &[&str]) -> Vec<OsString> {
    let words = ["diff-tree", "-r", "-z", "--no-renames", "--no-ext-diff", "--no-textconv"];
    let words = words.iter().chain(options).copied().chain([base.as_str(), head.as_str()]);
    words.map(OsString::from).collect()
}

/// Returns the end of a command that is limited to files that match one of these patterns, of which there is at least one.
pub(super) fn pathspecs_for_globs(globs: &[String]) -> Result<Vec<OsString>, GitError> {
    let mut words = vec![OsString::from("--")];
    for glob in globs {
        let specs = pathspecs_for_glob(glob);
        words.extend(specs.ok_or_else(|| GitError::InvalidPattern(glob.clone()))?);
    }
    Ok(words)
}

/// Converts a `.gitignore` pattern to pathspecs: one for what it matches, and one for everything below.
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
    // A pattern with a slash at its end matches folders only.
    let exact = if glob.ends_with('/') { below.clone() } else { format!(":(top,glob){anchored}") };
    Some([exact.into(), below.into()])
}

/// Parses `ADDED TAB REMOVED TAB PATH`, with `-` for binary files.
fn parse_numstat(output: &[u8]) -> Option<Vec<FileDiffStat>> {
    split_nul(output)
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

/// Parses the names behind each commit.
fn parse_changed_areas(output: &[u8], heads: &HashSet<&CommitId>) -> ChangedAreas {
    let mut areas = ChangedAreas::new();
    let mut current = None;
    for entry in split_nul(output) {
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
    split_nul(output).map(|entry| PathBuf::from(OsStr::from_bytes(entry))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_counts_are_parsed() {
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
    fn changed_areas_are_parsed() {
        let [one, two] = ["1", "2"].map(|digit| CommitId::parse(&digit.repeat(40)).unwrap());
        let output = format!("{one}\0a\0d\0{two}\0d\0");
        let read = parse_changed_areas(output.as_bytes(), &HashSet::from([&one, &two]));
        assert_eq!(read[&one], HashSet::from([b"a".to_vec(), b"d".to_vec()]));
        assert_eq!(read[&two], HashSet::from([b"d".to_vec()]));
    }

    #[test]
    fn patterns_are_converted_to_pathspecs() {
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
