//! Finds the store: the given location, or a search from the working folder.
//!
//! Reads `.git` and `commondir` itself: running git would take a third of a command's time.

use std::path::{Path, PathBuf};

use crate::{Fault, StoreLocation};

/// The name of the store's file.
const FILE: &str = "orch.db";

/// Finds an existing store: the given one, else the repository's, else the nearest `.orch/orch.db` in a parent folder.
///
/// # Errors
/// No store exists, or the kind of the location is unknown.
pub fn find_store(named: Option<&str>, folder: &Path) -> Result<StoreLocation, Fault> {
    if let Some(named) = named {
        let location = parse_location(named, folder)?;
        return match &location {
            StoreLocation::Sqlite(path) if !path.exists() => Err(Fault::NotFound { searched: path.clone() }),
            StoreLocation::Sqlite(_) | StoreLocation::Postgres(_) => Ok(location),
        };
    }
    let in_repository = git_common_folder(folder).map(|git| git.join("orch").join(FILE));
    let outside =
        || folder.ancestors().map(|ancestor| ancestor.join(".orch").join(FILE)).find(|path| path.is_file());
    in_repository
        .filter(|path| path.is_file())
        .or_else(outside)
        .map(StoreLocation::Sqlite)
        .ok_or_else(|| Fault::NotFound { searched: folder.to_owned() })
}

/// Returns where a store is created: the given location, else the repository's common git folder, else `.orch/` in the folder.
///
/// # Errors
/// The kind of the location is unknown.
pub fn default_location(named: Option<&str>, folder: &Path) -> Result<StoreLocation, Fault> {
    match named {
        Some(named) => parse_location(named, folder),
        None => Ok(StoreLocation::Sqlite(match git_common_folder(folder) {
            Some(git) => git.join("orch").join(FILE),
            None => folder.join(".orch").join(FILE),
        })),
    }
}

/// Returns the store that `init` creates or finds: a repository gets its own, even below the folder of another store.
///
/// # Errors
/// The kind of the location is unknown.
pub fn location_for_init(named: Option<&str>, folder: &Path) -> Result<StoreLocation, Fault> {
    match find_store(named, folder) {
        Ok(found) if named.is_some() || git_common_folder(folder).is_none() => Ok(found),
        Ok(_) | Err(Fault::NotFound { .. }) => default_location(named, folder),
        Err(fault) => Err(fault),
    }
}

/// Returns whether a location means the same store from each folder.
#[must_use]
pub fn is_absolute(named: &str) -> bool {
    named.contains("://") || Path::new(named.strip_prefix("sqlite:").unwrap_or(named)).is_absolute()
}

/// Parses `sqlite:PATH`, a bare path, or a PostgreSQL address.
fn parse_location(named: &str, folder: &Path) -> Result<StoreLocation, Fault> {
    if named.starts_with("postgres://") || named.starts_with("postgresql://") {
        return Ok(StoreLocation::Postgres(named.to_owned()));
    }
    let path = named.strip_prefix("sqlite:").unwrap_or(named);
    if path.is_empty() || path.contains("://") {
        return Err(Fault::NotSupported { kind: "unknown" });
    }
    let path = folder.join(path);
    let is_folder = path.is_dir() || named.ends_with('/');
    Ok(StoreLocation::Sqlite(if is_folder { path.join(FILE) } else { path }))
}

/// Returns the folder that a repository's main checkout and all its linked worktrees share.
fn git_common_folder(folder: &Path) -> Option<PathBuf> {
    folder.ancestors().find_map(|ancestor| {
        let dot_git = ancestor.join(".git");
        if dot_git.is_dir() {
            return common_folder(dot_git);
        }
        if let Ok(text) = std::fs::read_to_string(&dot_git) {
            return common_folder(ancestor.join(text.strip_prefix("gitdir:")?.trim()));
        }
        // A bare repository has no `.git`; its own folder has the contents of one.
        common_folder(ancestor.to_owned())
    })
}

/// Returns the common folder of a git folder, which a linked worktree names in its `commondir`.
///
/// A folder without the three entries that git requires is not a git folder, even if it is named `.git`.
fn common_folder(git: PathBuf) -> Option<PathBuf> {
    let common = match std::fs::read_to_string(git.join("commondir")) {
        Ok(text) => git.join(text.trim()),
        Err(_) => git,
    };
    let is_repository =
        common.join("HEAD").is_file() && ["objects", "refs"].iter().all(|name| common.join(name).is_dir());
    if is_repository { common.canonicalize().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sqlite(location: Result<StoreLocation, Fault>) -> PathBuf {
        match location.unwrap() {
            StoreLocation::Sqlite(path) => path,
            StoreLocation::Postgres(url) => panic!("{url}"),
        }
    }

    /// Returns a folder that looks like a repository with one linked worktree.
    fn repository() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let top = root.path().canonicalize().unwrap();
        let (main, linked) = (top.join("main"), top.join("linked"));
        let private = main.join(".git/worktrees/linked");
        std::fs::create_dir_all(&private).unwrap();
        std::fs::create_dir_all(main.join(".git/objects")).unwrap();
        std::fs::create_dir_all(main.join(".git/refs")).unwrap();
        std::fs::create_dir_all(linked.join("deep/er")).unwrap();
        std::fs::write(main.join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
        std::fs::write(private.join("HEAD"), "ref: refs/heads/side\n").unwrap();
        std::fs::write(private.join("commondir"), "../..\n").unwrap();
        std::fs::write(linked.join(".git"), format!("gitdir: {}\n", private.display())).unwrap();
        (root, main, linked)
    }

    #[test]
    fn every_checkout_of_a_repository_has_one_store() {
        let (_root, main, linked) = repository();
        let expected = main.join(".git/orch/orch.db");
        assert_eq!(sqlite(default_location(None, &main)), expected);
        assert_eq!(sqlite(default_location(None, &linked.join("deep/er"))), expected);
        assert!(matches!(find_store(None, &linked), Err(Fault::NotFound { .. })));
        std::fs::create_dir_all(main.join(".git/orch")).unwrap();
        std::fs::write(&expected, "").unwrap();
        assert_eq!(sqlite(find_store(None, &linked.join("deep"))), expected);
        assert_eq!(sqlite(find_store(None, &main.join(".git"))), expected);
    }

    #[test]
    fn outside_a_repository_the_nearest_store_upwards_counts() {
        let root = tempfile::tempdir().unwrap();
        let top = root.path();
        let deep = top.join("a/b");
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::create_dir_all(top.join(".orch")).unwrap();
        std::fs::write(top.join(".orch/orch.db"), "").unwrap();
        assert_eq!(sqlite(find_store(None, &deep)), top.join(".orch/orch.db"));
        assert_eq!(sqlite(default_location(None, &deep)), deep.join(".orch/orch.db"));
    }

    #[test]
    fn a_folder_that_is_only_named_like_a_git_folder_is_passed_over() {
        let (root, main, _linked) = repository();
        let deep = main.join("a/b");
        std::fs::create_dir_all(deep.join(".git")).unwrap();
        assert_eq!(
            sqlite(default_location(None, &deep)),
            main.join(".git/orch/orch.db"),
            "the repository around it counts"
        );
        let outside = root.path().join("outside");
        std::fs::create_dir_all(outside.join(".git/refs")).unwrap();
        std::fs::create_dir_all(outside.join(".git/objects")).unwrap();
        assert_eq!(sqlite(default_location(None, &outside)), outside.join(".orch/orch.db"), "it has no HEAD");
    }

    #[test]
    fn a_repository_below_a_store_uses_it_until_it_has_its_own() {
        let (root, main, linked) = repository();
        let above = root.path().canonicalize().unwrap().join(".orch/orch.db");
        std::fs::create_dir_all(above.parent().unwrap()).unwrap();
        std::fs::write(&above, "").unwrap();
        let expected = main.join(".git/orch/orch.db");
        assert_eq!(sqlite(find_store(None, &main)), above);
        assert_eq!(sqlite(location_for_init(None, &linked)), expected);
        std::fs::create_dir_all(main.join(".git/orch")).unwrap();
        std::fs::write(&expected, "").unwrap();
        assert_eq!(sqlite(location_for_init(None, &main)), expected);
        let plain = above.parent().unwrap().to_owned();
        assert_eq!(sqlite(location_for_init(None, &plain)), above, "no repository");
        assert_eq!(sqlite(location_for_init(Some("x.db"), &main)), main.join("x.db"));
    }

    #[test]
    fn a_named_store_wins() {
        let root = tempfile::tempdir().unwrap();
        let top = root.path();
        assert_eq!(sqlite(default_location(Some("sqlite:x.db"), top)), top.join("x.db"));
        assert_eq!(sqlite(default_location(Some("x.db"), top)), top.join("x.db"));
        assert_eq!(sqlite(default_location(Some("."), top)), top.join("./orch.db"));
        assert_eq!(sqlite(default_location(Some("new/"), top)), top.join("new/orch.db"));
        assert_eq!(
            default_location(Some("postgres://h/d"), top).unwrap(),
            StoreLocation::Postgres("postgres://h/d".into())
        );
        assert!(matches!(default_location(Some("mysql://h/d"), top), Err(Fault::NotSupported { .. })));
        assert!(matches!(find_store(Some("x.db"), top), Err(Fault::NotFound { .. })));
    }
}
