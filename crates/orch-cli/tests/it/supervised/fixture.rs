//! What drives need: scripts for their workers, their answers as they come, and an eye on who is left.

use std::io::{BufRead as _, BufReader, Lines};
use std::path::Path;
use std::process::ChildStdout;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::scheduling::json_text;
use crate::test_environment::{CliInvocation, CliOutput, RunningInvocation, TestEnvironment};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

impl TestEnvironment {
    /// A repository with a run `r` whose workers are scripts.
    pub(crate) fn with_scripts(more: &[&str]) -> Self {
        let place = Self::with_repository();
        place.begin_run("r", more);
        place
    }

    /// Adds a task whose worker is this script.
    pub(crate) fn add_script_task(&self, key: &str, script: &str, more: &[&str]) {
        let arguments = ["task", "add", "Do it", "--key", key, "--spec", script];
        self.orch(&[&arguments[..], more].concat()).ok();
    }

    /// Writes a profile of scripts into the folder of the store.
    pub(crate) fn write_profile(&self, name: &str, fields: &str) {
        let folder = self.repository_path().join(".git/orch/profiles");
        std::fs::create_dir_all(&folder).unwrap();
        let command = r#"command = ["sh", "-e", "{brief_file}"]"#;
        let template = r#"template = "{{ spec or '' }}\n""#;
        let whole = format!("name = \"{name}\"\n{command}\n{template}\n{fields}\n");
        std::fs::write(folder.join(format!("{name}.toml")), whole).unwrap();
    }

    /// A supervisor of the run whose workers are scripts.
    pub(crate) fn drive_call(&self, more: &[&str]) -> CliInvocation {
        self.orch(&[&["drive", "r", "--profile", "shell"][..], more].concat())
    }

    /// The processes that were started from here and still run, those of a cleared environment included.
    pub(crate) fn remaining_processes(&self) -> Vec<String> {
        let own = std::process::id();
        let here = self.path().canonicalize().unwrap();
        let folder = std::fs::read_dir("/proc").unwrap();
        let numbers = folder.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
        numbers
            .filter(|number| *number != own)
            .filter_map(|number| process_of_folder(number, &here))
            .collect()
    }

    /// Sees that nothing is left that a finished run does not need.
    pub(crate) fn check_tidy(&self) {
        assert_eq!(self.remaining_processes(), Vec::<String>::new(), "no process is left");
        let known =
            self.orch(&["worktree", "list", "--run", "r", "--limit", "1000"]).ok()["worktrees"].clone();
        let known = known.as_array().unwrap().iter().filter(|tree| tree["state"] == "present").count();
        let trees = self.run_git(["worktree", "list"]);
        assert_eq!(trees.lines().count() - 1, known, "none is stray: {trees}");
        let found = self.orch(&["reconcile"]).ok();
        assert_eq!(
            (&found["changes"], &found["orphans"]),
            (&Value::Array(vec![]), &Value::Array(vec![])),
            "{found}"
        );
        let shown = self.orch(&["ps"]).ok();
        assert_eq!(
            (&shown["workers"], &shown["supervisors"]),
            (&Value::Array(vec![]), &Value::Array(vec![]))
        );
        self.check_sound();
    }

    /// The subjects of the commits on the run's branch, without merges, sorted.
    pub(crate) fn commit_subjects(&self) -> Vec<String> {
        let text = self.run_git(["log", "--no-merges", "--format=%s", "orch/r/main"]);
        let mut subjects: Vec<String> = text.lines().map(str::to_owned).collect();
        subjects.sort();
        subjects
    }

    /// The states of a task's attempts, in order.
    pub(crate) fn attempt_states(&self, task: &str) -> Vec<String> {
        let attempts = self.orch(&["task", "show", task]).ok()["attempts"].clone();
        let mut attempts: Vec<(u64, String)> = attempts
            .as_array()
            .unwrap()
            .iter()
            .map(|attempt| (attempt["number"].as_u64().unwrap(), json_text(&attempt["state"])))
            .collect();
        attempts.sort();
        attempts.into_iter().map(|(_, state)| state).collect()
    }

    /// The number of the only wrapper under way.
    pub(crate) fn wrapper_pid(&self) -> u32 {
        let workers = self.orch(&["ps"]).ok()["workers"].clone();
        assert_eq!(workers.as_array().unwrap().len(), 1, "{workers}");
        u32::try_from(workers[0]["pid"].as_u64().unwrap()).unwrap()
    }
}

/// A line that says which process it is, if it has to do with this folder.
fn process_of_folder(number: u32, here: &Path) -> Option<String> {
    let process = Path::new("/proc").join(number.to_string());
    let environment = std::fs::read(process.join("environ")).unwrap_or_default();
    let bytes = here.as_os_str().as_encoded_bytes();
    let bears = environment.windows(bytes.len()).any(|window| window == bytes);
    let inside = std::fs::read_link(process.join("cwd")).is_ok_and(|folder| folder.starts_with(here));
    // Who is dead, and only waits to be taken note of, has neither.
    (bears || inside).then(|| {
        let line = std::fs::read(process.join("cmdline")).unwrap_or_default();
        format!("{number} {}", String::from_utf8_lossy(&line).replace('\0', " "))
    })
}

/// Whether a process, or a thread of it, runs.
pub(crate) fn is_process_alive(number: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
    let Some((_, fields)) = stat.rsplit_once(") ") else { return false };
    let mut fields = fields.split(' ');
    let is_zombie = fields.next() == Some("Z");
    // The main thread of a killed process is a zombie while its other threads still exit.
    let threads: u32 = fields.nth(16).and_then(|count| count.parse().ok()).unwrap_or(0);
    !is_zombie || threads > 1
}

/// Sends a signal to a process.
pub(crate) fn send_signal(number: u32, signal: Signal) {
    kill_process(Pid::from_raw(number.cast_signed()).unwrap(), signal).unwrap();
}

/// Looks until it is so.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "still not so: {what}");
        std::thread::yield_now();
    }
}

/// A supervisor under way, whose lines are read as they come.
pub(crate) struct RunningDrive {
    running: RunningInvocation,
    lines: Lines<BufReader<ChildStdout>>,
}

impl RunningDrive {
    /// Starts it.
    pub(crate) fn start(call: CliInvocation) -> Self {
        let mut running = call.start();
        let stdout = running.child.stdout.take().unwrap();
        Self { running, lines: BufReader::new(stdout).lines() }
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.running.child.id()
    }

    /// Reads on until an event of this kind.
    pub(crate) fn read_until_event(&mut self, kind: &str) -> Value {
        for line in self.lines.by_ref() {
            let document: Value = serde_json::from_str(&line.unwrap()).unwrap();
            if document["data"]["event"]["kind"] == kind {
                return document["data"]["event"].clone();
            }
        }
        panic!("it ended and never told of {kind}");
    }

    /// Reads on until a note that holds this.
    pub(crate) fn read_until_note(&mut self, part: &str) {
        let heard = self.lines.by_ref().any(|line| {
            let document: Value = serde_json::from_str(&line.unwrap()).unwrap();
            document["data"]["note"].as_str().is_some_and(|note| note.contains(part))
        });
        assert!(heard, "it ended and never said {part}");
    }

    /// Reads to its end; gives what it printed from now on.
    pub(crate) fn wait_output(self) -> CliOutput {
        let Self { running, lines } = self;
        let rest: String = lines.map(|line| line.unwrap() + "\n").collect();
        let mut printed = running.wait_output();
        printed.stdout = rest;
        printed
    }

    /// Kills it as nobody can be warned of.
    pub(crate) fn kill(mut self) {
        self.running.child.kill().unwrap();
        self.running.child.wait().unwrap();
    }
}
