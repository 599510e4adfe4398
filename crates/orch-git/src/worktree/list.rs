//! The worktrees that a repository knows, as `git worktree list --porcelain -z` tells them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::lock;
use crate::{CommitId, GitError, RefName, Repository, WorktreeHead};

/// How often git is asked again for its worktrees while one of them is being written down.
const LIST_TRIES: u32 = 100;

/// A worktree that is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredWorktree {
    /// Its top.
    pub path: PathBuf,
    /// Where it stands; `None` for a bare repository or one without a commit.
    pub head: Option<WorktreeHead>,
    /// Whether it is the first, which is the user's own.
    pub is_main: bool,
    /// Why it is locked, if it is; may be empty.
    pub locked: Option<String>,
    /// Why its registration could be dropped: its folder is gone.
    pub prunable: Option<String>,
}

impl Repository {
    /// Lists all worktrees, the main one first.
    ///
    /// # Errors
    /// Git cannot tell.
    pub fn list_worktrees(&self) -> Result<Vec<RegisteredWorktree>, GitError> {
        for _ in 0..LIST_TRIES {
            let answer = self.git_command(["worktree", "list", "--porcelain", "-z"]).run_to_output()?;
            if answer.exit_code() == Some(0) {
                return parse_worktree_list(&answer.stdout).ok_or_else(|| answer.into_unreadable());
            }
            // Another git, of ours or a worker's, is just writing down a worktree, and this one stumbles over it.
            if !answer.stderr.contains("failed to read") {
                return Err(answer.into_error());
            }
            lock::pause_before_retry();
        }
        Err(GitError::HalfRegistered { folder: self.common_dir().join("worktrees") })
    }

    /// Finds the worktree that has this branch checked out.
    ///
    /// # Errors
    /// Git cannot tell.
    pub fn find_worktree_on_branch(&self, branch: &RefName) -> Result<Option<RegisteredWorktree>, GitError> {
        let is_on = |entry: &RegisteredWorktree| {
            entry.head.as_ref().and_then(|head| head.branch.as_ref()) == Some(branch)
        };
        Ok(self.list_worktrees()?.into_iter().find(is_on))
    }

    /// Finds the registration of a folder, whether the folder is there or not.
    pub(crate) fn find_registration(&self, path: &Path) -> Result<Option<RegisteredWorktree>, GitError> {
        let wanted = canonicalize_existing(path);
        Ok(self.list_worktrees()?.into_iter().find(|entry| canonicalize_existing(&entry.path) == wanted))
    }
}

/// The path without symbolic links, as git keeps it, as far as it exists.
#[must_use]
pub fn canonicalize_existing(path: &Path) -> PathBuf {
    match (path.canonicalize(), path.parent(), path.file_name()) {
        (Ok(path), _, _) => path,
        (Err(_), Some(parent), Some(name)) if !parent.as_os_str().is_empty() => {
            canonicalize_existing(parent).join(name)
        }
        _ => path.to_owned(),
    }
}

/// Reads records that are ended by an empty entry; `None` where they make no sense.
fn parse_worktree_list(output: &[u8]) -> Option<Vec<RegisteredWorktree>> {
    if !(output.is_empty() || output.ends_with(b"\0\0")) {
        return None;
    }
    let (mut worktrees, mut record): (Vec<RegisteredWorktree>, Option<PartialWorktree>) = (Vec::new(), None);
    for entry in output.split(|byte| *byte == 0) {
        if entry.is_empty() {
            if let Some(record) = record.take() {
                let is_main = worktrees.is_empty();
                worktrees.push(record.into_registered(is_main));
            }
            continue;
        }
        let space = entry.iter().position(|byte| *byte == b' ').unwrap_or(entry.len());
        let (name, value) = (&entry[..space], entry.get(space + 1..).unwrap_or_default());
        match (name, &mut record) {
            (b"worktree", None) => record = Some(PartialWorktree::new(value)),
            (_, Some(record)) => record.add_attribute(name, value)?,
            (_, None) => return None,
        }
    }
    record.is_none().then_some(worktrees)
}

/// A worktree as far as it has been read.
struct PartialWorktree {
    path: PathBuf,
    commit: Option<CommitId>,
    branch: Option<RefName>,
    locked: Option<String>,
    prunable: Option<String>,
}

impl PartialWorktree {
    fn new(path: &[u8]) -> Self {
        let path = PathBuf::from(OsStr::from_bytes(path));
        Self { path, commit: None, branch: None, locked: None, prunable: None }
    }

    fn add_attribute(&mut self, name: &[u8], value: &[u8]) -> Option<()> {
        let text = || String::from_utf8_lossy(value).into_owned();
        match name {
            // All zeros mean that there is no commit.
            b"HEAD" => {
                self.commit = CommitId::parse(&text()).filter(|id| !id.as_str().trim_matches('0').is_empty());
            }
            b"branch" => self.branch = Some(RefName::new(&text()).ok()?),
            b"locked" => self.locked = Some(text()),
            b"prunable" => self.prunable = Some(text()),
            // `bare`, `detached`, and what later versions may add.
            _ => {}
        }
        Some(())
    }

    fn into_registered(self, is_main: bool) -> RegisteredWorktree {
        let Self { path, commit, branch, locked, prunable } = self;
        RegisteredWorktree {
            path,
            head: commit.map(|commit| WorktreeHead { commit, branch }),
            is_main,
            locked,
            prunable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worktrees_are_read() {
        let id = "b6cb5e47eb32268bc2ef2e5ee590b7644bd2a186";
        let output = format!(
            "worktree /a b/re\npo\0HEAD {id}\0branch refs/heads/master\0\0\
             worktree /a b/one\0HEAD {id}\0branch refs/heads/orch/run/key.1\0locked orch: run/key@1\0\0\
             worktree /two\0HEAD {id}\0detached\0locked\0prunable gitdir file points to non-existent location\0\0\
             worktree /three\0HEAD {}\0branch refs/heads/unborn\0\0",
            "0".repeat(40)
        );
        let read = parse_worktree_list(output.as_bytes()).unwrap();
        let paths: Vec<&str> = read.iter().filter_map(|entry| entry.path.to_str()).collect();
        assert_eq!(paths, ["/a b/re\npo", "/a b/one", "/two", "/three"]);
        assert_eq!(read.iter().map(|entry| entry.is_main).collect::<Vec<_>>(), [true, false, false, false]);
        let locks: Vec<Option<&str>> = read.iter().map(|entry| entry.locked.as_deref()).collect();
        assert_eq!(locks, [None, Some("orch: run/key@1"), Some(""), None]);
        assert!(read[2].prunable.is_some() && read[1].prunable.is_none());
        let branch = |index: usize| read[index].head.clone().and_then(|head| head.branch);
        assert_eq!(branch(1), Some(RefName::from_branch_name("orch/run/key.1").unwrap()));
        assert_eq!((branch(2), &read[3].head), (None, &None));
    }

    #[test]
    fn a_bare_repository_has_no_head_here() {
        let read = parse_worktree_list(b"worktree /r.git\0bare\0\0").unwrap();
        assert_eq!((read.len(), read[0].head.as_ref(), read[0].is_main), (1, None, true));
    }

    #[test]
    fn nonsense_is_noticed() {
        for output in [&b"HEAD x\0\0"[..], b"worktree /a\0HEAD x\0", b"worktree /a\0branch x\0\0"] {
            assert_eq!(parse_worktree_list(output), None, "{}", String::from_utf8_lossy(output));
        }
        assert_eq!(parse_worktree_list(b""), Some(Vec::new()));
    }

    #[test]
    fn a_path_is_real_as_far_as_it_exists() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().canonicalize().unwrap();
        std::os::unix::fs::symlink(&top, top.join("link")).unwrap();
        assert_eq!(canonicalize_existing(&top.join("link/not/there")), top.join("not/there"));
    }
}
