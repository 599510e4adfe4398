//! Where a story happens: a repository, a home, a model, our programs, and a broom for whoever is left.

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

/// How long one of our commands may take.
const CALL_LIMIT: Duration = Duration::from_secs(60);

/// How long what must come may take, where a client has part in it.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long lies between two looks at what nobody tells of.
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// When an attempt is ended by its supervisor, should nobody be left who ends it.
const ATTEMPT_LIMIT: &str = "150s";

/// A repository with a run `r` for one client.
pub(super) struct ClientSandbox {
    // Dropped first, before the model goes that clients wait for and the folder by which they are known.
    broom: ProcessSweeper,
    model: ScriptedModel,
    installed: InstalledClient,
    variables: Vec<(&'static str, OsString)>,
    yard: TestRepo,
}

/// Ends every process that was started from a folder.
struct ProcessSweeper(PathBuf);

impl ClientSandbox {
    /// A fresh one.
    ///
    /// # Panics
    /// The machine has no git, no room or no port.
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

    /// Which client this is for.
    pub(super) fn client(&self) -> Client {
        self.installed.client
    }

    /// Begins the run, with one task that plays a script.
    pub(super) fn begin_run(&self, script: &str, task: &str) -> Result<(), String> {
        let check = format!("test -f {task}.txt");
        self.run_for_data(&["orch", "run", "init", "R", "--name", "r", "--retry-delay", "100ms"])?;
        let (title, spec) = (format!("Task {task}"), format!("MOCK:{script} {task}"));
        self.run_for_data(&[
            "orch", "task", "add", &title, "--key", task, "--spec", &spec, "--verify", &check,
        ])?;
        Ok(())
    }

    /// Runs one of our commands; its answer must be a good one.
    pub(super) fn run_for_data(&self, words: &[&str]) -> Result<Value, String> {
        match run_for_reply(self.program_command(words)) {
            ProgramReply::Ok { data, .. } => Ok(data),
            other => Err(format!("`{}` said {other:?}", words.join(" "))),
        }
    }

    /// One of our commands, in the repository.
    pub(super) fn program_command(&self, words: &[&str]) -> Command {
        let (program, arguments) = words.split_first().expect("a command has a name");
        let mut command = Command::new(self.installed.programs.join(program));
        command.args(arguments).current_dir(self.yard.repository_path()).stdin(Stdio::null());
        command.env_clear().envs(self.variables.iter().cloned());
        command
    }

    /// A supervisor of the run, with one worker.
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

    /// A task as `orch task show` knows it, with its attempts from the first to the last.
    pub(super) fn show_task(&self, task: &str) -> Result<(Value, Vec<Value>), String> {
        let shown = self.run_for_data(&["orch", "task", "show", task])?;
        let mut attempts = shown["attempts"].as_array().cloned().unwrap_or_default();
        attempts.sort_by_key(|attempt| attempt["number"].as_u64());
        Ok((shown["task"].clone(), attempts))
    }

    /// Sees that the task is done after attempts with these ends, and that the run's branch holds its file.
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

    /// What git says in the repository.
    pub(super) fn run_git(&self, words: &[&str]) -> Result<String, String> {
        let output = self.yard.try_run_git_in(&self.yard.repository_path(), words);
        let (stdout, stderr) = (output.stdout, String::from_utf8_lossy(&output.stderr));
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&stdout).trim_end().to_owned());
        }
        Err(format!("`git {}` said: {}", words.join(" "), stderr.trim()))
    }

    /// What the client printed in the first attempt at a task.
    pub(super) fn client_log(&self, task: &str) -> String {
        let path = self.yard.repository_path().join(format!(".git/orch/logs/r/{task}.1/worker.log"));
        fs::read_to_string(path).unwrap_or_default()
    }

    /// What the model heard so far.
    pub(super) fn model_exchanges(&self) -> Vec<ModelExchange> {
        self.model.recorded_exchanges()
    }

    /// The processes of this place whose environment holds this text.
    pub(super) fn processes_with_text(&self, text: &str) -> Vec<u32> {
        self.broom
            .find_processes()
            .into_iter()
            .filter(|number| environment_contains(*number, text.as_bytes()))
            .collect()
    }

    /// Sees that only our own programs run here, as soon as the client has ended.
    pub(super) fn expect_no_client(&self) -> Result<(), String> {
        let ours = |number: &u32| {
            fs::read_link(format!("/proc/{number}/exe"))
                .is_ok_and(|program| program.starts_with(&self.installed.programs))
        };
        wait_until("the client has ended", || self.broom.find_processes().iter().all(ours))
    }

    /// Sees that nothing runs and that our programs know of nobody.
    pub(super) fn expect_tidy(&self) -> Result<(), String> {
        let left: Vec<String> = self.broom.find_processes().into_iter().map(process_name).collect();
        expect_equal("the processes that are left", left.as_slice(), &[])?;
        let shown = self.run_for_data(&["orch", "ps"])?;
        let known = |kind: &str| shown[kind].as_array().map(Vec::len);
        expect_equal("the workers that are known", known("workers"), Some(0))?;
        expect_equal("the supervisors that are known", known("supervisors"), Some(0))
    }

    /// Goes away with everything here.
    pub(super) fn tear_down(self) -> Result<(), ScenarioFailure> {
        let Self { broom, yard, .. } = self;
        match broom.kill_all() {
            Ok(()) => Ok(()),
            Err(message) => Err(ScenarioFailure { message, folder: yard.keep_folder() }),
        }
    }

    /// Ends everything here and keeps the folder, with what the model heard and said.
    pub(super) fn keep_folder(self) -> PathBuf {
        let Self { broom, yard, model, .. } = self;
        drop(broom);
        let heard: String = model.recorded_exchanges().iter().map(|heard| format!("{heard:#?}\n")).collect();
        test_repo::write_file_at(&yard.sibling_path("model.txt"), heard);
        yard.keep_folder()
    }

    /// Gives Codex a profile without its sandbox; who says so in words is the caller.
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
    /// Every process that has this folder in its environment or works in it.
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

    /// Kills them until none is left.
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
        // What cannot be killed even so is nobody's to mend.
        let _ = self.kill_all();
    }
}

/// What a command of ours says.
pub(super) fn run_for_reply(command: Command) -> ProgramReply {
    RunningProcess::start(command).wait_or_kill(CALL_LIMIT).program_reply()
}

/// Kills a process as nobody can be warned of.
pub(super) fn kill_process(number: u32) {
    // It may have ended by itself.
    let _ = Command::new("kill").args(["-KILL", &number.to_string()]).stderr(Stdio::null()).status();
}

/// Looks until it is so.
pub(super) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        if Instant::now() > deadline {
            return Err(format!("still not so after {} s: {what}.", PATIENCE.as_secs()));
        }
        // Nobody tells of another process's end, and the client needs the processor.
        thread::park_timeout(BETWEEN_LOOKS);
    }
    Ok(())
}

/// Compares what is with what should be.
pub(super) fn expect_equal<T: PartialEq + std::fmt::Debug>(
    what: &str,
    is: T,
    should_be: T,
) -> Result<(), String> {
    if is == should_be { Ok(()) } else { Err(format!("{what}: {is:?}, and should be {should_be:?}.")) }
}

/// Whether the environment of a process holds these bytes.
fn environment_contains(number: u32, bytes: &[u8]) -> bool {
    let environment = fs::read(format!("/proc/{number}/environ")).unwrap_or_default();
    environment.windows(bytes.len()).any(|window| window == bytes)
}

fn process_name(number: u32) -> String {
    let line = fs::read(Path::new("/proc").join(number.to_string()).join("cmdline")).unwrap_or_default();
    format!("{number} {}", String::from_utf8_lossy(&line).replace('\0', " ").trim())
}
