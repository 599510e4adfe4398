//! The environment of one scenario: a repository, a home folder, a model, our programs, and a sweeper that
//! kills leftover processes.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::ScenarioFailure;
use super::client::{Client, InstalledClient};
use super::drive_process::DriveProcess;
use super::scenarios;
use crate::program::{ProgramReply, RunningProcess};
use crate::scripted_model::{ModelExchange, ScriptedModel};
use crate::test_repo::{self, TestRepo};

/// Time limit for one of our commands.
const CALL_LIMIT: Duration = Duration::from_secs(60);

/// Time limit for a condition that depends on a client.
const PATIENCE: Duration = Duration::from_secs(60);

/// Polling interval for conditions that no event reports.
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// The attempt's time limit, after which the supervisor ends it if the scenario does not.
const ATTEMPT_LIMIT: &str = "150s";

/// A repository with a run `r` for one client.
pub(super) struct ClientSandbox {
    // Dropped first: clients wait for the model and are found by the folder, so both must still exist.
    broom: ProcessSweeper,
    model: ScriptedModel,
    installed: InstalledClient,
    variables: Vec<(&'static str, OsString)>,
    yard: TestRepo,
}

/// Kills every process that was started from a folder when dropped.
struct ProcessSweeper(PathBuf);

impl ClientSandbox {
    /// Makes a sandbox for a client.
    pub(super) fn new(installed: &InstalledClient) -> Self {
        let (client, yard) = (installed.client, TestRepo::new());
        let model = ScriptedModel::listen(scenarios::client_scripts(client), None).expect("there is a port");
        let home = yard.sibling_path("home");
        client.write_settings(&home, &model.url());
        let mut variables: Vec<(&str, OsString)> = yard.environment_variables();
        variables.retain(|(name, _)| *name != "PATH");
        variables.push(("PATH", installed.search_path()));
        variables.push(("ORCH_OUTPUT", "json".into()));
        variables.extend(client.environment_variables(&model.url()));
        let ground = Self {
            broom: ProcessSweeper(yard.sibling_path("")),
            model,
            installed: installed.clone(),
            variables,
            yard,
        };
        if installed.no_sandbox.is_some() {
            ground.disable_codex_sandbox();
        }
        ground
    }

    /// Returns the sandbox's client.
    pub(super) fn client(&self) -> Client {
        self.installed.client
    }

    /// Makes the run with one task that plays a script.
    pub(super) fn begin_run(&self, script: &str, task: &str) -> Result<(), String> {
        let check = format!("test -f {task}.txt");
        self.run_for_data(&["orch", "run", "init", "R", "--name", "r", "--retry-delay", "100ms"])?;
        let (title, spec) = (format!("Task {task}"), format!("MOCK:{script} {task}"));
        self.run_for_data(&[
            "orch", "task", "add", &title, "--key", task, "--spec", &spec, "--verify", &check,
        ])?;
        Ok(())
    }

    /// Runs one of our commands, which must succeed, and returns its `data`.
    pub(super) fn run_for_data(&self, words: &[&str]) -> Result<Value, String> {
        match run_for_reply(self.program_command(words)) {
            ProgramReply::Ok { data, .. } => Ok(data),
            other => Err(format!("`{}` said {other:?}", words.join(" "))),
        }
    }

    /// Returns one of our commands, to be run in the repository.
    pub(super) fn program_command(&self, words: &[&str]) -> Command {
        let (program, arguments) = words.split_first().expect("a command has a name");
        let mut command = Command::new(self.installed.programs.join(program));
        command.args(arguments).current_dir(self.yard.repository_path()).stdin(Stdio::null());
        command.env_clear().envs(self.variables.iter().cloned());
        command
    }

    /// Starts a supervisor of the run with one worker.
    pub(super) fn start_drive(&self) -> Result<DriveProcess, String> {
        let path = self.yard.sibling_path("drive.log");
        let log = File::options().append(true).create(true).open(&path);
        let log = log.map_err(|error| format!("{} cannot be written: {error}.", path.display()))?;
        let profile = self.client().name();
        DriveProcess::start(
            self.program_command(&[
                "orch",
                "drive",
                "r",
                "--profile",
                profile,
                "--attempt-limit",
                ATTEMPT_LIMIT,
            ]),
            log,
        )
    }

    /// Returns a task as `orch task show` prints it, and its attempts in order.
    pub(super) fn show_task(&self, task: &str) -> Result<(Value, Vec<Value>), String> {
        let shown = self.run_for_data(&["orch", "task", "show", task])?;
        let mut attempts = shown["attempts"].as_array().cloned().unwrap_or_default();
        attempts.sort_by_key(|attempt| attempt["number"].as_u64());
        Ok((shown["task"].clone(), attempts))
    }

    /// Checks that the task is done after attempts with these end states, and that the run's branch contains
    /// its file.
    pub(super) fn expect_done(&self, task: &str, content: &str, ends: &[&str]) -> Result<(), String> {
        let (shown, attempts) = self.show_task(task)?;
        expect_equal("the task's state", shown["state"].as_str(), Some("done"))?;
        expect_equal("its checks", shown["checks"].as_str(), Some("passed"))?;
        let states: Vec<&str> = attempts.iter().filter_map(|attempt| attempt["state"].as_str()).collect();
        expect_equal("the ends of its attempts", states.as_slice(), ends)?;
        let file = self.run_git(&["show", &format!("orch/r/main:{task}.txt")])?;
        expect_equal("the file on the run's branch", file.as_str(), content)?;
        let subjects = self.run_git(&["log", "--no-merges", "--format=%s", "orch/r/main"])?;
        let own = self.client().commit_subject(task);
        expect_equal("the subjects on the run's branch", subjects.as_str(), &format!("{own}\nfirst"))
    }

    /// Runs git in the repository and returns its output.
    pub(super) fn run_git(&self, words: &[&str]) -> Result<String, String> {
        let output = self.yard.try_run_git_in(&self.yard.repository_path(), words);
        let (stdout, stderr) = (output.stdout, String::from_utf8_lossy(&output.stderr));
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&stdout).trim_end().to_owned());
        }
        Err(format!("`git {}` said: {}", words.join(" "), stderr.trim()))
    }

    /// Returns the client's log of the task's first attempt.
    pub(super) fn client_log(&self, task: &str) -> String {
        let path = self.yard.repository_path().join(format!(".git/orch/logs/r/{task}.1/worker.log"));
        fs::read_to_string(path).unwrap_or_default()
    }

    /// Returns all requests to the model so far, with its replies.
    pub(super) fn model_exchanges(&self) -> Vec<ModelExchange> {
        self.model.recorded_exchanges()
    }

    /// Finds the sandbox's processes whose environment contains this text.
    pub(super) fn processes_with_text(&self, text: &str) -> Vec<u32> {
        self.broom
            .find_processes()
            .into_iter()
            .filter(|number| environment_contains(*number, text.as_bytes()))
            .collect()
    }

    /// Waits until only our own programs run in the sandbox.
    pub(super) fn expect_no_client(&self) -> Result<(), String> {
        let ours = |number: &u32| {
            fs::read_link(format!("/proc/{number}/exe"))
                .is_ok_and(|program| program.starts_with(&self.installed.programs))
        };
        wait_until("the client has ended", || self.broom.find_processes().iter().all(ours))
    }

    /// Checks that no process runs in the sandbox and that the store has no registered one.
    pub(super) fn expect_tidy(&self) -> Result<(), String> {
        let left: Vec<String> = self.broom.find_processes().into_iter().map(process_name).collect();
        expect_equal("the processes that are left", left.as_slice(), &[])?;
        let shown = self.run_for_data(&["orch", "ps"])?;
        let known = |kind: &str| shown[kind].as_array().map(Vec::len);
        expect_equal("the workers that are known", known("workers"), Some(0))?;
        expect_equal("the supervisors that are known", known("supervisors"), Some(0))
    }

    /// Kills the remaining processes and removes the folder.
    pub(super) fn tear_down(self) -> Result<(), ScenarioFailure> {
        let Self { broom, yard, .. } = self;
        match broom.kill_all() {
            Ok(()) => Ok(()),
            Err(message) => Err(ScenarioFailure { message, folder: yard.keep_folder() }),
        }
    }

    /// Kills the remaining processes and keeps the folder, with the log of the model's requests and replies.
    pub(super) fn keep_folder(self) -> PathBuf {
        let Self { broom, yard, model, .. } = self;
        drop(broom);
        let heard: String = model.recorded_exchanges().iter().map(|heard| format!("{heard:#?}\n")).collect();
        test_repo::write_file_at(&yard.sibling_path("model.txt"), heard);
        yard.keep_folder()
    }

    /// Writes a Codex profile without the sandbox; the caller reports this.
    fn disable_codex_sandbox(&self) {
        let name = self.client().name();
        let text = orch_profile::built_in_profile(name).expect("it is built in");
        let text = text.replace("workspace-write", "danger-full-access");
        test_repo::write_file_at(
            &self.yard.repository_path().join(format!(".git/orch/profiles/{name}.toml")),
            text,
        );
    }
}

impl ProcessSweeper {
    /// Finds every process that has the folder in its environment or as its working directory.
    fn find_processes(&self) -> Vec<u32> {
        let own = std::process::id();
        let folder = fs::read_dir("/proc").into_iter().flatten().flatten();
        let numbers = folder.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let is_here = |number: &u32| {
            let inside = fs::read_link(format!("/proc/{number}/cwd"));
            let inside = inside.is_ok_and(|folder| folder.starts_with(&self.0));
            inside || environment_contains(*number, self.0.as_os_str().as_encoded_bytes())
        };
        numbers.filter(|number| *number != own).filter(is_here).collect()
    }

    /// Kills all of them, repeatedly, until none remains.
    fn kill_all(&self) -> Result<(), String> {
        wait_until("every process has ended", || {
            let left = self.find_processes();
            left.iter().for_each(|number| kill_process(*number));
            left.is_empty()
        })
    }
}

impl Drop for ProcessSweeper {
    fn drop(&mut self) {
        // A process that survives this cannot be handled here.
        let _ = self.kill_all();
    }
}

/// Runs one of our commands and returns its reply.
pub(super) fn run_for_reply(command: Command) -> ProgramReply {
    RunningProcess::start(command).wait_or_kill(CALL_LIMIT).program_reply()
}

/// Sends `SIGKILL` to a process.
pub(super) fn kill_process(number: u32) {
    // The process may have exited already.
    let _ = Command::new("kill").args(["-KILL", &number.to_string()]).stderr(Stdio::null()).status();
}

/// Polls until a condition holds.
pub(super) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        if Instant::now() > deadline {
            return Err(format!("still not so after {} s: {what}.", PATIENCE.as_secs()));
        }
        // No event reports the exit of a process that is not a child, and the client needs the processor.
        thread::park_timeout(BETWEEN_LOOKS);
    }
    Ok(())
}

/// Compares an actual value with the expected one.
pub(super) fn expect_equal<T: PartialEq + std::fmt::Debug>(
    what: &str,
    is: T,
    should_be: T,
) -> Result<(), String> {
    if is == should_be { Ok(()) } else { Err(format!("{what}: {is:?}, and should be {should_be:?}.")) }
}

/// Returns whether the environment of a process contains these bytes.
fn environment_contains(number: u32, bytes: &[u8]) -> bool {
    let environment = fs::read(format!("/proc/{number}/environ")).unwrap_or_default();
    environment.windows(bytes.len()).any(|window| window == bytes)
}

fn process_name(number: u32) -> String {
    let line = fs::read(Path::new("/proc").join(number.to_string()).join("cmdline")).unwrap_or_default();
    format!("{number} {}", String::from_utf8_lossy(&line).replace('\0', " ").trim())
}
