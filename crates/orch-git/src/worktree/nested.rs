//! Repositories inside a worktree: whether anything in one exists nowhere else.
//!
//! A repository may be deleted if it is clean, has no stash, and its remote-tracking references have all commits of its branches.
//! A linked worktree of a repository elsewhere may be deleted if it is clean and a reference there has its commit.
//! Whatever git cannot tell counts as a problem.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::lock::fnv_hash;
use super::open::{Worktree, find_operation, parse_path_file};
use super::survey::{FolderSurvey, NestedRepository, read_small_file};
use crate::error::GitError;
use crate::program::{CommandScope, GitCommand, split_nul};
use crate::unsaved_content::NestedProblem;

/// The file in a worktree's git folder that records the repositories that its setup made.
pub(super) const SETUP_RECORD: &str = "orch-setup-repositories";

/// A nested repository that was opened.
struct OpenedNested<'a, 'r> {
    outer: &'a Worktree<'r>,
    git_dir: PathBuf,
    /// Its working tree; `None` for a bare one.
    top: Option<&'a Path>,
    /// The common folder of a linked worktree.
    common_dir: Option<PathBuf>,
}

impl Worktree<'_> {
    /// Returns the problems of the nested repositories, except those that the setup made and nothing changed since.
    pub(super) fn nested_problems(
        &self,
        survey: &FolderSurvey,
    ) -> Result<Vec<(PathBuf, NestedProblem)>, GitError> {
        let mut found = survey.repositories.clone();
        found.extend(FolderSurvey::of_modules(&self.git_dir().join("modules")).repositories);
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let recorded = self.read_setup_record();
        let mut problems = Vec::new();
        for nested in &found {
            let problem = match self.open_nested(nested) {
                Some(opened) => unless_unreadable(opened.find_problem())?,
                None => Some(NestedProblem::Unreadable("its `.git` leads nowhere".to_owned())),
            };
            let Some(problem) = problem else { continue };
            let is_recorded = recorded.iter().any(|(path, _)| path == nested.path());
            let fingerprint = if is_recorded { self.nested_fingerprint(nested) } else { None };
            let is_unchanged =
                fingerprint.is_some_and(|print| recorded.contains(&(nested.path().to_owned(), print)));
            if !is_unchanged {
                problems.push((nested.path().to_owned(), problem));
            }
        }
        Ok(problems)
    }

    /// Records the nested repositories as made by the setup: as long as they stay as they are, they can be made again.
    pub fn record_setup_repositories(&self) -> Result<(), GitError> {
        let mut record = Vec::new();
        for nested in FolderSurvey::of_worktree(self.top_level()).repositories {
            let Some(print) = self.nested_fingerprint(&nested) else { continue };
            record.extend_from_slice(format!("{print:016x} ").as_bytes());
            record.extend_from_slice(nested.path().as_os_str().as_bytes());
            record.push(0);
        }
        let path = self.git_dir().join(SETUP_RECORD);
        if record.is_empty() {
            return match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(GitError::io("delete", path)(error)),
                _ => Ok(()),
            };
        }
        fs::write(&path, record).map_err(GitError::io("write", path))
    }

    fn read_setup_record(&self) -> Vec<(PathBuf, u64)> {
        let record = fs::read(self.git_dir().join(SETUP_RECORD)).unwrap_or_default();
        let parse = |entry: &[u8]| {
            let (print, path) = entry.split_at_checked(16)?;
            let print = u64::from_str_radix(std::str::from_utf8(print).ok()?, 16).ok()?;
            Some((PathBuf::from(OsString::from_vec(path.get(1..)?.to_vec())), print))
        };
        split_nul(&record).filter_map(parse).collect()
    }

    /// Returns a number that changes whenever a nested repository does; `None` if git cannot read it.
    fn nested_fingerprint(&self, nested: &NestedRepository) -> Option<u64> {
        self.open_nested(nested)?.describe_state().ok().map(|state| fnv_hash(&state))
    }

    fn open_nested<'a>(&'a self, nested: &'a NestedRepository) -> Option<OpenedNested<'a, 'a>> {
        let (git_dir, top) = match nested {
            NestedRepository::Bare(path) => (path.clone(), None),
            NestedRepository::Checkout(path) => (find_git_folder(path)?, Some(path.as_path())),
        };
        let named = read_small_file(&git_dir.join("commondir"));
        let common_dir = match named {
            Some(text) => Some(git_dir.join(parse_path_file(&text)).canonicalize().ok()?),
            None => None,
        };
        Some(OpenedNested { outer: self, git_dir, top, common_dir })
    }
}

impl OpenedNested<'_, '_> {
    fn find_problem(&self) -> Result<Option<NestedProblem>, GitError> {
        if let Some(operation) = find_operation(&self.git_dir) {
            return Ok(Some(NestedProblem::InProgress(operation)));
        }
        if self.top.is_some() {
            if !self.status()?.is_empty() {
                return Ok(Some(NestedProblem::Changed));
            }
            if self.has_hidden_files()? {
                return Ok(Some(NestedProblem::HiddenFiles));
            }
        }
        let goes_with_us =
            |path: &Path| path.starts_with(self.outer.top_level()) || path.starts_with(self.outer.git_dir());
        match &self.common_dir {
            Some(common) if !goes_with_us(common) => {
                let others = ["--not", "--branches", "--tags", "--remotes"].map(OsString::from);
                let is_kept = !self.has_commits(&[], &others)?;
                Ok((!is_kept).then_some(NestedProblem::UnpushedCommits))
            }
            Some(_) | None => self.find_problem_of_references(),
        }
    }

    /// Looks for commits that would be deleted with the repository, and for worktrees that need it.
    fn find_problem_of_references(&self) -> Result<Option<NestedProblem>, GitError> {
        if self.run(["rev-parse", "--verify", "--quiet", "refs/stash"]).run_to_output()?.exit_code()
            == Some(0)
        {
            return Ok(Some(NestedProblem::Stash));
        }
        if self.common_dir.is_none() && self.has_worktrees_elsewhere() {
            return Ok(Some(NestedProblem::OwnWorktrees));
        }
        let mut wanted = vec![OsString::from("--branches")];
        // A clone writes the tags of its remote packed; a loose one was made or fetched later.
        if has_files(&self.git_dir.join("refs/tags")) {
            wanted.push("--tags".into());
        }
        let mut known = vec![OsString::from("--not"), "--remotes".into()];
        known.extend(self.fetched_commits()?);
        Ok(self.has_commits(&wanted, &known)?.then_some(NestedProblem::UnpushedCommits))
    }

    /// Returns whether `HEAD` or the wanted references have a commit that the known ones lack.
    fn has_commits(&self, wanted: &[OsString], known: &[OsString]) -> Result<bool, GitError> {
        let head = self.run(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]).run_to_output()?;
        let head = (head.exit_code() == Some(0)).then(|| OsString::from("HEAD"));
        let words = ["rev-list", "--max-count=1"].map(OsString::from).into_iter();
        let words = words.chain(head).chain(wanted.iter().cloned()).chain(known.iter().cloned());
        Ok(!self.run(words).read_stdout()?.is_empty())
    }

    /// Returns the commits that were fetched from a remote, which a shallow clone of one commit has on no branch.
    fn fetched_commits(&self) -> Result<Vec<OsString>, GitError> {
        let text = read_small_file(&self.git_dir.join("FETCH_HEAD")).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        // A dot stands for the repository itself.
        let lines = text.lines().filter(|line| !line.ends_with(" of ."));
        let mut commits = Vec::new();
        for id in lines.filter_map(|line| line.split_once('\t')).map(|(id, _)| id) {
            let commit = format!("{id}^{{commit}}");
            let found = self.run(["rev-parse", "--verify", "--quiet", &commit]).run_to_output()?;
            if found.exit_code() == Some(0) {
                commits.push(OsString::from(commit));
            }
        }
        Ok(commits)
    }

    fn has_hidden_files(&self) -> Result<bool, GitError> {
        let Some(top) = self.top else { return Ok(false) };
        let output = self.run(["ls-files", "-v", "-z"]).read_stdout()?;
        let is_hidden = |entry: &[u8]| match entry {
            [tag, b' ', path @ ..] => {
                let path = top.join(OsString::from_vec(path.to_vec()));
                tag.is_ascii_lowercase() || (*tag == b'S' && path.symlink_metadata().is_ok())
            }
            _ => true,
        };
        Ok(split_nul(&output).any(is_hidden))
    }

    fn has_worktrees_elsewhere(&self) -> bool {
        let Ok(entries) = fs::read_dir(self.git_dir.join("worktrees")) else { return false };
        entries.flatten().any(|entry| {
            let path = read_small_file(&entry.path().join("gitdir")).map(|text| parse_path_file(&text));
            path.is_some_and(|path| path.exists() && !path.starts_with(self.outer.top_level()))
        })
    }

    fn status(&self) -> Result<Vec<u8>, GitError> {
        let words = ["status", "--porcelain=v2", "-z", "--untracked-files=all", "--ignore-submodules=none"];
        self.run(words).with_config("core.fileMode=true").read_stdout()
    }

    /// Describes its references and changes.
    fn describe_state(&self) -> Result<Vec<u8>, GitError> {
        let mut state = self.run(["rev-parse", "--verify", "--quiet", "HEAD"]).run_to_output()?.stdout;
        let references = ["for-each-ref", "--format=%(objectname) %(refname)"];
        state.extend(self.run(references).read_stdout()?);
        let Some(top) = self.top else { return Ok(state) };
        let status = self.status()?;
        for entry in split_nul(&status) {
            state.extend_from_slice(entry);
            let path =
                entry.splitn(if entry.first() == Some(&b'?') { 2 } else { 9 }, |byte| *byte == b' ').last();
            let path = top.join(OsString::from_vec(path.unwrap_or_default().to_vec()));
            let mut seen = String::from(" ");
            if let Ok(found) = path.symlink_metadata() {
                let _ = write!(seen, "{} {} {}", found.len(), found.mtime(), found.mtime_nsec());
            }
            state.extend_from_slice(seen.as_bytes());
        }
        Ok(state)
    }

    fn run<I>(&self, arguments: I) -> GitCommand
    where
        I: IntoIterator,
        I::Item: AsRef<std::ffi::OsStr>,
    {
        let scope = match self.top {
            Some(top) => CommandScope::Worktree { git_dir: &self.git_dir, top },
            None => CommandScope::Repository(&self.git_dir),
        };
        self.outer.repository.command_elsewhere(&scope, arguments)
    }
}

/// Turns a failure of git in a repository that is not ours into a problem of that repository.
fn unless_unreadable(
    found: Result<Option<NestedProblem>, GitError>,
) -> Result<Option<NestedProblem>, GitError> {
    match found {
        Err(error) if error.is_transient() => Err(error),
        Err(GitError::Failed { stderr, .. }) => {
            let line = stderr.lines().next().unwrap_or_default().to_owned();
            Ok(Some(NestedProblem::Unreadable(line)))
        }
        Err(error) => Ok(Some(NestedProblem::Unreadable(error.to_string()))),
        found => found,
    }
}

/// Returns the git folder of a checkout.
fn find_git_folder(top: &Path) -> Option<PathBuf> {
    let dot_git = top.join(".git").canonicalize().ok()?;
    if dot_git.is_dir() {
        return Some(dot_git);
    }
    let text = read_small_file(&dot_git)?;
    top.join(parse_path_file(text.strip_prefix(b"gitdir: ")?)).canonicalize().ok()
}

fn has_files(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}
