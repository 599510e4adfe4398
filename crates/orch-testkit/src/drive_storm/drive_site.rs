//! A repository with a run whose workers are scripts, and what must hold there in the end.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::site_process::{ProcessKind, SiteProcess};
use crate::TestRepo;
use crate::program::{ProgramReply, RunningProcess};

/// The name of the run.
pub(super) const RUN: &str = "r";

/// How long processes that were terminated may take to exit.
const EXIT_WAIT: Duration = Duration::from_secs(20);

/// How long a lock of a killed git may stay.
const LOCK_WAIT: Duration = Duration::from_secs(40);

/// A repository with a run.
pub(super) struct DriveSite {
    pub(super) repo: TestRepo,
    programs: PathBuf,
}

/// What a task's worker does.
#[derive(Clone, Copy)]
enum WorkerKind {
    /// It commits at once.
    Quick,
    /// It takes a while before and after.
    Slow,
    /// It asks a question first.
    Asking,
    /// It leaves a process behind.
    Leaving,
}

impl DriveSite {
    /// Makes a repository, a run, and so many tasks, each waiting for one of those before it.
    pub(super) fn new(programs: &Path, tasks: usize) -> Self {
        let site = Self { repo: TestRepo::new(), programs: programs.to_owned() };
        let words = ["run", "init", "A goal", "--name", RUN, "--verify", "sleep 0.02"];
        site.must(&[&words[..], &["--max-attempts", "1000", "--retry-delay", "0s"]].concat());
        let plan: Vec<Value> = (0..tasks).map(task_of).collect();
        let path = site.repo.sibling_path("plan.json");
        std::fs::write(&path, json!({"tasks": plan}).to_string()).expect("there is room");
        site.must(&["task", "add", "--run", RUN, "--file", &path.display().to_string()]);
        site
    }

    /// Returns the folder of everything.
    pub(super) fn folder(&self) -> PathBuf {
        self.repo.sibling_path("")
    }

    /// Returns a command of `orch`.
    pub(super) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(self.programs.join("orch"));
        command.args(words).env_clear().envs(self.repo.environment_variables());
        command.current_dir(self.repo.repository_path()).stdin(Stdio::null());
        command
    }

    /// Starts a drive.
    pub(super) fn start_drive(&self) -> Child {
        let mut command = self.command(&["drive", RUN, "--profile", "shell", "--workers", "3", "--json"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap_or_else(|error| panic!("orch does not start: {error}"))
    }

    /// Runs a command; returns its `data`, or how it was refused.
    pub(super) fn attempt(&self, words: &[&str]) -> Result<Value, String> {
        let ended = RunningProcess::start(self.command(words)).wait_output();
        match ended.program_reply() {
            ProgramReply::Ok { data, .. } => Ok(data),
            _ => Err(format!("`orch {}`: {ended}", words.join(" "))),
        }
    }

    /// Runs a command that must succeed.
    pub(super) fn must(&self, words: &[&str]) -> Value {
        self.attempt(words).unwrap_or_else(|refused| panic!("{refused}"))
    }

    /// Lists the tasks with their states.
    pub(super) fn list_tasks(&self) -> Result<Vec<(String, String)>, String> {
        let listed = self.attempt(&["task", "list", "--run", RUN, "--limit", "1000"])?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let tasks = listed["tasks"].as_array().cloned().unwrap_or_default();
        Ok(tasks.iter().map(|task| (text(&task["key"]), text(&task["state"]))).collect())
    }

    /// Lists the tasks whose workers ask something.
    pub(super) fn list_questions(&self) -> Vec<String> {
        let blocked = self.attempt(&["blocked"]).unwrap_or_default();
        let questions = blocked["questions"].as_array().cloned().unwrap_or_default();
        questions.iter().filter_map(|asked| asked["task"].as_str()).map(str::to_owned).collect()
    }

    /// Checks that each task was done once and that nothing is left behind.
    ///
    /// # Errors
    /// Something is missing, was done twice, or is left.
    pub(super) fn check_end(&self, tasks: usize) -> Result<(), String> {
        self.check_commits(tasks)?;
        self.check_processes()?;
        self.check_locks()?;
        let found = self.attempt(&["reconcile"])?;
        for list in ["changes", "orphans"] {
            if found[list] != json!([]) {
                return Err(format!("{list} are left: {found}"));
            }
        }
        self.check_worktrees()?;
        let shown = self.attempt(&["ps"])?;
        if shown["workers"] != json!([]) || shown["supervisors"] != json!([]) {
            return Err(format!("the store knows of processes: {shown}"));
        }
        let doctor = self.attempt(&["doctor"])?;
        if doctor["verdict"] != "ok" {
            return Err(format!("doctor: {doctor}"));
        }
        self.git(&["fsck", "--no-dangling", "--no-progress"]).map(|_| ())
    }

    fn git(&self, words: &[&str]) -> Result<String, String> {
        let output = self.repo.try_run_git_in(&self.repo.repository_path(), words);
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned());
        }
        Err(format!("`git {}`: {}", words.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
    }

    /// One commit of each task is on the run's branch.
    fn check_commits(&self, tasks: usize) -> Result<(), String> {
        let range = format!("main..orch/{RUN}/main");
        let text = self.git(&["log", "--no-merges", "--format=%s", &range])?;
        let mut subjects: Vec<&str> = text.lines().collect();
        subjects.sort_unstable();
        let mut expected: Vec<String> = (0..tasks).map(task_key).collect();
        expected.sort_unstable();
        if subjects != expected {
            return Err(format!("the run's branch holds {subjects:?}"));
        }
        Ok(())
    }

    fn check_processes(&self) -> Result<(), String> {
        wait_for(EXIT_WAIT, || match SiteProcess::list_in(&self.folder()).as_slice() {
            [] => Ok(()),
            left => {
                let left: Vec<String> = left.iter().map(SiteProcess::description).collect();
                Err(format!("processes are left: {}", left.join("; ")))
            }
        })
    }

    /// Locks of killed gits are removed once they are old enough; those that only a user may remove are removed as one.
    fn check_locks(&self) -> Result<(), String> {
        wait_for(LOCK_WAIT, || {
            let mut locks = Vec::new();
            find_locks(&self.repo.repository_path().join(".git"), &mut locks);
            if locks.is_empty() {
                return Ok(());
            }
            self.remove_user_locks();
            self.attempt(&["reconcile"])?;
            Err(format!("locks are left: {locks:?}"))
        })
    }

    /// Removes what `orch` reports and leaves to the user: locks of the whole repository without a git that holds them.
    pub(super) fn remove_user_locks(&self) {
        let has_git =
            || SiteProcess::list_in(&self.folder()).iter().any(|process| process.kind == ProcessKind::Git);
        for name in ["packed-refs.lock", "config.lock", "HEAD.lock", "index.lock"] {
            let path = self.repo.repository_path().join(".git").join(name);
            if path.exists() && !has_git() {
                // Another git may have removed it.
                let _ = std::fs::remove_file(path);
            }
        }
    }

    /// Git and the disk hold the worktrees that the store knows, and no other.
    fn check_worktrees(&self) -> Result<(), String> {
        let listed = self.attempt(&["worktree", "list", RUN, "--limit", "1000"])?;
        let trees = listed["worktrees"].as_array().cloned().unwrap_or_default();
        let present = trees.iter().filter(|tree| tree["state"] == "present");
        let mut known: Vec<PathBuf> =
            present.filter_map(|tree| tree["path"].as_str()).map(PathBuf::from).collect();
        let spares = listed["spares"].as_array().cloned().unwrap_or_default();
        known.extend(spares.iter().filter_map(|path| path.as_str()).map(PathBuf::from));
        known.sort();
        let mut of_git = self.repo.list_worktrees();
        of_git.sort();
        let mut on_disk: Vec<PathBuf> = std::fs::read_dir(self.repo.sibling_path(format!("repo.orch/{RUN}")))
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| {
                !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".check-"))
            })
            .collect();
        on_disk.sort();
        of_git.retain(|path| !path.to_string_lossy().contains("/.check-"));
        if known == of_git && known == on_disk {
            return Ok(());
        }
        Err(format!("the store knows {known:?}, git {of_git:?}, the disk {on_disk:?}"))
    }
}

/// Returns the key of a task.
fn task_key(number: usize) -> String {
    format!("k{number}")
}

/// Returns a task of a plan.
fn task_of(number: usize) -> Value {
    let kinds = [WorkerKind::Quick, WorkerKind::Slow, WorkerKind::Asking, WorkerKind::Leaving];
    let key = task_key(number);
    let commit = format!("echo {key} >{key}.txt\ngit add {key}.txt\ngit commit --quiet -m {key}\n");
    let script = match kinds[number % kinds.len()] {
        WorkerKind::Quick => commit,
        WorkerKind::Slow => format!("sleep 0.1\n{commit}sleep 0.1\n"),
        WorkerKind::Asking => format!("inbox ask 'Which one?' --wait 60s\n{commit}"),
        WorkerKind::Leaving => format!("(sleep 300) &\n{commit}"),
    };
    let after: Vec<String> = number.checked_sub(5).map(task_key).into_iter().collect();
    json!({"key": key, "title": format!("Do {key}"), "spec": script, "after": after})
}

fn find_locks(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "orch") {
            find_locks(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "lock") {
            found.push(path);
        }
    }
}

/// Looks again and again until it is so.
///
/// # Errors
/// The last failure, when the time is over.
#[expect(clippy::disallowed_methods, reason = "the end of other processes is seen by looking again only")]
pub(super) fn wait_for(
    at_most: Duration,
    mut look: impl FnMut() -> Result<(), String>,
) -> Result<(), String> {
    let begin = Instant::now();
    loop {
        match look() {
            Ok(()) => return Ok(()),
            Err(failure) if begin.elapsed() > at_most => return Err(failure),
            Err(_) => std::thread::sleep(Duration::from_millis(200)),
        }
    }
}
