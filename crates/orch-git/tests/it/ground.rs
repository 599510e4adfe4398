//! A test repository that is isolated from the configuration of the machine.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use orch_git::{CheckoutTarget, CommitId, Git, RefName, Repository, Worktree, WorktreeSpec};
use orch_process::EnvironmentVariables;
use tempfile::TempDir;

use super::test_host::TestHost;

/// A temporary folder with a home and a repository.
pub(crate) struct GitFixture {
    folder: TempDir,
    environment: EnvironmentVariables,
    pub(crate) top: PathBuf,
}

impl GitFixture {
    /// Creates a repository with one commit of `a.txt` on `main`.
    pub(crate) fn new() -> Self {
        Self::with_name("repo")
    }

    /// Creates a repository in a folder of this name.
    pub(crate) fn with_name(name: &str) -> Self {
        let fixture = Self::without_commit(name);
        fixture.write("a.txt", "one\n");
        fixture.commit("first");
        fixture
    }

    /// Creates a repository without commits.
    pub(crate) fn without_commit(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        let (home, top) = (real.join("home"), real.join(name));
        for path in [&home, &top] {
            fs::create_dir_all(path).unwrap();
        }
        let environment = EnvironmentVariables::empty()
            .with_variable("PATH", std::env::var_os("PATH").unwrap())
            .with_variable("HOME", &home)
            .with_variable("XDG_CONFIG_HOME", home.join("config"))
            .with_variable("GIT_CONFIG_NOSYSTEM", "1");
        let fixture = Self { folder, environment, top };
        fs::write(fixture.beside("home/.gitconfig"), "[user]\nname = Ada\nemail = ada@example.org\n")
            .unwrap();
        fixture.git(["init", "--quiet", "--initial-branch=main"]);
        fixture
    }

    /// Returns a path beside the repository.
    pub(crate) fn beside(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    /// Returns the environment of programs.
    pub(crate) fn environment(&self) -> EnvironmentVariables {
        self.environment.clone()
    }

    /// Returns the host with this environment.
    fn host(&self) -> TestHost {
        TestHost(self.environment())
    }

    /// Returns the git under test.
    pub(crate) fn program(&self) -> Git {
        Git::find_installed(self.host()).unwrap()
    }

    /// Returns the git under test, without permission to write a folder.
    ///
    /// The superuser may write everything, so for it git runs without the right to override permissions.
    pub(crate) fn program_that_may_not_write(&self, folder: &Path) -> Git {
        each_folder(folder, &|folder| set_mode(folder, 0o555));
        if !rustix::process::geteuid().is_root() {
            return self.program();
        }
        let real = self.environment.find_program("git").unwrap();
        let bin = self.beside("bin");
        let script = format!(
            "#!/bin/sh\nexec setpriv --bounding-set=-dac_override,-dac_read_search {} \"$@\"\n",
            real.display()
        );
        write_program(&bin.join("git"), &script);
        self.program_on_path(&bin)
    }

    /// Returns the git of this folder; its own programs follow on the search path.
    pub(crate) fn program_on_path(&self, folder: &Path) -> Git {
        let mut path = folder.to_owned().into_os_string();
        path.push(":");
        path.push(self.environment.get("PATH").unwrap());
        Git::find_installed(TestHost(self.environment().with_variable("PATH", path))).unwrap()
    }

    /// Makes a folder writable again.
    pub(crate) fn allow_writes(&self, folder: &Path) {
        each_folder(folder, &|folder| set_mode(folder, 0o755));
    }

    /// Returns the repository, discovered from its top.
    pub(crate) fn repository(&self) -> Repository {
        Repository::discover(&self.program(), &self.top).unwrap()
    }

    /// Runs git as the user, at the top.
    pub(crate) fn git<I>(&self, arguments: I) -> String
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        self.git_in(&self.top, arguments)
    }

    /// Runs git as the user, in a folder; it must succeed.
    pub(crate) fn git_in<I>(&self, folder: &Path, arguments: I) -> String
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        let output = self.try_git_in(folder, arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{:?}: {stderr}", output.status);
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// Runs git as the user, with any exit code.
    pub(crate) fn try_git_in<I>(&self, folder: &Path, arguments: I) -> std::process::Output
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        let mut command = Command::new("git");
        command.env_clear().current_dir(folder).args(arguments);
        for name in ["PATH", "HOME", "XDG_CONFIG_HOME", "GIT_CONFIG_NOSYSTEM"] {
            command.env(name, self.environment.get(name).unwrap());
        }
        command.output().unwrap()
    }

    /// Writes a file at the top.
    pub(crate) fn write(&self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        write(&self.top, path, content);
    }

    /// Commits everything at the top.
    pub(crate) fn commit(&self, message: &str) -> CommitId {
        self.commit_in(&self.top, message)
    }

    /// Runs a shell script in a folder, as a worker would; returns its output.
    pub(crate) fn shell_in(&self, folder: &Path, script: &str) -> String {
        let mut command = Command::new("sh");
        self.environment.apply_to(&mut command);
        let output = command.args(["-ec", script]).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Commits everything in a worktree.
    pub(crate) fn commit_in(&self, folder: &Path, message: &str) -> CommitId {
        self.git_in(folder, ["add", "--all"]);
        self.git_in(folder, ["commit", "--quiet", "--allow-empty", "--no-verify", "-m", message]);
        self.head_in(folder)
    }

    /// Returns the commit at the top.
    pub(crate) fn head(&self) -> CommitId {
        self.head_in(&self.top)
    }

    /// Returns the commit of a worktree.
    pub(crate) fn head_in(&self, folder: &Path) -> CommitId {
        CommitId::parse(&self.git_in(folder, ["rev-parse", "HEAD"])).unwrap()
    }

    /// Adds a worktree beside the repository, on a branch of its name that starts at the current commit.
    pub(crate) fn add_attempt_worktree<'r>(&self, repository: &'r Repository, name: &str) -> Worktree<'r> {
        let branch = RefName::from_branch_name(&format!("orch/run/{name}")).unwrap();
        let commit = self.head();
        repository.add_worktree(&addition(&self.beside(name), &branch, &commit)).unwrap()
    }

    /// Asserts that `git fsck` finds no problem.
    pub(crate) fn check_integrity(&self) {
        let output = self.try_git_in(&self.top, ["fsck", "--full", "--strict"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Returns the specification of a worktree on a branch.
pub(crate) fn addition<'a>(path: &'a Path, branch: &'a RefName, commit: &'a CommitId) -> WorktreeSpec<'a> {
    WorktreeSpec { path, checkout: CheckoutTarget::Branch(branch), commit, reason: "run/key@1" }
}

/// Writes a file and creates its folders.
pub(crate) fn write(top: &Path, path: impl AsRef<Path>, content: impl AsRef<[u8]>) {
    let path = top.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// Writes an executable script.
///
/// It is written by another process: a child of a concurrent test may inherit a file that we write until it executes
/// its own program, and a file that is open for writing cannot be executed.
pub(crate) fn write_program(path: &Path, script: &str) {
    let text = path.with_extension("text");
    write(path.parent().unwrap(), &text, script);
    assert!(Command::new("cp").arg(&text).arg(path).status().unwrap().success());
    set_mode(path, 0o755);
}

/// Sets the mode of a file.
pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn each_folder(folder: &Path, act: &dyn Fn(&Path)) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            each_folder(&entry.path(), act);
        }
    }
    act(folder);
}

/// Returns every file below a folder, except `.git`, with its kind and content.
pub(crate) fn tree_contents(top: &Path) -> BTreeMap<PathBuf, (char, Vec<u8>)> {
    let mut found = BTreeMap::new();
    collect_files(top, top, &mut found);
    found
}

fn collect_files(top: &Path, folder: &Path, found: &mut BTreeMap<PathBuf, (char, Vec<u8>)>) {
    use std::os::unix::ffi::OsStrExt as _;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let relative = path.strip_prefix(top).unwrap().to_owned();
        let metadata = path.symlink_metadata().unwrap();
        if relative == Path::new(".git") {
            continue;
        }
        if metadata.is_dir() {
            collect_files(top, &path, found);
        } else if metadata.is_symlink() {
            let target = fs::read_link(&path).unwrap();
            found.insert(relative, ('l', target.as_os_str().as_bytes().to_vec()));
        } else {
            let kind = if metadata.permissions().mode() & 0o100 == 0 { 'f' } else { 'x' };
            found.insert(relative, (kind, fs::read(&path).unwrap()));
        }
    }
}
