//! Tests of how workers start, what they receive, and how they exit.

use std::ffi::OsString;

use orch_process::worker::{WorkerInput, WorkerResult};
use orch_process::{TerminationReport, WorkerCommand, run_worker};

use crate::worker_sandbox::{
    DEFAULT_OPTIONS, RecordingWatcher, TAG, WorkerOptions, WorkerSandbox, shell_command,
};

fn outcome(run: &WorkerResult) -> String {
    format!("{:?}", run.outcome)
}

#[test]
fn exit_codes_and_signals_are_distinguished() {
    for (script, expected) in [
        ("exit 0", "Exited(0)"),
        ("exit 3", "Exited(3)"),
        ("no-such-command", "Exited(127)"),
        ("kill -ABRT $$", "Signalled(6)"),
        ("kill -KILL $$", "Signalled(9)"),
    ] {
        let run = WorkerSandbox::new().run(script, DEFAULT_OPTIONS, &mut RecordingWatcher::default());
        assert_eq!(outcome(&run), expected, "{script}");
        assert_eq!(run.left_behind, TerminationReport::default(), "{script}");
    }
}

#[test]
fn start_failures_name_what_is_missing() {
    let sandbox = WorkerSandbox::new();
    let file = sandbox.folder.path().join("no-program");
    std::fs::write(&file, "not a program").unwrap();
    let missing = sandbox.folder.path().join("missing");
    let fault = |change: &dyn Fn(WorkerCommand<'_>) -> WorkerResult| {
        outcome(&change(sandbox.worker(&shell_command("true"), DEFAULT_OPTIONS)))
    };
    let named = |command: &[&str]| {
        let command: Vec<OsString> = command.iter().map(OsString::from).collect();
        fault(&|worker| {
            run_worker(&WorkerCommand { command: &command, ..worker }, &mut RecordingWatcher::default())
        })
    };
    assert_eq!(named(&[]), "CouldNotStart(NotFound)");
    assert_eq!(named(&["no-such-command"]), "CouldNotStart(NotFound)");
    assert_eq!(named(&["./no-such-command"]), "CouldNotStart(NotFound)");
    assert_eq!(named(&["no-program"]), "CouldNotStart(NotFound)", "a name is searched in PATH only");
    assert_eq!(named(&["./no-program"]), "CouldNotStart(NotExecutable)");
    assert_eq!(named(&["true"]), "Exited(0)");

    let run = |worker: WorkerCommand<'_>| run_worker(&worker, &mut RecordingWatcher::default());
    assert_eq!(fault(&|worker| run(WorkerCommand { folder: &missing, ..worker })), "CouldNotStart(NoFolder)");
    let fault_of_log = fault(&|worker| run(WorkerCommand { log: sandbox.folder.path(), ..worker }));
    assert!(fault_of_log.starts_with("CouldNotStart(NoLog("), "{fault_of_log}");
    let fault_of_input = fault(&|worker| run(WorkerCommand { input: WorkerInput::File(&missing), ..worker }));
    assert!(fault_of_input.starts_with("CouldNotStart(NoInput("), "{fault_of_input}");
}

#[test]
fn a_worker_leads_a_session_and_has_its_tag() {
    let sandbox = WorkerSandbox::new();
    let mut watcher = RecordingWatcher::default();
    let script = "read pid name state parent group session rest </proc/$$/stat
        echo $$ $group $session; pwd -P; eval echo \\$$1; env | wc -l";
    let mut command = shell_command(script);
    command.extend(["sh", TAG].map(OsString::from));
    let run = run_worker(&sandbox.worker(&command, DEFAULT_OPTIONS), &mut watcher);
    assert_eq!(outcome(&run), "Exited(0)");
    let worker = watcher.worker.unwrap();
    let lines: Vec<&str> = watcher.lines.iter().map(|(line, _)| line.as_str()).collect();
    assert_eq!(lines[0], format!("{0} {0} {0}", worker.pid()));
    assert_eq!(lines[1], sandbox.folder.path().canonicalize().unwrap().to_str().unwrap());
    assert_eq!(lines[2], sandbox.tag().value);
    assert!(
        lines[3].trim().parse::<u32>().unwrap() <= 5,
        "PATH, the tag, and what the shell adds: {lines:?}"
    );
    assert!(!worker.is_alive());
}

#[test]
fn a_worker_receives_its_input() {
    let sandbox = WorkerSandbox::new();
    let file = sandbox.folder.path().join("input");
    std::fs::write(&file, "from a file").unwrap();
    let long = vec![b'x'; 3 << 20];
    for (input, script, expected) in [
        (WorkerInput::Nothing, "cat; echo end", "end"),
        (WorkerInput::Bytes(b""), "cat; echo end", "end"),
        (WorkerInput::Bytes(b"some\n"), "cat", "some"),
        (WorkerInput::Bytes(&long), "wc -c", "3145728"),
        (WorkerInput::Bytes(&long), "exec <&-; echo unread", "unread"),
        (WorkerInput::Bytes(&long), "echo unread", "unread"),
        (WorkerInput::File(&file), "cat", "from a file"),
    ] {
        let mut watcher = RecordingWatcher::default();
        let run = sandbox.run(script, WorkerOptions { input, ..DEFAULT_OPTIONS }, &mut watcher);
        assert_eq!(outcome(&run), "Exited(0)", "{script}");
        assert_eq!(watcher.lines, [(expected.to_owned(), 0)], "{script}");
    }
}
