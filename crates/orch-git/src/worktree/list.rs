//! The registered worktrees of a repository, as `git worktree list --porcelain -z` prints them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::lock;
use crate::error::GitError;
use crate::name::{CommitId, RefName};
use crate::repository::Repository;
use crate::status::WorktreeHead;

/// How often the list is retried while another process registers a worktree.
const LIST_TRIES: u32 = 100;

/// After how many tries an empty link counts as damaged: no git leaves its file empty for so long.
const MEND_AFTER_TRIES: u32 = LIST_TRIES / 2;

/// A registered worktree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredWorktree {
    /// The path of its top.
    pub path: PathBuf,
    /// What it has checked out; `None` for a bare repository or a branch without commits.
    pub head: Option<WorktreeHead>,
    /// Whether it is the main worktree, which belongs to the user.
    pub is_main: bool,
    /// The reason of its lock, which may be empty; `None` if it is not locked.
    pub locked: Option<String>,
    /// Why git would prune it, for example because its folder does not exist.
    pub prunable: Option<String>,
}

impl Repository {
    /// Lists all worktrees, the main one first.
    pub fn list_worktrees(&self) -> Result<Vec<RegisteredWorktree>, GitError> {
        for attempt in 0..LIST_TRIES {
            if attempt == MEND_AFTER_TRIES {
                self.restore_common_links()?;
            }
            let output = self.git_command(["worktree", "list", "--porcelain", "-z"]).run_to_output()?;
            if output.exit_code() == Some(0) {
                return parse_worktree_list(&output.stdout).ok_or_else(|| output.into_unreadable());
            }
            // Another git is registering a worktree, and this one read the incomplete registration.
            if !output.stderr.contains("failed to read") {
                return Err(output.into_error());
            }
            lock::pause_before_retry();
        }
        Err(GitError::HalfRegistered(self.common_dir().join("worktrees")))
    }

    /// Finds the worktree that has a branch checked out.
    pub fn find_worktree_on_branch(&self, branch: &RefName) -> Result<Option<RegisteredWorktree>, GitError> {
        if self.has_no_checkout(branch) {
            return Ok(None);
        }
        Ok(self.list_worktrees()?.into_iter().find(|entry| entry.is_on_branch(branch)))
    }
}

impl RegisteredWorktree {
    /// Returns whether it has a branch checked out.
    pub(crate) fn is_on_branch(&self, branch: &RefName) -> bool {
        self.head.as_ref().and_then(|head| head.branch.as_ref()) == Some(branch)
    }
}

/// Resolves symbolic links in the part of a path that exists, as git does.
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

/// Parses records that each end with an empty entry.
fn parse_worktree_list(output: &[u8]) -> Option<Vec<RegisteredWorktree>> {
    if !(output.is_empty() || output.ends_with(b"\0\0")) {
        return None;
    }
    let mut worktrees: Vec<RegisteredWorktree> = Vec::new();
    let mut record: Option<(RegisteredWorktree, Option<RefName>)> = None;
    for entry in output.split(|byte| *byte == 0) {
        if entry.is_empty() {
            if let Some((mut worktree, branch)) = record.take() {
                if let Some(head) = &mut worktree.head {
                    head.branch = branch;
                }
                worktrees.push(worktree);
            }
            continue;
        }
        let space = entry.iter().position(|byte| *byte == b' ').unwrap_or(entry.len());
        let (name, value) = (&entry[..space], entry.get(space + 1..).unwrap_or_default());
        let text = String::from_utf8_lossy(value).into_owned();
        match (name, &mut record) {
            (b"worktree", None) => {
                let (path, is_main) = (PathBuf::from(OsStr::from_bytes(value)), worktrees.is_empty());
                let worktree = RegisteredWorktree { path, head: None, is_main, locked: None, prunable: None };
                record = Some((worktree, None));
            }
            (b"HEAD", Some((worktree, _))) => {
                // All zeros stand for a branch without commits.
                let commit = CommitId::parse(&text).filter(|id| !id.as_str().trim_matches('0').is_empty());
                worktree.head = commit.map(|commit| WorktreeHead { commit, branch: None });
            }
            (b"branch", Some((_, branch))) => *branch = Some(RefName::new(&text).ok()?),
            (b"locked", Some((worktree, _))) => worktree.locked = Some(text),
            (b"prunable", Some((worktree, _))) => worktree.prunable = Some(text),
            // `bare`, `detached`, and attributes of later versions.
            (_, Some(_)) => {}
            (_, None) => return None,
        }
    }
    record.is_none().then_some(worktrees)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worktrees_are_parsed() {
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
    fn a_bare_repository_has_no_head() {
        let read = parse_worktree_list(b"worktree /r.git\0bare\0\0").unwrap();
        assert_eq!((read.len(), read[0].head.as_ref(), read[0].is_main), (1, None, true));
    }

    #[test]
    fn invalid_output_is_rejected() {
        for output in [&b"HEAD x\0\0"[..], b"worktree /a\0HEAD x\0", b"worktree /a\0branch x\0\0"] {
            assert_eq!(parse_worktree_list(output), None, "{}", String::from_utf8_lossy(output));
        }
        assert_eq!(parse_worktree_list(b""), Some(Vec::new()));
    }

    #[test]
    fn the_existing_part_of_a_path_is_canonicalized() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().canonicalize().unwrap();
        std::os::unix::fs::symlink(&top, top.join("link")).unwrap();
        assert_eq!(canonicalize_existing(&top.join("link/not/there")), top.join("not/there"));
    }
}
