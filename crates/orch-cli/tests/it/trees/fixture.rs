//! A place with a repository of its own, and the moves of workers in their worktrees.

use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::scheduling::json_text;
use crate::test_environment::{ClaimedThread, CliInvocation, RepoEnvironment, TestEnvironment};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// Claimed work with its worktree.
pub(crate) struct ClaimedWorktree {
    pub(crate) held: ClaimedThread,
    pub(crate) path: PathBuf,
    pub(crate) branch: String,
    pub(crate) base: String,
    /// What the worker was sent, for programs.
    pub(crate) payload: Value,
    /// The same for a reader.
    pub(crate) body: String,
}

impl ClaimedWorktree {
    /// From what `claim` answered.
    pub(crate) fn from_claim(claimed: &Value) -> Self {
        let message = &claimed["messages"][0];
        let payload = message["payload"].clone();
        let tree = &payload["worktree"];
        Self {
            held: ClaimedThread::from_claim(claimed),
            path: PathBuf::from(json_text(&tree["path"])),
            branch: json_text(&tree["branch"]),
            base: json_text(&tree["base_commit"]),
            body: json_text(&message["body"]),
            payload,
        }
    }

    /// Writes a file of the tree.
    pub(crate) fn write_file(&self, name: impl AsRef<Path>, content: &str) {
        let path = self.path.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
}

impl TestEnvironment {
    /// A folder with a repository with one commit, in which the programs are called.
    pub(crate) fn with_repository() -> Self {
        let place = Self::with_empty_repository("repo");
        place.commit_all("base.txt", "base\n");
        place
    }

    /// The same in a folder of this name, and without a commit.
    pub(crate) fn with_empty_repository(name: &str) -> Self {
        let place = Self::without_store();
        let real = place.path().canonicalize().unwrap();
        let (home, top) = (real.join("home"), real.join(name));
        for folder in [&home, &top] {
            std::fs::create_dir_all(folder).unwrap();
        }
        std::fs::write(home.join(".gitconfig"), "[user]\nname = Ada\nemail = ada@example.org\n").unwrap();
        let variables = vec![("PATH", std::env::var_os("PATH").unwrap()), ("HOME", home.into_os_string())];
        let place = place.with_repo_environment(RepoEnvironment { top, variables });
        place.run_git(["init", "--quiet", "--initial-branch=main"]);
        place
    }

    /// A repository with a run `r` and a task `a` in it.
    pub(crate) fn with_tree_run(more: &[&str]) -> Self {
        let place = Self::with_repository();
        place.begin_run("r", more);
        place.add_task("a", &[]);
        place
    }

    /// The top of the repository.
    pub(crate) fn repository_path(&self) -> &Path {
        &self.repo_environment().top
    }

    /// A path beside the repository.
    pub(crate) fn sibling_path(&self, name: &str) -> PathBuf {
        self.repository_path().parent().unwrap().join(name)
    }

    /// Runs git at the top of the repository; gives its output without the last line end.
    pub(crate) fn run_git<I: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = I>) -> String {
        self.run_git_in(self.repository_path(), arguments)
    }

    /// Runs git in a folder, which must succeed.
    pub(crate) fn run_git_in<I: AsRef<OsStr>>(
        &self,
        folder: &Path,
        arguments: impl IntoIterator<Item = I>,
    ) -> String {
        let mut command = Command::new("git");
        command.current_dir(folder).env_clear().env("GIT_CONFIG_NOSYSTEM", "1").args(arguments);
        command.envs(self.repo_environment().variables.iter().map(|(name, value)| (name, value)));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// The commit that a revision means.
    pub(crate) fn resolve_commit(&self, revision: &str) -> String {
        self.run_git(["rev-parse", "--verify", "--end-of-options", &format!("{revision}^{{commit}}")])
    }

    /// The tip of the run's branch.
    pub(crate) fn branch_tip(&self) -> String {
        self.resolve_commit("orch/r/main")
    }

    /// What a file holds on the run's branch; `None` where it is not there.
    pub(crate) fn file_on_branch(&self, name: &str) -> Option<String> {
        let files = self.run_git(["ls-tree", "-r", "--name-only", "orch/r/main"]);
        files.lines().any(|file| file == name).then(|| self.run_git(["show", &format!("orch/r/main:{name}")]))
    }

    /// Writes a file at the top of the repository and commits it.
    pub(crate) fn commit_all(&self, name: &str, content: &str) -> String {
        std::fs::write(self.repository_path().join(name), content).unwrap();
        self.commit_in(self.repository_path(), name)
    }

    /// Commits everything that lies in a folder.
    pub(crate) fn commit_in(&self, folder: &Path, message: &str) -> String {
        self.run_git_in(folder, ["add", "--all"]);
        self.run_git_in(folder, ["commit", "--quiet", "--message", message]);
        self.run_git_in(folder, ["rev-parse", "HEAD"])
    }

    /// Dispatches a task and claims its work.
    pub(crate) fn start_tree_task(&self, task: &str, agent: &str) -> ClaimedWorktree {
        self.dispatch_task(task, agent);
        self.claim_tree_work(agent)
    }

    /// Claims the work of an agent.
    pub(crate) fn claim_tree_work(&self, agent: &str) -> ClaimedWorktree {
        ClaimedWorktree::from_claim(&self.inbox(&["claim", "--for", agent, "--as", agent]).ok())
    }

    /// Writes files into a tree and commits them.
    pub(crate) fn commit_files(&self, work: &ClaimedWorktree, files: &[(&str, &str)]) -> String {
        for (name, content) in files {
            work.write_file(name, content);
        }
        self.commit_in(&work.path, "work")
    }

    /// A worker's call to report, from within its tree.
    pub(crate) fn done_call(&self, work: &ClaimedWorktree) -> CliInvocation {
        self.holder_call(&work.held, &["done", &work.held.thread, "--result", "Done."]).in_folder(&work.path)
    }

    /// A task from its dispatch to its report, with these files committed.
    pub(crate) fn report_task(&self, task: &str, files: &[(&str, &str)]) -> ClaimedWorktree {
        let work = self.start_tree_task(task, &format!("w-{task}"));
        self.commit_files(&work, files);
        self.done_call(&work).ok();
        work
    }

    /// A task's last attempt.
    pub(crate) fn last_attempt(&self, task: &str) -> Value {
        let attempts = self.orch(&["task", "show", task]).ok()["attempts"].clone();
        attempts.as_array().unwrap().iter().max_by_key(|attempt| attempt["number"].as_u64()).unwrap().clone()
    }

    /// The run as it is.
    pub(crate) fn show_run(&self) -> Value {
        self.orch(&["run", "show", "r"]).ok()["run"].clone()
    }

    /// The kinds of everything that happened to a task.
    pub(crate) fn task_event_kinds(&self, task: &str) -> Vec<String> {
        crate::scheduling::event_kinds(&self.orch(&["events", "--task", task]).ok()["events"])
    }

    /// Makes a pipe, which lets nobody past who opens it alone.
    pub(crate) fn make_gate(&self, name: &str) -> PipeGate {
        let path = self.sibling_path(name);
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        PipeGate { path }
    }

    /// Waits until so many processes wait for others to get on with something.
    pub(crate) fn wait_for_waiters(&self, count: usize) {
        let folder = self.repository_path().join(".git/orch/wake");
        let deadline = Instant::now() + PATIENCE;
        while std::fs::read_dir(&folder).map_or(0, Iterator::count) < count {
            assert!(Instant::now() < deadline, "nobody waits");
            std::thread::yield_now();
        }
    }

    /// Sees that the store is sound.
    pub(crate) fn check_sound(&self) {
        assert_eq!(self.orch(&["doctor"]).ok()["verdict"], "ok");
    }
}

/// A named pipe at which a command of a check or a setup waits.
pub(crate) struct PipeGate {
    path: PathBuf,
}

impl PipeGate {
    /// The command that waits here, in a shell.
    pub(crate) fn wait_command(&self) -> String {
        format!("{{ read line < '{}' && test \"$line\" = go; }}", self.path.display())
    }

    /// The command that waits here only the first time that it is run.
    pub(crate) fn wait_once_command(&self) -> String {
        let path = self.path.display();
        format!("test -e '{path}.seen' || {{ : > '{path}.seen' && {}; }}", self.wait_command())
    }

    /// Waits until somebody waits here.
    pub(crate) fn wait_reached(&self) -> std::fs::File {
        let deadline = Instant::now() + PATIENCE;
        let mut options = std::fs::OpenOptions::new();
        options.write(true).custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
        loop {
            match options.open(&self.path) {
                Ok(open) => return open,
                Err(error) => assert!(Instant::now() < deadline, "nobody is at the gate: {error}"),
            }
            std::thread::yield_now();
        }
    }
}

/// Lets whoever waits go on.
pub(crate) fn open_gate(mut open: std::fs::File, word: &str) {
    writeln!(open, "{word}").unwrap();
}

/// A list of texts.
pub(crate) fn text_list(value: &Value) -> Vec<String> {
    value.as_array().unwrap_or_else(|| panic!("no list: {value}")).iter().map(json_text).collect()
}
