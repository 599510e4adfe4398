//! A temporary git repository, isolated from the machine's git configuration and from other repositories.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A temporary folder with a home folder and a repository `repo`, which has one commit on `main`.
#[derive(Debug)]
pub struct TestRepo {
    folder: TempDir,
    real: PathBuf,
}

impl Default for TestRepo {
    fn default() -> Self {
        Self::new()
    }
}

impl TestRepo {
    /// Makes a repository with a user name and one commit of `a.txt`.
    #[must_use]
    pub fn new() -> Self {
        Self::new_in(&std::env::temp_dir())
    }

    /// Makes a repository in a new folder below this one.
    #[must_use]
    pub fn new_in(parent: &Path) -> Self {
        let folder = tempfile::Builder::new().prefix("orch-yard-").tempdir_in(parent).expect("there is room");
        let real = folder.path().canonicalize().expect("a new folder exists");
        let yard = Self { folder, real };
        for name in ["home", "repo"] {
            fs::create_dir_all(yard.sibling_path(name)).expect("there is room");
        }
        yard.write_file("../home/.gitconfig", "[user]\nname = Ada\nemail = ada@example.org\n");
        yard.run_git(["init", "--quiet", "--initial-branch=main"]);
        yard.write_file("a.txt", "one\n");
        yard.commit_all("first");
        yard
    }

    /// Returns the repository's path.
    #[must_use]
    pub fn repository_path(&self) -> PathBuf {
        self.sibling_path("repo")
    }

    /// Returns a path next to the repository.
    #[must_use]
    pub fn sibling_path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.real.join(name)
    }

    /// Keeps the folder on the disk for inspection and returns its path.
    #[must_use]
    pub fn keep_folder(self) -> PathBuf {
        self.folder.keep()
    }

    /// Returns the environment variables of programs that run here, besides those that a test sets.
    #[must_use]
    pub fn environment_variables(&self) -> Vec<(&'static str, OsString)> {
        vec![
            ("PATH", std::env::var_os("PATH").unwrap_or_default()),
            ("HOME", self.sibling_path("home").into()),
            ("XDG_CONFIG_HOME", self.sibling_path("home/config").into()),
            ("GIT_CONFIG_NOSYSTEM", "1".into()),
        ]
    }

    /// Runs git in the repository and returns its output; panics unless git succeeds.
    pub fn run_git<I>(&self, arguments: I) -> String
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        self.run_git_in(&self.repository_path(), arguments)
    }

    /// Runs git in a folder and returns its output; panics unless git succeeds.
    pub fn run_git_in<I>(&self, folder: &Path, arguments: I) -> String
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        let output = self.try_run_git_in(folder, arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{:?}: {stderr}", output.status);
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// Runs git in a folder, whether or not it succeeds.
    pub fn try_run_git_in<I>(&self, folder: &Path, arguments: I) -> Output
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        let mut command = Command::new("git");
        command.env_clear().envs(self.environment_variables()).current_dir(folder).args(arguments);
        command.output().unwrap_or_else(|error| panic!("git does not start: {error}"))
    }

    /// Writes a file in the repository, with its parent folders.
    pub fn write_file(&self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        write_file_at(&self.repository_path().join(path), content);
    }

    /// Commits all changes in the repository; returns the commit.
    pub fn commit_all(&self, message: &str) -> String {
        self.commit_all_in(&self.repository_path(), message)
    }

    /// Commits all changes in a worktree; returns the commit.
    pub fn commit_all_in(&self, folder: &Path, message: &str) -> String {
        self.run_git_in(folder, ["add", "--all"]);
        self.run_git_in(folder, ["commit", "--quiet", "--allow-empty", "--no-verify", "-m", message]);
        self.run_git_in(folder, ["rev-parse", "HEAD"])
    }

    /// Lists the names of all references with a prefix.
    #[must_use]
    pub fn list_references(&self, prefix: &str) -> Vec<String> {
        let text = self.run_git(["for-each-ref", "--format=%(refname)", prefix]);
        text.lines().map(str::to_owned).collect()
    }

    /// Lists git's worktrees without the main one.
    #[must_use]
    pub fn list_worktrees(&self) -> Vec<PathBuf> {
        let text = self.run_git(["worktree", "list", "--porcelain"]);
        text.lines().filter_map(|line| line.strip_prefix("worktree ")).skip(1).map(PathBuf::from).collect()
    }
}

/// Writes a file, with its parent folders.
pub fn write_file_at(path: &Path, content: impl AsRef<[u8]>) {
    let folder = path.parent().expect("a file has a parent folder");
    fs::create_dir_all(folder).expect("there is room");
    fs::write(path, content).expect("there is room");
}

/// Writes an executable script.
pub fn write_script(path: &Path, text: &str) {
    // Written under another name and renamed: a file that is open for writing cannot be executed.
    let aside = path.with_extension("new");
    write_file_at(&aside, text);
    fs::set_permissions(&aside, fs::Permissions::from_mode(0o755)).expect("it is ours");
    fs::rename(&aside, path).expect("it is ours");
}

/// Returns every file in a folder except git's own, by path: its type, and its content or link target.
#[must_use]
pub fn folder_contents(folder: &Path) -> BTreeMap<PathBuf, (char, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(inside) = folders.pop() {
        for entry in fs::read_dir(folder.join(&inside)).expect("the folder exists").flatten() {
            let path = inside.join(entry.file_name());
            if path == Path::new(".git") {
                continue;
            }
            let (kind, full) = (entry.file_type().expect("the entry exists"), entry.path());
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_symlink() {
                let target = fs::read_link(&full).expect("the entry exists").into_os_string();
                found.insert(path, ('l', target.into_encoded_bytes()));
            } else {
                let runs = full.metadata().expect("the entry exists").permissions().mode() & 0o100 != 0;
                found
                    .insert(path, (if runs { 'x' } else { 'f' }, fs::read(&full).expect("the entry exists")));
            }
        }
    }
    found
}
