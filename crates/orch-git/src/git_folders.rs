//! The git directories of a worktree, read from the files that git writes, without running git.

use std::path::{Path, PathBuf};

/// Returns a worktree's git directory and the one that all worktrees share, from the files that git writes.
#[must_use]
pub fn read_git_folders(folder: &Path) -> (Option<PathBuf>, Option<PathBuf>) {
    let dot_git = folder.join(".git");
    if dot_git.is_dir() {
        return (Some(dot_git.clone()), Some(dot_git));
    }
    let Ok(text) = std::fs::read_to_string(&dot_git) else { return (None, None) };
    let Some(named) = text.strip_prefix("gitdir: ") else { return (None, None) };
    let own = folder.join(named.trim_end());
    let common = std::fs::read_to_string(own.join("commondir")).ok();
    let common = common.map(|named| own.join(named.trim_end())).and_then(|path| path.canonicalize().ok());
    (Some(own), common)
}
