//! The commands that a worker is told to type: the parsers know them, and a shell runs them as they stand.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use orch_cli::entry::Program as _;
use orch_cli::inbox::Inbox;
use orch_cli::orch::Orch;
use orch_cli::usage;
use orch_core::id::{AttemptName, Slug, TaskName, ThreadId};
use orch_profile::brief::{Answered, BriefFacts, Earlier, ResumeFacts, Template};
use serde_json::Value;

use crate::place::Place;

fn attempt(number: u32) -> AttemptName {
    let slug = |text| Slug::new(text).unwrap();
    AttemptName { task: TaskName { run: slug("ship"), key: slug("parser") }, number }
}

/// A brief in which every command stands.
fn facts(thread: ThreadId, inbox: &str, orch: &str) -> BriefFacts {
    let output = "line\n".repeat(2_000);
    BriefFacts {
        attempt: attempt(1),
        thread,
        title: "Write the parser".to_owned(),
        spec: Some("All of it.".to_owned()),
        spec_bytes_max: usize::MAX,
        accept: Vec::new(),
        verify: Vec::new(),
        worktree: None,
        inbox: PathBuf::from(inbox),
        orch: PathBuf::from(orch),
        resumable: true,
        answers: Vec::new(),
        earlier: vec![Earlier {
            attempt: attempt(1),
            outcome: "failed".to_owned(),
            reason: None,
            log_tail: Some(output),
        }],
    }
}

/// The commands of a brief: what stands between fences.
fn commands(brief: &str) -> Vec<&str> {
    brief.split("```\n").skip(1).step_by(2).collect()
}

/// What the parser calls the command that a block begins with.
fn parsed(block: &str) -> String {
    let line = block.lines().next().unwrap();
    let line = line.strip_suffix(" <<'EOF'").unwrap_or(line);
    let (program, arguments) = line.split_once(' ').unwrap();
    let name = Path::new(program).file_name().unwrap();
    let words: Vec<OsString> =
        std::iter::once(name.to_owned()).chain(arguments.split(' ').map(OsString::from)).collect();
    let parser = if name == "orch" { Orch::parser() } else { Inbox::parser() };
    let (_, command) = usage::parse(parser, &words).unwrap_or_else(|error| panic!("{line}: {error:?}"));
    command
}

#[test]
fn every_command_of_a_brief_parses() {
    let template = Template::standard();
    let brief = template.write(&facts(ThreadId(3), "/opt/inbox", "/opt/orch")).unwrap().text;
    let named: Vec<String> = commands(&brief).into_iter().map(parsed).collect();
    assert_eq!(
        named,
        ["inbox progress", "inbox ask", "orch task show", "inbox done", "inbox fail", "inbox show"]
    );
    let resumed = ResumeFacts {
        attempt: attempt(1),
        thread: ThreadId(3),
        inbox: PathBuf::from("/opt/inbox"),
        answered: Some(Answered {
            question: "Which?".to_owned(),
            answer: "That.".to_owned(),
            from: "lead".to_owned(),
        }),
    };
    let brief = template.resume(&resumed).unwrap();
    let named: Vec<String> = commands(&brief).into_iter().map(parsed).collect();
    assert_eq!(named, ["inbox done", "inbox fail"]);
    // With an option that the brief speaks of.
    assert_eq!(parsed("/opt/inbox fail th-3 --reason - --final <<'EOF'\n"), "inbox fail");
}

/// A worker in a folder of its own, with nothing but the variables that it was started with.
struct Worker {
    folder: tempfile::TempDir,
    variables: Vec<(&'static str, String)>,
}

impl Worker {
    fn types(&self, block: &str) -> Child {
        let mut shell = Command::new("sh");
        shell.args(["-c", block]).current_dir(self.folder.path()).env_clear();
        shell.envs(self.variables.iter().map(|(name, value)| (name, value)));
        shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn answer(child: Child) -> Value {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice::<Value>(&output.stdout).unwrap()["data"].clone()
    }
}

#[test]
fn a_shell_runs_the_commands_as_they_stand() {
    let place = Place::empty();
    place.orch(&["run", "init", "Ship", "--name", "ship"]).ok();
    place.orch(&["task", "add", "Write the parser", "--key", "parser", "--spec", "All of it."]).ok();
    place.orch(&["dispatch", "parser", "--to", "w1"]).ok();
    let claimed = place.inbox(&["claim", "--as", "w1"]).ok();
    let thread = claimed["thread"]["id"].as_str().unwrap().to_owned();
    let worker = Worker {
        folder: tempfile::tempdir().unwrap(),
        variables: vec![
            ("INBOX_AGENT", "w1".to_owned()),
            ("INBOX_THREAD", thread.clone()),
            ("INBOX_LEASE", claimed["lease"]["token"].as_str().unwrap().to_owned()),
            ("ORCH_STORE", place.path().join(".orch/orch.db").display().to_string()),
        ],
    };
    let programs = (env!("CARGO_BIN_EXE_inbox"), env!("CARGO_BIN_EXE_orch"));
    let facts = facts(ThreadId::parse(&thread).unwrap(), programs.0, programs.1);
    let brief = Template::standard().write(&facts).unwrap().text;
    let [progress, ask, look, done, fail, show] = commands(&brief)[..] else { panic!("{brief}") };

    let told = Worker::answer(worker.types(progress));
    assert_eq!(told["message"]["kind"], "progress");
    let asking = worker.types(ask);
    let asked = place.orch(&["wait", "--for", "question", "--timeout", "20s"]).ok();
    assert_eq!(asked["events"][0]["kind"], "question", "{asked}");
    place.orch(&["answer", "parser", "That one."]).ok();
    let answered = Worker::answer(asking);
    assert_eq!(answered["question"]["body"], "one question\n");
    assert_eq!(answered["answer"]["body"], "That one.");
    assert_eq!(Worker::answer(worker.types(look))["task"]["key"], "parser");
    assert_eq!(Worker::answer(worker.types(show))["messages"][0]["kind"], "work");
    let reported = Worker::answer(worker.types(done));
    assert_eq!(reported["thread"]["state"], "done");
    assert_eq!(place.orch(&["task", "show", "parser"]).ok()["task"]["state"], "done");
    // Once it is closed, the other report is refused and says why.
    let output = worker.types(fail).wait_with_output().unwrap();
    let refused: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(refused["error"]["code"], "lease_lost", "{refused}");
}
