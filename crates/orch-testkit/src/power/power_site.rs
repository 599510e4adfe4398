//! A repository with a run on a disk that loses its power, and what can be seen of both.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::TestRepo;
use crate::program::ProgramReply;

/// The name of the run.
pub(super) const RUN: &str = "r";

/// The repository, and the programs that work in it.
pub(super) struct PowerSite {
    pub(super) repo: TestRepo,
    programs: PathBuf,
    /// What the programs take for the system's boot id after a power loss.
    boot: Option<PathBuf>,
}

/// What the store and git say at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct SiteSnapshot {
    /// The commit of each reference.
    pub(super) references: BTreeMap<String, String>,
    /// The state of each task.
    pub(super) tasks: BTreeMap<String, String>,
    /// The state of the worktree of each attempt.
    pub(super) worktrees: BTreeMap<String, String>,
    /// Whether the store knows the run.
    pub(super) has_run: bool,
}

impl PowerSite {
    /// Makes a repository with some files and a run below a folder.
    pub(super) fn new(folder: &Path, programs: &Path) -> Self {
        let site = Self { repo: TestRepo::new_in(folder), programs: programs.to_owned(), boot: None };
        for number in 0..5 {
            site.repo.write_file(format!("src/{number}.txt"), format!("{number}\n"));
        }
        site.repo.commit_all("some files");
        site.must("orch", &["run", "init", "A goal", "--name", RUN]);
        site
    }

    /// Makes the programs believe that the system was started again, with the boot id of this file.
    pub(super) fn set_boot_id(&mut self, file: PathBuf) {
        self.boot = Some(file);
    }

    /// Returns a command of a program in the repository.
    pub(super) fn command(&self, program: &str, words: &[&str]) -> Command {
        let program = self.programs.join(program);
        let mut command = match &self.boot {
            None => Command::new(&program),
            Some(boot) => {
                let script = "mount --bind \"$0\" /proc/sys/kernel/random/boot_id && exec \"$@\"";
                let mut command = Command::new("unshare");
                command.args(["--mount", "sh", "-c", script]).arg(boot).arg(&program);
                command
            }
        };
        command.args(words).env_clear().envs(self.repo.environment_variables());
        command.current_dir(self.repo.repository_path()).stdin(Stdio::null());
        command
    }

    /// Runs a program; calls `answered` as soon as its answer was read.
    pub(super) fn run(&self, program: &str, words: &[&str], answered: &mut dyn FnMut()) -> ProgramReply {
        let mut child = self
            .command(program, words)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{program} does not start: {error}"));
        let mut answer = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            let mut stdout = BufReader::new(stdout);
            let read = stdout.read_until(b'\n', &mut answer);
            answered();
            read.and_then(|_| stdout.read_to_end(&mut answer)).expect("a pipe can be read");
        }
        child.wait().expect("a child can be waited for");
        ProgramReply::from_stdout(&answer)
    }

    /// Runs a program, which must succeed; returns its `data`.
    pub(super) fn must(&self, program: &str, words: &[&str]) -> Value {
        self.attempt(program, words).unwrap_or_else(|refused| panic!("{refused}"))
    }

    /// Runs a program; returns its `data`, or how it was refused.
    pub(super) fn attempt(&self, program: &str, words: &[&str]) -> Result<Value, String> {
        match self.run(program, words, &mut || {}) {
            ProgramReply::Ok { data, .. } => Ok(data),
            other => Err(format!("`{program} {}` answers {other:?}", words.join(" "))),
        }
    }

    /// Runs git in a folder; returns its output, or its error.
    pub(super) fn git_in(&self, folder: &Path, words: &[&str]) -> Result<String, String> {
        let output = self.repo.try_run_git_in(folder, words);
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned());
        }
        Err(format!("`git {}`: {}", words.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
    }

    /// Runs git in the repository.
    pub(super) fn git(&self, words: &[&str]) -> Result<String, String> {
        self.git_in(&self.repo.repository_path(), words)
    }

    /// Returns where the worktree of a task's first attempt is.
    pub(super) fn worktree_path(&self, key: &str) -> PathBuf {
        self.repo.sibling_path(format!("repo.orch/{RUN}/{key}.1"))
    }

    /// Returns what the store and git say; `Err` if either cannot be read.
    pub(super) fn snapshot(&self) -> Result<SiteSnapshot, String> {
        let listed = self.git(&["for-each-ref", "--format=%(refname) %(objectname)"])?;
        let pair =
            |line: &str| line.split_once(' ').map(|(name, commit)| (name.to_owned(), commit.to_owned()));
        let references = listed.lines().filter_map(pair).collect();
        let runs = self.attempt("orch", &["run", "list"])?;
        if runs["total"] == 0 {
            return Ok(SiteSnapshot { references, ..SiteSnapshot::default() });
        }
        let tasks = self.attempt("orch", &["task", "list", "--run", RUN, "--limit", "200"])?;
        let worktrees = self.attempt("orch", &["worktree", "list", RUN])?;
        let states = |list: &Value, name: &str| {
            let entries = list.as_array().cloned().unwrap_or_default();
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            entries.iter().map(|entry| (text(&entry[name]), text(&entry["state"]))).collect()
        };
        let (tasks, worktrees) = (states(&tasks["tasks"], "key"), states(&worktrees["worktrees"], "attempt"));
        Ok(SiteSnapshot { references, tasks, worktrees, has_run: true })
    }
}
