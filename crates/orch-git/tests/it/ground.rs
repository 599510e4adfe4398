//! A repository to test in, which nothing of the machine's reaches and which reaches nothing of the machine's.

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

/// A folder with a home and a repository with one commit on `main`.
pub(crate) struct GitFixture {
    folder: TempDir,
    environment: EnvironmentVariables,
    pub(crate) top: PathBuf,
}

impl GitFixture {
    /// A repository with a user and one commit of `a.txt`.
    pub(crate) fn new() -> Self {
        Self::with_name("repo")
    }

    /// The same in a folder of this name.
    pub(crate) fn with_name(name: &str) -> Self {
        let ground = Self::without_commit(name);
        ground.write("a.txt", "one\n");
        ground.commit("first");
        ground
    }

    /// A repository without a commit.
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
        let ground = Self { folder, environment, top };
        fs::write(ground.beside("home/.gitconfig"), "[user]\nname = Ada\nemail = ada@example.org\n").unwrap();
        ground.git(["init", "--quiet", "--initial-branch=main"]);
        ground
    }

    /// A path beside the repository.
    pub(crate) fn beside(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    /// What programs see here.
    pub(crate) fn environment(&self) -> EnvironmentVariables {
        self.environment.clone()
    }

    /// The host with this environment.
    fn host(&self) -> TestHost {
        TestHost(self.environment())
    }

    /// Our git.
    pub(crate) fn program(&self) -> Git {
        Git::find_installed(self.host()).unwrap()
    }

    /// Our git, which may read this folder and not write it.
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
        let mut path = bin.into_os_string();
        path.push(":");
        path.push(self.environment.get("PATH").unwrap());
        Git::find_installed(TestHost(self.environment().with_variable("PATH", path))).unwrap()
    }

    /// Lets this folder be written again.
    pub(crate) fn allow_writes(&self, folder: &Path) {
        each_folder(folder, &|folder| set_mode(folder, 0o755));
    }

    /// The repository as found from its top.
    pub(crate) fn repository(&self) -> Repository {
        Repository::discover(&self.program(), &self.top).unwrap()
    }

    /// Runs git as a user would, at the top.
    pub(crate) fn git<I>(&self, arguments: I) -> String
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        self.git_in(&self.top, arguments)
    }

    /// Runs git as a user would, in this folder; it must succeed.
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

    /// Runs git as a user would, whatever it says.
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

    /// Commits everything in a worktree.
    pub(crate) fn commit_in(&self, folder: &Path, message: &str) -> CommitId {
        self.git_in(folder, ["add", "--all"]);
        self.git_in(folder, ["commit", "--quiet", "--allow-empty", "--no-verify", "-m", message]);
        self.head_in(folder)
    }

    /// The commit at the top.
    pub(crate) fn head(&self) -> CommitId {
        self.head_in(&self.top)
    }

    /// The commit of a worktree.
    pub(crate) fn head_in(&self, folder: &Path) -> CommitId {
        CommitId::parse(&self.git_in(folder, ["rev-parse", "HEAD"])).unwrap()
    }

    /// A new worktree beside the repository, on a branch of its name that begins at the top's commit.
    pub(crate) fn add_attempt_worktree<'r>(&self, repository: &'r Repository, name: &str) -> Worktree<'r> {
        let branch = RefName::from_branch_name(&format!("orch/run/{name}")).unwrap();
        let commit = self.head();
        repository.add_worktree(&addition(&self.beside(name), &branch, &commit)).unwrap()
    }

    /// What git says is wrong with the repository.
    pub(crate) fn check_integrity(&self) {
        let output = self.try_git_in(&self.top, ["fsck", "--full", "--strict"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// A worktree of a branch.
pub(crate) fn addition<'a>(path: &'a Path, branch: &'a RefName, commit: &'a CommitId) -> WorktreeSpec<'a> {
    WorktreeSpec { path, checkout: CheckoutTarget::Branch(branch), commit, reason: "run/key@1" }
}

/// Writes a file, with the folders that it lies in.
pub(crate) fn write(top: &Path, path: impl AsRef<Path>, content: impl AsRef<[u8]>) {
    let path = top.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// Writes a program.
///
/// By another process: one of ours that is started meanwhile would hold the file open for writing until it has
/// become the program that it is to be, and the system starts no program that is being written.
pub(crate) fn write_program(path: &Path, script: &str) {
    let text = path.with_extension("text");
    write(path.parent().unwrap(), &text, script);
    assert!(Command::new("cp").arg(&text).arg(path).status().unwrap().success());
    set_mode(path, 0o755);
}

/// Makes a file executable, or not.
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

/// Every file below a folder, except what is git's: its kind, whether it is executable, and what it holds.
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
