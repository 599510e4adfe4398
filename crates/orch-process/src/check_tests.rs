//! Tests of checks with real processes.

use std::os::fd::AsFd as _;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;

/// A folder in which checks run.
struct CheckFixture {
    folder: TempDir,
    environment: EnvironmentVariables,
    secrets: SecretValues,
    log: PathBuf,
    tag: String,
}

impl CheckFixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("check.log");
        let tag = folder.path().display().to_string();
        Self {
            folder,
            environment: EnvironmentVariables::empty().with_variable("PATH", "/usr/bin:/bin"),
            secrets: SecretValues::of_environment(
                &EnvironmentVariables::empty().with_variable("API_KEY", "secret123"),
            ),
            log,
            tag,
        }
    }

    fn check_command<'a>(&'a self, command: &'a str) -> CheckCommand<'a> {
        CheckCommand {
            command,
            folder: self.folder.path(),
            environment: &self.environment,
            tag: Tag { name: "CHECK_TAG", value: &self.tag },
            limit: Duration::from_secs(60),
            grace: Duration::from_secs(10),
            log: &self.log,
            log_bytes_max: 1 << 20,
            secrets: &self.secrets,
            stop: None,
        }
    }

    fn run_command(&self, command: &str) -> CheckResult {
        run_check(&self.check_command(command))
    }

    fn logged_text(&self) -> String {
        String::from_utf8(std::fs::read(&self.log).unwrap()).unwrap()
    }

    /// Returns whether the process whose pid a check wrote to this file still runs.
    fn is_process_running(&self, file: &str) -> bool {
        let pid = std::fs::read_to_string(self.folder.path().join(file)).unwrap();
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
        stat.is_ok_and(|stat| !stat.rsplit(')').next().is_some_and(|rest| rest.trim().starts_with('Z')))
    }
}

#[test]
fn exit_codes_signals_and_start_failures_are_distinguished() {
    let fixture = CheckFixture::new();
    for (command, expected) in [
        ("exit 0", "Exited(0)"),
        ("exit 3", "Exited(3)"),
        ("no-such-command", "CouldNotStart(NotFound)"),
        ("touch here; ./here", "CouldNotStart(NotExecutable)"),
        ("kill -ABRT $$", "Signalled { signal: 6, is_own: true }"),
        ("kill -KILL $$", "Signalled { signal: 9, is_own: false }"),
        ("if", "Exited(2)"),
    ] {
        assert_eq!(format!("{:?}", fixture.run_command(command).outcome), expected, "{command}");
    }
}

#[test]
fn a_check_has_its_working_directory_and_its_environment_only() {
    let fixture = CheckFixture::new();
    let run = run_check(&CheckCommand {
        limit: Duration::from_secs(30),
        ..fixture.check_command("pwd -P; cat; echo \"$HOME-$GIT_DIR\" >&2; env | wc -l")
    });
    let folder = fixture.folder.path().canonicalize().unwrap();
    let lines: Vec<&str> = run.tail.lines().collect();
    assert_eq!(lines[..2], [folder.to_str().unwrap(), "-"]);
    assert!(
        lines[2].trim().parse::<u32>().unwrap() <= 5,
        "PATH, the tag and what the shell adds: {}",
        lines[2]
    );
    assert_eq!(fixture.logged_text(), run.tail);
}

#[test]
fn a_gigabyte_of_output_keeps_the_log_bounded() {
    let fixture = CheckFixture::new();
    let run = run_check(&CheckCommand {
        log_bytes_max: 100_000,
        ..fixture.check_command("echo first; head -c 1000000000 /dev/zero | tr '\\0' x; echo; echo last")
    });
    assert!(matches!(run.outcome, CheckOutcome::Exited(0)), "{:?}", run.outcome);
    let log = fixture.logged_text();
    assert!(log.len() <= 100_000, "{} bytes", log.len());
    assert!(log.starts_with("first\nxxx") && log.ends_with("xxx\nlast\n"));
    assert!(log.contains(" bytes left out ...]\n"));
    assert!(run.tail.ends_with("xxx\nlast\n") && run.tail.len() <= 4_000);
}

#[test]
fn at_the_time_limit_sigterm_comes_first() {
    let fixture = CheckFixture::new();
    let run = run_check(&CheckCommand {
        limit: Duration::from_millis(1_500),
        ..fixture.check_command("trap 'echo asked; exit 0' TERM; echo on; while :; do sleep 0.01; done")
    });
    assert!(matches!(run.outcome, CheckOutcome::TimedOut), "{:?}", run.outcome);
    assert!(run.tail.starts_with("on\n") && run.tail.ends_with("asked\n"), "{}", run.tail);
    assert!(run.duration_ms >= 1_500, "{} ms", run.duration_ms);
}

#[test]
fn a_check_that_ignores_sigterm_is_killed_with_its_children() {
    let fixture = CheckFixture::new();
    let ignores_term =
        "trap '' TERM; (trap '' TERM; while :; do sleep 0.05; done) & echo $! >child; wait; wait";
    let run = run_check(&CheckCommand {
        limit: Duration::from_millis(1_500),
        grace: Duration::from_millis(300),
        ..fixture.check_command(ignores_term)
    });
    assert!(matches!(run.outcome, CheckOutcome::TimedOut), "{:?}", run.outcome);
    assert!(run.duration_ms >= 1_800, "{} ms", run.duration_ms);
    assert!(!fixture.is_process_running("child"));
}

#[test]
fn a_stopped_check_is_terminated_too() {
    let fixture = CheckFixture::new();
    let run = run_check(&CheckCommand {
        limit: Duration::from_millis(200),
        ..fixture.check_command("echo on; kill -STOP $$; echo never")
    });
    assert!(matches!(run.outcome, CheckOutcome::TimedOut), "{:?}", run.outcome);
    assert!(run.duration_ms < 9_000, "{} ms", run.duration_ms);
}

#[cfg(target_os = "linux")]
#[test]
fn only_the_command_uses_the_working_directory() {
    let fixture = CheckFixture::new();
    let run = run_check(&CheckCommand {
        limit: Duration::from_secs(30),
        ..fixture.check_command(
            "read -r guard rest </proc/$$/task/$$/children\n\
             until [ \"$(readlink /proc/$guard/cwd)\" = / ]; do sleep 0.01; done",
        )
    });
    assert!(matches!(run.outcome, CheckOutcome::Exited(0)), "{:?}, {}", run.outcome, run.tail);
}

#[test]
fn background_processes_are_terminated() {
    let fixture = CheckFixture::new();
    let run = fixture.run_command("sleep 1000 & echo $! >child; echo started");
    assert!(matches!(run.outcome, CheckOutcome::Exited(0)), "{:?}", run.outcome);
    assert_eq!(run.tail, "started\n");
    assert!(
        run.duration_ms < 9_000,
        "it exits on SIGTERM, before the grace period is over: {} ms",
        run.duration_ms
    );
    assert!(!fixture.is_process_running("child"));
}

#[test]
fn a_process_that_left_the_session_is_terminated() {
    let fixture = CheckFixture::new();
    let run = fixture.run_command("setsid sleep 1000 & echo $! >child; exit 4");
    assert!(matches!(run.outcome, CheckOutcome::Exited(4)), "{:?}", run.outcome);
    assert!(!fixture.is_process_running("child"));
}

#[test]
fn the_caller_can_interrupt_a_check() {
    let fixture = CheckFixture::new();
    let (stop, ask) = io::pipe().unwrap();
    drop(ask);
    let run = run_check(&CheckCommand { stop: Some(stop.as_fd()), ..fixture.check_command("sleep 1000") });
    assert!(matches!(run.outcome, CheckOutcome::Interrupted), "{:?}", run.outcome);
}

#[test]
fn a_check_may_close_its_outputs_before_it_exits() {
    let fixture = CheckFixture::new();
    let run = fixture.run_command("echo on; exec >&- 2>&-; sleep 0.2; exit 5");
    assert!(matches!(run.outcome, CheckOutcome::Exited(5)), "{:?}", run.outcome);
    assert!(run.duration_ms >= 200, "{} ms", run.duration_ms);
    assert_eq!(run.tail, "on\n");
}

#[test]
fn system_failures_are_not_check_failures() {
    let fixture = CheckFixture::new();
    let missing = fixture.folder.path().join("missing");
    let run = run_check(&CheckCommand { folder: &missing, ..fixture.check_command("true") });
    assert!(
        matches!(run.outcome, CheckOutcome::CouldNotStart(CheckStartFault::NoFolder)),
        "{:?}",
        run.outcome
    );
    let full = PathBuf::from("/dev/full");
    if full.exists() {
        let run = run_check(&CheckCommand { log: &full, ..fixture.check_command("echo x; sleep 1000") });
        assert!(
            matches!(run.outcome, CheckOutcome::CouldNotStart(CheckStartFault::NoLog(_))),
            "{:?}",
            run.outcome
        );
    }
    let folder = fixture.folder.path().to_owned();
    let run = run_check(&CheckCommand { log: &folder, ..fixture.check_command("true") });
    assert!(
        matches!(run.outcome, CheckOutcome::CouldNotStart(CheckStartFault::NoLog(_))),
        "{:?}",
        run.outcome
    );
}

/// The variable that tells the victim process where to run a check that never ends.
const VICTIM: &str = "ORCH_TEST_CHECK";

/// Not a test of its own: the process that the next test kills.
#[test]
fn victim_process() {
    let Some(folder) = std::env::var_os(VICTIM) else { return };
    let fixture = CheckFixture::new();
    let check = fixture
        .check_command("trap '' TERM; echo $$ >leader; sleep 1000 & echo $! >child; echo >ready; wait; wait");
    let folder = PathBuf::from(folder);
    let _ = run_check(&CheckCommand { folder: &folder, grace: Duration::from_secs(1), ..check });
}

#[test]
fn a_check_terminates_by_itself_when_its_parent_is_killed() {
    let fixture = CheckFixture::new();
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "check::tests::victim_process", "--test-threads=1"])
        .env(VICTIM, fixture.folder.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let ready = fixture.folder.path().join("ready");
    wait_until(|| ready.exists());
    assert!(fixture.is_process_running("leader") && fixture.is_process_running("child"));
    victim.kill().unwrap();
    victim.wait().unwrap();
    wait_until(|| !fixture.is_process_running("leader") && !fixture.is_process_running("child"));
}

/// Waits for a condition that other processes cause.
#[expect(clippy::disallowed_methods, reason = "no event reports the exit of a process that is not our child")]
fn wait_until(holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "the condition was not met in time");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_values_of_secret_variables_are_redacted() {
    let fixture = CheckFixture::new();
    let run = fixture
        .run_command("printf 'a sec'; sleep 0.1; printf 'ret123 b\\n'; echo secret123 >&2; printf sec");
    assert_eq!(run.tail, "a [redacted] b\n[redacted]\nsec");
    assert_eq!(fixture.logged_text(), run.tail);
}
