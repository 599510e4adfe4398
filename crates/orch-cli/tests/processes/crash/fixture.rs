//! A repository with a run that can be set back to how it was before the command that dies.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use orch_testkit::TestRepo;
use orch_testkit::program::{ProcessOutput, ProgramReply, RunningProcess};
use orch_testkit::test_repo::{write_file_at, write_script};
use serde_json::Value;
use tempfile::TempDir;

/// What is set back: the repository, its worktrees, and the home.
const PARTS: [&str; 3] = ["home", "repo", "repo.orch"];

/// A repository with a store, and a copy of both.
pub(super) struct CrashFixture {
    pub(super) yard: TestRepo,
    copy: TempDir,
    /// What is being tried, for whoever reads why it failed.
    tried: Mutex<String>,
}

impl CrashFixture {
    /// A repository with the run `r`, brought to where a story begins.
    pub(super) fn prepared_for(run: &[&str], prepare: fn(&Self)) -> Self {
        let site = Self::with_run(TestRepo::new(), run);
        prepare(&site);
        for part in PARTS {
            copy_folder(site.sibling_path(part), site.copy.path().join(part));
        }
        site
    }

    /// A repository with the run `r`.
    pub(super) fn with_run(yard: TestRepo, run: &[&str]) -> Self {
        let site = Self { yard, copy: tempfile::tempdir().unwrap(), tried: Mutex::default() };
        site.yard.write_file(".gitignore", "built\n");
        for number in 0..5 {
            site.yard.write_file(format!("src/{number}.txt"), format!("{number}\n"));
        }
        site.yard.commit_all("some files");
        write_script(&site.sibling_path("judge"), "#!/bin/sh\nexit 0\n");
        let judge = site.sibling_path("judge").display().to_string();
        let run: Vec<String> = run.iter().map(|word| word.replace("JUDGE", &judge)).collect();
        let words = ["run", "init", "A goal", "--name", "r", "--retry-delay", "0s"].map(str::to_owned);
        let words: Vec<String> = words.into_iter().chain(run).collect();
        site.run_orch_data(&words.iter().map(String::as_str).collect::<Vec<_>>());
        site
    }

    /// Sets everything back.
    pub(super) fn restore_copy(&self) {
        for part in PARTS {
            let path = self.sibling_path(part);
            if path.exists() {
                std::fs::remove_dir_all(&path).unwrap();
            }
            copy_folder(self.copy.path().join(part), path);
        }
    }

    pub(super) fn sibling_path(&self, name: &str) -> PathBuf {
        self.yard.sibling_path(name)
    }

    /// The folders in which programs are found.
    pub(super) fn search_path(&self) -> OsString {
        std::env::var_os("PATH").unwrap()
    }

    /// A call of `orch` that finds programs in these folders.
    pub(super) fn orch_command(&self, words: &[&str], path: &OsStr) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orch"));
        command.args(words);
        self.set_environment(&mut command, path);
        command
    }

    /// Gives a command the surroundings of ours.
    pub(super) fn set_environment(&self, command: &mut Command, path: &OsStr) {
        command.env_clear().envs(self.yard.environment_variables()).env("PATH", path);
        command.current_dir(self.yard.repository_path()).stdin(Stdio::null());
    }

    /// Runs `orch` to its end, whatever it says.
    pub(super) fn run_orch(&self, words: &[&str]) -> ProcessOutput {
        RunningProcess::start(self.orch_command(words, &self.search_path())).wait_output()
    }

    /// Runs `orch`, which must succeed.
    pub(super) fn run_orch_data(&self, words: &[&str]) -> Value {
        let ended = self.run_orch(words);
        match ended.program_reply() {
            ProgramReply::Ok { data, .. } => data,
            other => panic!("{words:?}: {other:?}, {ended}"),
        }
    }

    /// A call of `inbox`.
    pub(super) fn inbox_command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_inbox"));
        command.args(words);
        self.set_environment(&mut command, &self.search_path());
        command
    }

    /// Runs `inbox`, which must succeed.
    pub(super) fn run_inbox_data(&self, words: &[&str]) -> Value {
        let ended = RunningProcess::start(self.inbox_command(words)).wait_output();
        match ended.program_reply() {
            ProgramReply::Ok { data, .. } => data,
            other => panic!("{words:?}: {other:?}, {ended}"),
        }
    }

    pub(super) fn add_tasks(&self, keys: &[&str]) {
        for key in keys {
            self.run_orch_data(&["task", "add", &format!("Do {key}"), "--key", key]);
        }
    }

    /// Where the worktree of a task's first attempt is.
    pub(super) fn worktree_path(&self, key: &str) -> PathBuf {
        self.sibling_path(&format!("repo.orch/r/{key}.1"))
    }

    /// Dispatches a task and claims its work; returns thread and token.
    pub(super) fn start_task(&self, key: &str) -> (String, String) {
        self.run_orch_data(&["dispatch", key, "--to", "w"]);
        let claimed = self.run_inbox_data(&["claim", "--for", "w", "--as", "w"]);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&claimed["thread"]["id"]), text(&claimed["lease"]["token"]))
    }

    /// Lets a task be reported as done, with a file of its name.
    pub(super) fn report_task(&self, key: &str) {
        let (thread, token) = self.commit_task(key);
        self.run_inbox_data(&["done", &thread, "--token", &token, "--result", "Done."]);
    }

    /// Lets a worker commit a file of the task's name; returns thread and token.
    pub(super) fn commit_task(&self, key: &str) -> (String, String) {
        let started = self.start_task(key);
        write_file_at(&self.worktree_path(key).join(format!("work/{key}")), format!("{key}\n"));
        self.yard.commit_all_in(&self.worktree_path(key), &format!("Do {key}"));
        started
    }

    /// Lets a task's worker give up, with its work lying about.
    pub(super) fn fail_task(&self, key: &str) {
        let (thread, token) = self.start_task(key);
        let tree = self.worktree_path(key);
        write_file_at(&tree.join("work/new"), "new\n");
        write_file_at(&tree.join("src/0.txt"), "staged\n");
        self.yard.run_git_in(&tree, ["add", "src/0.txt"]);
        write_file_at(&tree.join("src/0.txt"), "changed\n");
        self.run_inbox_data(&[
            "fail",
            &thread,
            "--token",
            &token,
            "--reason",
            "It cannot be done.",
            "--final",
        ]);
    }

    /// A task as `orch task show` tells it.
    pub(super) fn show_task(&self, key: &str) -> Value {
        self.run_orch_data(&["task", "show", key])
    }

    /// The state of the worktree of a task's first attempt.
    pub(super) fn tree_state(&self, key: &str) -> String {
        let shown = self.run_orch_data(&["worktree", "show", &format!("{key}@1")]);
        shown["worktree"]["state"].as_str().unwrap().to_owned()
    }

    /// How many events of this kind there were.
    pub(super) fn count_events(&self, kind: &str) -> usize {
        let events = self.run_orch_data(&["events", "--limit", "1000"]);
        events["events"].as_array().unwrap().iter().filter(|event| event["kind"] == kind).count()
    }

    /// All laws hold, and nothing lies about that nobody knows: in the store, in git, and on the disk.
    pub(super) fn check_clean(&self) {
        let doctor = self.run_orch_data(&["doctor"]);
        assert_eq!(doctor["verdict"], "ok", "{doctor}");
        let again = self.run_orch_data(&["reconcile"]);
        for list in ["changes", "swept"] {
            assert_eq!(again[list], serde_json::json!([]), "{list} after it was reconciled");
        }
        // A run that only now has ended asks for its pools to be swept.
        let is_sweep = |finished: &Value| finished["kind"] == "sweep";
        assert!(again["finished"].as_array().unwrap().iter().all(is_sweep), "{again}");
        let has_run = self.run_orch(&["run", "show", "r"]).status.success();
        // What was kept of a run that was removed is named, so that it can be found.
        let is_kept = |orphan: &Value| !has_run && orphan["kind"] == "reference";
        assert!(again["orphans"].as_array().unwrap().iter().all(is_kept), "{again}");
        let listed = if has_run { self.run_orch_data(&["worktree", "list", "r"]) } else { Value::Null };
        let list = |name: &str| listed[name].as_array().cloned().unwrap_or_default();
        let mut known: Vec<PathBuf> = Vec::new();
        for tree in &list("worktrees") {
            if tree["state"] == "present" {
                assert_eq!(tree["found"], "there", "{tree}");
                known.push(tree["path"].as_str().unwrap().into());
            } else {
                assert_eq!(
                    (&tree["state"], &tree["found"]),
                    (&"removed".into(), &"nothing".into()),
                    "{tree}"
                );
            }
        }
        known.extend(list("spares").iter().map(|path| PathBuf::from(path.as_str().unwrap())));
        known.sort();
        let mut there = self.yard.list_worktrees();
        there.sort();
        assert_eq!(there, known, "git knows what the store knows");
        let mut folders: Vec<PathBuf> = std::fs::read_dir(self.sibling_path("repo.orch/r"))
            .map_or_else(|_| Vec::new(), |entries| entries.flatten().map(|entry| entry.path()).collect());
        // The pool of check trees stays as long as the run is not finished.
        folders.retain(|path| {
            path.file_name().is_none_or(|name| !name.to_string_lossy().starts_with(".check-"))
        });
        folders.sort();
        let inside: Vec<_> =
            known.iter().filter(|path| path.starts_with(self.sibling_path("repo.orch/r"))).cloned().collect();
        assert_eq!(folders, inside, "the disk holds what the store knows");
        assert_eq!(
            git_locks(&self.yard.repository_path().join(".git")),
            [""; 0].map(PathBuf::from),
            "git's locks"
        );
        self.yard.run_git(["fsck", "--no-dangling", "--no-progress"]);
    }

    /// Says what is being tried.
    pub(super) fn record_attempt(&self, what: &str) {
        what.clone_into(&mut self.tried.lock().unwrap());
    }
}

impl Drop for CrashFixture {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let tried = self.tried.lock().map(|tried| tried.clone()).unwrap_or_default();
            let kept = std::mem::take(&mut self.yard).keep_folder();
            crate::fixture::print_notice(&format!("{tried}; the folder is kept: {}", kept.display()));
        }
    }
}

/// Git's locks below a folder, without our own, which stay.
fn git_locks(folder: &std::path::Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() && path.file_name() != Some(OsStr::new("orch")) {
            found.extend(git_locks(&path));
        } else if path.extension() == Some(OsStr::new("lock")) {
            found.push(path);
        }
    }
    found
}

fn copy_folder(from: PathBuf, to: PathBuf) {
    if from.exists() {
        assert!(Command::new("cp").arg("-a").args([&from, &to]).status().unwrap().success());
    }
}

/// Puts a `git` in front that kills its caller after its command of this number whose words match a shell pattern;
/// of several at once, after any of them.
pub(super) fn killing_git(site: &CrashFixture, pattern: &str, number: u32) -> OsString {
    let path = site.search_path();
    let real =
        std::env::split_paths(&path).map(|folder| folder.join("git")).find(|git| git.is_file()).unwrap();
    let (bin, count) = (site.sibling_path("deadly"), site.sibling_path("count"));
    std::fs::write(&count, "").unwrap();
    let (real, count) = (real.display(), count.display());
    let script = format!(
        "#!/bin/sh\ncase \" $* \" in {pattern}) printf x >>{count};; *) exec {real} \"$@\";; esac\n[ \"$(wc -c <{count})\" -ge {number} ] || exec {real} \"$@\"\n\
         {real} \"$@\"\nkill -KILL $PPID\n"
    );
    write_script(&bin.join("git"), &script);
    let mut all = bin.into_os_string();
    all.push(":");
    all.push(path);
    all
}
