//! A repository to measure on, with a run in it, and whole commands that work there.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::BenchResult;
use crate::process::{self, BuiltPrograms};

/// How many files lie in one folder.
const FOLDER: usize = 100;

/// A repository with one commit on `main`, and a store of its own inside.
pub(crate) struct BenchRepo {
    programs: BuiltPrograms,
    folder: PathBuf,
}

impl BenchRepo {
    /// A repository with so many files, below an empty folder.
    pub(crate) fn new(folder: &Path, files: usize) -> BenchResult<Self> {
        let yard = Self { programs: BuiltPrograms::beside_this()?, folder: folder.to_owned() };
        let top = yard.repository_path();
        for index in 0..files {
            let path = top.join(format!("d{}/f{}.txt", index / FOLDER, index % FOLDER));
            if index % FOLDER == 0 {
                std::fs::create_dir_all(path.parent().ok_or("a file lies in a folder")?)?;
            }
            std::fs::write(path, format!("{index}\n{}", "Some words in a row.\n".repeat(40)))?;
        }
        std::fs::create_dir_all(yard.folder.join("home"))?;
        yard.run_git(&["init", "--quiet", "--initial-branch=main"])?;
        yard.run_git(&["add", "--all"])?;
        yard.run_git(&["commit", "--quiet", "--message", "Files"])?;
        Ok(yard)
    }

    /// The repository.
    pub(crate) fn repository_path(&self) -> PathBuf {
        self.folder.join("repo")
    }

    /// A path beside the repository.
    pub(crate) fn sibling_path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Gives a command the surroundings of a user who has settled nothing but a name.
    fn set_environment(&self, mut command: Command, folder: &Path) -> Command {
        command.env_clear().current_dir(folder).env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.folder.join("home")).env("GIT_CONFIG_NOSYSTEM", "1");
        for (name, value) in [("AUTHOR", "Ada"), ("COMMITTER", "Ada")] {
            command
                .env(format!("GIT_{name}_NAME"), value)
                .env(format!("GIT_{name}_EMAIL"), "ada@example.org");
        }
        command
    }

    /// Runs git in the repository as one process of its own; returns what it took and printed.
    pub(crate) fn run_git(&self, words: &[&str]) -> BenchResult<(Duration, String)> {
        self.run_git_in(&self.repository_path(), words)
    }

    /// The same in another folder.
    pub(crate) fn run_git_in(&self, folder: &Path, words: &[&str]) -> BenchResult<(Duration, String)> {
        let mut command = Command::new("git");
        command.args(words);
        let ran = process::run_command(&mut self.set_environment(command, folder))?;
        Ok((ran.wall, ran.stdout.trim_end().to_owned()))
    }

    /// The path of one of our programs.
    pub(crate) fn program_path(&self, program: &str) -> PathBuf {
        self.programs.program_path(program)
    }

    /// Runs another program in the repository; returns what it took.
    pub(crate) fn run_other(&self, program: &str, words: &[&str]) -> BenchResult<Duration> {
        let mut command = Command::new(program);
        command.args(words);
        Ok(process::run_command(&mut self.set_environment(command, &self.repository_path()))?.wall)
    }

    fn program_command(&self, program: &str, words: &[&str], folder: &Path) -> Command {
        let mut command = Command::new(self.programs.program_path(program));
        command.args(words);
        self.set_environment(command, folder)
    }

    /// Runs one of our programs in the repository; returns what it took and its `data`.
    pub(crate) fn run_program(&self, program: &str, words: &[&str]) -> BenchResult<(Duration, Value)> {
        self.run_program_in(program, words, &self.repository_path())
    }

    /// The same in another folder.
    pub(crate) fn run_program_in(
        &self,
        program: &str,
        words: &[&str],
        folder: &Path,
    ) -> BenchResult<(Duration, Value)> {
        let ran = process::run_command(&mut self.program_command(program, words, folder))?;
        let document: Value = serde_json::from_str(&ran.stdout)?;
        Ok((ran.wall, document["data"].clone()))
    }

    /// Starts a command of `orch` without waiting for it.
    pub(crate) fn start_orch(&self, words: &[&str]) -> BenchResult<std::process::Child> {
        let mut command = self.program_command("orch", words, &self.repository_path());
        Ok(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?)
    }

    /// Starts a command of git without waiting for it.
    pub(crate) fn start_git(&self, words: &[&str]) -> BenchResult<std::process::Child> {
        let mut command = Command::new("git");
        command.args(words);
        let mut command = self.set_environment(command, &self.repository_path());
        Ok(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?)
    }

    /// Begins a run with so many tasks `t0`, `t1`, …
    pub(crate) fn begin_run(&self, run: &str, tasks: usize) -> BenchResult<()> {
        self.run_program("orch", &["run", "init", "A run to measure", "--name", run])?;
        let plan: String = (0..tasks)
            .map(|index| format!("{{\"key\":\"t{index}\",\"title\":\"Part {index}\",\"agent\":\"w\"}}\n"))
            .collect();
        let path = self.sibling_path("plan.jsonl");
        std::fs::write(&path, plan)?;
        self.run_program("orch", &["task", "add", "--run", run, "--file", &path.display().to_string()])?;
        Ok(())
    }

    /// Claims the oldest work, commits a file of its own in its tree, and reports it.
    pub(crate) fn complete_task(&self) -> BenchResult<PathBuf> {
        let (_, claimed) = self.run_program("inbox", &["claim", "--for", "w", "--as", "w"])?;
        let text = |value: &Value| value.as_str().map(str::to_owned).ok_or("the claim has no work");
        let tree = PathBuf::from(text(&claimed["messages"][0]["payload"]["worktree"]["path"])?);
        let (thread, token) = (text(&claimed["thread"]["id"])?, text(&claimed["lease"]["token"])?);
        commit_own_file(self, &tree)?;
        let words = ["done", &thread, "--token", &token, "--result", "Done."];
        self.run_program_in("inbox", &words, &tree)?;
        Ok(tree)
    }
}

/// Commits a file in a tree that no other tree has.
pub(crate) fn commit_own_file(yard: &BenchRepo, tree: &Path) -> BenchResult<()> {
    let name = tree.file_name().ok_or("a tree has a name")?.to_string_lossy().into_owned();
    std::fs::write(tree.join(format!("own-{name}")), format!("{name}\n"))?;
    yard.run_git_in(tree, &["add", "--all"])?;
    yard.run_git_in(tree, &["commit", "--quiet", "--message", &name])?;
    Ok(())
}
