//! The commands that a worker is told to type: the parsers know them, and a shell runs them as they stand.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use orch_cli::inbox::InboxCli;
use orch_cli::orch::OrchCli;
use orch_cli::program::CliProgram as _;
use orch_cli::usage;
use orch_core::id::{AttemptName, Slug, TaskName, ThreadId};
use orch_testkit::crates::orch_profile::brief::{
    BriefFacts, BriefTemplate, PriorAttempt, QuestionWithAnswer, ResumeCause, ResumeFacts,
};
use serde_json::Value;

use crate::test_environment::TestEnvironment;

fn attempt_name(number: u32) -> AttemptName {
    let slug = |text| Slug::new(text).unwrap();
    AttemptName { task: TaskName { run: slug("ship"), key: slug("parser") }, number }
}

/// A brief in which every command stands.
fn brief_facts(thread: ThreadId, inbox: &str, orch: &str) -> BriefFacts {
    let output = "line\n".repeat(2_000);
    BriefFacts {
        attempt: attempt_name(1),
        thread,
        title: "Write the parser".to_owned(),
        spec: Some("All of it.".to_owned()),
        spec_bytes_max: usize::MAX,
        accept: Vec::new(),
        verify: Vec::new(),
        worktree: None,
        folder: None,
        inbox: PathBuf::from(inbox),
        orch: PathBuf::from(orch),
        resumable: true,
        answers: Vec::new(),
        earlier: vec![PriorAttempt {
            attempt: attempt_name(1).to_string(),
            outcome: "failed".to_owned(),
            reason: None,
            log_tail: Some(output),
            branch: None,
        }],
    }
}

/// The commands of a brief: what stands between fences.
fn brief_commands(brief: &str) -> Vec<&str> {
    brief.split("```\n").skip(1).step_by(2).collect()
}

/// What the parser calls the command that a block begins with.
fn parsed_command(block: &str) -> String {
    let line = block.lines().next().unwrap();
    let line = line.strip_suffix(" <<'EOF'").unwrap_or(line);
    let (program, arguments) = line.split_once(' ').unwrap();
    let name = Path::new(program).file_name().unwrap();
    let words: Vec<OsString> =
        std::iter::once(name.to_owned()).chain(arguments.split(' ').map(OsString::from)).collect();
    let parser = if name == "orch" { OrchCli::full_parser() } else { InboxCli::full_parser() };
    let (_, command) =
        usage::parse_arguments(parser, &words).unwrap_or_else(|error| panic!("{line}: {error:?}"));
    command
}

#[test]
fn every_command_of_a_brief_parses() {
    let template = BriefTemplate::built_in();
    let brief = template.render_brief(&brief_facts(ThreadId(3), "/opt/inbox", "/opt/orch")).unwrap().text;
    let named: Vec<String> = brief_commands(&brief).into_iter().map(parsed_command).collect();
    assert_eq!(
        named,
        ["inbox progress", "inbox ask", "orch task show", "inbox done", "inbox fail", "inbox show"]
    );
    let resumed = ResumeFacts {
        attempt: attempt_name(1),
        thread: ThreadId(3),
        inbox: PathBuf::from("/opt/inbox"),
        cause: ResumeCause::Answered(QuestionWithAnswer {
            question: "Which?".to_owned(),
            answer: "That.".to_owned(),
            from: "lead".to_owned(),
        }),
    };
    let brief = template.render_resume_brief(&resumed).unwrap();
    let named: Vec<String> = brief_commands(&brief).into_iter().map(parsed_command).collect();
    assert_eq!(named, ["inbox done", "inbox fail"]);
    // With an option that the brief speaks of.
    assert_eq!(parsed_command("/opt/inbox fail th-3 --reason - --final <<'EOF'\n"), "inbox fail");
}

/// A worker in a folder of its own, with nothing but the variables that it was started with.
struct BriefedWorker {
    folder: tempfile::TempDir,
    variables: Vec<(&'static str, String)>,
}

impl BriefedWorker {
    fn run_block(&self, block: &str) -> Child {
        let mut shell = Command::new("sh");
        shell.args(["-c", block]).current_dir(self.folder.path()).env_clear();
        shell.envs(self.variables.iter().map(|(name, value)| (name, value)));
        shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn wait_data(child: Child) -> Value {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice::<Value>(&output.stdout).unwrap()["data"].clone()
    }
}

#[test]
fn a_shell_runs_the_commands_as_they_stand() {
    let place = TestEnvironment::without_store();
    place.orch(&["run", "init", "Ship", "--name", "ship"]).ok();
    place.orch(&["task", "add", "Write the parser", "--key", "parser", "--spec", "All of it."]).ok();
    place.orch(&["dispatch", "parser", "--to", "w1"]).ok();
    let claimed = place.inbox(&["claim", "--as", "w1"]).ok();
    let thread = claimed["thread"]["id"].as_str().unwrap().to_owned();
    let worker = BriefedWorker {
        folder: tempfile::tempdir().unwrap(),
        variables: vec![
            ("INBOX_AGENT", "w1".to_owned()),
            ("INBOX_THREAD", thread.clone()),
            ("INBOX_LEASE", claimed["lease"]["token"].as_str().unwrap().to_owned()),
            ("ORCH_STORE", place.path().join(".orch/orch.db").display().to_string()),
        ],
    };
    let programs = (env!("CARGO_BIN_EXE_inbox"), env!("CARGO_BIN_EXE_orch"));
    let facts = brief_facts(ThreadId::parse(&thread).unwrap(), programs.0, programs.1);
    let brief = BriefTemplate::built_in().render_brief(&facts).unwrap().text;
    let [progress, ask, look, done, fail, show] = brief_commands(&brief)[..] else { panic!("{brief}") };

    let told = BriefedWorker::wait_data(worker.run_block(progress));
    assert_eq!(told["message"]["kind"], "progress");
    let asking = worker.run_block(ask);
    let asked = place.orch(&["wait", "--for", "question", "--timeout", "20s"]).ok();
    assert_eq!(asked["events"][0]["kind"], "question", "{asked}");
    place.orch(&["answer", "parser", "That one."]).ok();
    let answered = BriefedWorker::wait_data(asking);
    assert_eq!(answered["question"]["body"], "one question\n");
    assert_eq!(answered["answer"]["body"], "That one.");
    assert_eq!(BriefedWorker::wait_data(worker.run_block(look))["task"]["key"], "parser");
    assert_eq!(BriefedWorker::wait_data(worker.run_block(show))["messages"][0]["kind"], "work");
    let reported = BriefedWorker::wait_data(worker.run_block(done));
    assert_eq!(reported["thread"]["state"], "done");
    assert_eq!(place.orch(&["task", "show", "parser"]).ok()["task"]["state"], "done");
    // Once it is closed, the other report is refused and says why.
    let output = worker.run_block(fail).wait_with_output().unwrap();
    let refused: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(refused["error"]["code"], "lease_lost", "{refused}");
}
