//! Finds the store: the given location, or a search from the working folder.
//!
//! Reads `.git` and `commondir` itself: running git would take a third of a command's time.
//! Inside a repository only the git folder counts: the author of a commit may have written any file of a checkout.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::{Fault, StoreLocation, file_system};

/// The name of the store's file.
const FILE: &str = "orch.db";

/// The name of the file that holds the location of a store on a server.
const SERVER_FILE: &str = "store";

/// The folder of a store outside of repositories.
const FOLDER: &str = ".orch";

/// The most bytes that a file of git is read for: a `HEAD`, `.git` or `commondir` names one thing.
const GIT_FILE_BYTES_MAX: u64 = 8_192;

/// Finds an existing store: the given one, else the repository's, else the nearest `.orch/orch.db` in a parent folder.
///
/// # Errors
/// No store exists, the only one is in the repository's work tree, or the kind of the location is unknown.
pub fn find_store(named: Option<&str>, folder: &Path) -> Result<StoreLocation, Fault> {
    if let Some(named) = named {
        let location = parse_location(named, folder)?;
        return match &location {
            StoreLocation::Sqlite(path) if !path.exists() => Err(Fault::NotFound { searched: path.clone() }),
            StoreLocation::Sqlite(_) | StoreLocation::Postgres(_) => Ok(location),
        };
    }
    let not_found = || Fault::NotFound { searched: folder.to_owned() };
    let Some(repository) = EnclosingRepository::find(folder) else {
        let mut stores = folder.ancestors().map(|ancestor| ancestor.join(FOLDER).join(FILE));
        return stores.find(|path| path.is_file()).map(StoreLocation::Sqlite).ok_or_else(not_found);
    };
    match repository.find_store()? {
        Some(location) => Ok(location),
        None => match store_in_work_tree(folder, &repository) {
            Some(path) => Err(Fault::InWorkTree { path }),
            None => Err(not_found()),
        },
    }
}

/// Returns where a store is created: the given location, else the repository's common git folder, else `.orch/` in the folder.
///
/// # Errors
/// The kind of the location is unknown.
pub fn default_location(named: Option<&str>, folder: &Path) -> Result<StoreLocation, Fault> {
    match named {
        Some(named) => parse_location(named, folder),
        None => Ok(StoreLocation::Sqlite(match EnclosingRepository::find(folder) {
            Some(repository) => repository.store_file(),
            None => folder.join(FOLDER).join(FILE),
        })),
    }
}

/// Returns the file of the store that a path names: by that file, its folder, or a folder of its repository.
#[must_use]
pub fn named_store_file(named: &Path) -> Option<PathBuf> {
    if !named.is_dir() {
        let is_store = named.extension().is_some_and(|extension| extension == "db");
        return is_store.then(|| named.to_owned());
    }
    let inside = named.join(FILE);
    if inside.is_file() || named.ends_with("orch") || named.ends_with(FOLDER) {
        return Some(inside);
    }
    match default_location(None, named) {
        Ok(StoreLocation::Sqlite(path)) => Some(path),
        Ok(StoreLocation::Postgres(_)) | Err(_) => None,
    }
}

/// Returns the folder of a store, which may be named by its file, and the store's location.
///
/// # Errors
/// There is no store, or the folder is a symbolic link: it leads to files that are elsewhere.
pub fn find_in_folder(named: &Path) -> Result<(PathBuf, StoreLocation), Fault> {
    let folder = if named.ends_with(FILE) { named.parent().unwrap_or(named) } else { named };
    let is_folder = folder.symlink_metadata().is_ok_and(|found| found.is_dir());
    let file = folder.join(FILE);
    if !is_folder || !file.is_file() {
        return Err(Fault::NotFound { searched: named.to_owned() });
    }
    Ok((folder.to_owned(), StoreLocation::Sqlite(file)))
}

/// Moves the folder of a store from a work tree below the git folder of its repository; returns where the store is now.
///
/// # Errors
/// The folder is not in a work tree, the repository has a store already, or the folder cannot be moved.
pub fn move_into_repository(store_folder: &Path) -> Result<StoreLocation, Fault> {
    let place = || store_folder.display().to_string();
    let repository = EnclosingRepository::find(store_folder)
        .ok_or_else(|| Fault::NotFound { searched: store_folder.to_owned() })?;
    let file = repository.store_file();
    let target = repository.common.join("orch");
    if repository.find_store()?.is_some() {
        return Err(Fault::TwoStores { place: target });
    }
    let unmoved = |source| Fault::Unavailable { place: place(), source };
    // What a removed store left behind, such as an empty folder, is no obstacle.
    let _ = std::fs::remove_dir(&target);
    std::fs::rename(store_folder, &target).map_err(unmoved)?;
    let _ = std::fs::remove_file(target.join(".gitignore"));
    let owner_only = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&target, owner_only).map_err(unmoved)?;
    file_system::sync_folder(&repository.common).map_err(unmoved)?;
    Ok(StoreLocation::Sqlite(file))
}

/// Returns the common git folder of the repository that a store serves; `None` for a store outside of git folders.
#[must_use]
pub fn served_repository(store: &Path) -> Option<PathBuf> {
    let folder = store.parent()?;
    let common = folder.parent()?;
    let is_default = folder.ends_with("orch") && store.ends_with(FILE) && is_repository(common);
    is_default.then(|| common.canonicalize().ok())?
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

/// The name of the file that holds the current run of a worktree.
const CURRENT_RUN_FILE: &str = "orch-run";

/// Returns the file that holds the current run of the worktree, or of the folder with the nearest `.orch/`.
fn current_run_file(folder: &Path) -> Option<PathBuf> {
    if let Some(repository) = EnclosingRepository::find(folder) {
        return Some(repository.git.join(CURRENT_RUN_FILE));
    }
    let mut stores = folder.ancestors().map(|ancestor| ancestor.join(FOLDER));
    stores.find(|store| store.is_dir()).map(|store| store.join(CURRENT_RUN_FILE))
}

/// Returns the name of the run that was chosen in this worktree for a store.
#[must_use]
pub fn read_current_run(folder: &Path, store: &str) -> Option<String> {
    let text = read_git_file(&current_run_file(folder)?)?;
    let (run, of_store) = text.split_once('\n')?;
    (of_store.trim_end() == store).then(|| run.to_owned())
}

/// Records the current run of this worktree for a store, or forgets it.
///
/// # Errors
/// The folder belongs to no repository and has no `.orch/`, or the file cannot be written.
pub fn write_current_run(folder: &Path, store: &str, run: Option<&str>) -> Result<(), Fault> {
    let not_found = || Fault::NotFound { searched: folder.to_owned() };
    let file = current_run_file(folder).ok_or_else(not_found)?;
    let written = match run {
        Some(run) => std::fs::write(&file, format!("{run}\n{store}\n")),
        None => std::fs::remove_file(&file),
    };
    match written {
        Err(source) if run.is_some() || source.kind() != std::io::ErrorKind::NotFound => {
            Err(Fault::Unavailable { place: file.display().to_string(), source })
        }
        _ => Ok(()),
    }
}

/// The repository around a folder.
struct EnclosingRepository {
    /// The folder that the main checkout and all linked worktrees share.
    common: PathBuf,
    /// The git folder of the worktree itself.
    git: PathBuf,
    /// The folder with the `.git`; `None` inside a bare repository or a git folder.
    top: Option<PathBuf>,
}

impl EnclosingRepository {
    /// Finds the repository that git would find. A `.git` that git does not recognise is ignored.
    fn find(folder: &Path) -> Option<Self> {
        folder.ancestors().find_map(|ancestor| {
            let dot_git = ancestor.join(".git");
            let git = match std::fs::metadata(&dot_git) {
                Ok(found) if found.is_dir() => Some(dot_git),
                Ok(_) => read_git_file(&dot_git)
                    .and_then(|text| text.strip_prefix("gitdir:").map(|path| ancestor.join(path.trim()))),
                Err(_) => None,
            };
            let with_top = |git: PathBuf| {
                Some(Self { common: common_folder(git.clone())?, git, top: Some(ancestor.to_owned()) })
            };
            git.and_then(with_top).or_else(|| {
                // A bare repository has no `.git`; its own folder has the contents of one.
                let git = ancestor.to_owned();
                common_folder(git.clone()).map(|common| Self { common, git, top: None })
            })
        })
    }

    fn store_file(&self) -> PathBuf {
        self.common.join("orch").join(FILE)
    }

    /// Returns the store in the git folder.
    fn find_store(&self) -> Result<Option<StoreLocation>, Fault> {
        let file = self.store_file();
        let server = file.with_file_name(SERVER_FILE);
        match (file.is_file(), server.is_file()) {
            (true, true) => Err(Fault::TwoStores { place: self.common.join("orch") }),
            (true, false) => Ok(Some(StoreLocation::Sqlite(file))),
            (false, true) => {
                let text = read_git_file(&server).unwrap_or_default();
                Ok(Some(StoreLocation::Postgres(text.trim().to_owned())))
            }
            (false, false) => Ok(None),
        }
    }
}

/// Returns the nearest `.orch/` with a store between a folder and the top of its work tree.
fn store_in_work_tree(folder: &Path, repository: &EnclosingRepository) -> Option<PathBuf> {
    let top = repository.top.as_deref()?;
    let inside = folder.ancestors().take_while(|ancestor| ancestor.starts_with(top));
    let mut stores = inside.map(|ancestor| ancestor.join(FOLDER));
    stores.find(|store| store.join(FILE).symlink_metadata().is_ok())
}

/// Returns the common folder of a git folder, which a linked worktree names in its `commondir`.
fn common_folder(git: PathBuf) -> Option<PathBuf> {
    let common = match read_git_file(&git.join("commondir")) {
        Some(text) => git.join(text.trim()),
        None => git.clone(),
    };
    let is_repository = has_valid_head(&git) && has_object_folders(&common);
    if is_repository { common.canonicalize().ok() } else { None }
}

/// Returns whether git would recognise a folder as a git folder.
fn is_repository(common: &Path) -> bool {
    has_valid_head(common) && has_object_folders(common)
}

fn has_object_folders(common: &Path) -> bool {
    ["objects", "refs"].iter().all(|name| common.join(name).is_dir())
}

/// Returns whether the `HEAD` of a git folder is one to git: a symbolic reference below `refs/`, or a commit.
fn has_valid_head(git: &Path) -> bool {
    let head = git.join("HEAD");
    let Some(text) = read_git_file(&head) else {
        // A symbolic link to a branch without a commit leads nowhere.
        return std::fs::read_link(&head).is_ok_and(|target| target.starts_with("refs"));
    };
    match text.strip_prefix("ref:") {
        Some(reference) => reference.trim_start().starts_with("refs/"),
        None => {
            let id = text.trim_end();
            matches!(id.len(), 40 | 64) && id.bytes().all(|byte| byte.is_ascii_hexdigit())
        }
    }
}

fn read_git_file(path: &Path) -> Option<String> {
    let mut text = String::new();
    std::fs::File::open(path).ok()?.take(GIT_FILE_BYTES_MAX).read_to_string(&mut text).ok()?;
    Some(text)
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
        std::fs::write(outside.join(".git/HEAD"), "not a reference\n").unwrap();
        assert_eq!(
            sqlite(default_location(None, &outside)),
            outside.join(".orch/orch.db"),
            "its HEAD is none"
        );
    }

    #[test]
    fn a_repository_does_not_use_the_store_of_a_folder_above_it() {
        let (root, main, _linked) = repository();
        let above = root.path().canonicalize().unwrap().join(".orch/orch.db");
        std::fs::create_dir_all(above.parent().unwrap()).unwrap();
        std::fs::write(&above, "").unwrap();
        assert!(matches!(find_store(None, &main), Err(Fault::NotFound { .. })));
        assert_eq!(sqlite(find_store(None, above.parent().unwrap())), above, "no repository");
    }

    #[test]
    fn a_store_in_a_work_tree_is_refused_until_the_repository_has_one() {
        let (_root, main, linked) = repository();
        let stray = linked.join("deep/.orch");
        std::fs::create_dir_all(&stray).unwrap();
        assert!(
            matches!(find_store(None, &linked.join("deep/er")), Err(Fault::NotFound { .. })),
            "it is empty"
        );
        std::fs::write(stray.join("orch.db"), "").unwrap();
        match find_store(None, &linked.join("deep/er")) {
            Err(Fault::InWorkTree { path }) => assert_eq!(path, stray),
            other => panic!("{other:?}"),
        }
        assert!(matches!(find_store(None, &linked), Err(Fault::NotFound { .. })), "it lies further down");
        let expected = main.join(".git/orch/orch.db");
        std::fs::create_dir_all(main.join(".git/orch")).unwrap();
        std::fs::write(&expected, "").unwrap();
        assert_eq!(sqlite(find_store(None, &linked.join("deep/er"))), expected);
        assert_eq!(served_repository(&expected), Some(main.join(".git")));
        assert_eq!(served_repository(&linked.join("deep/.orch/orch.db")), None);
    }

    #[test]
    fn a_repository_has_one_store() {
        let (_root, main, _linked) = repository();
        let folder = main.join(".git/orch");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("store"), "service=fleet\n").unwrap();
        assert_eq!(find_store(None, &main).unwrap(), StoreLocation::Postgres("service=fleet".to_owned()));
        std::fs::write(folder.join("orch.db"), "").unwrap();
        assert!(matches!(find_store(None, &main), Err(Fault::TwoStores { .. })));
    }

    #[test]
    fn a_head_is_valid_as_git_has_it() {
        let root = tempfile::tempdir().unwrap();
        let git = root.path();
        assert!(!has_valid_head(git));
        for (text, expected) in [
            ("ref: refs/heads/main\n", true),
            ("ref:refs/heads/.invalid", true),
            ("ref: heads/main\n", false),
            ("0123456789012345678901234567890123456789\n", true),
            ("not a commit\n", false),
            ("", false),
        ] {
            std::fs::write(git.join("HEAD"), text).unwrap();
            assert_eq!(has_valid_head(git), expected, "{text}");
        }
        std::fs::remove_file(git.join("HEAD")).unwrap();
        std::os::unix::fs::symlink("refs/heads/main", git.join("HEAD")).unwrap();
        assert!(has_valid_head(git), "no commit yet");
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
