//! A command that is killed after its change and before its answer: nobody heard it, and repeating it tells.
//!
//! Its stdout is a pipe that is full, so it stands still in the very last step until it is killed.

use std::io::{ErrorKind, PipeReader, Write};

use orch_testkit::crates::orch_scheduler::request;
use orch_testkit::program::{ProgramReply, RunningProcess, TestPrograms};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use serde_json::Value;

use crate::fixture::{ProcessFixture, wait_until};

/// A pipe that takes nothing more as long as nobody reads.
fn full_pipe() -> (PipeReader, std::process::Stdio) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let flags = fcntl_getfl(&writer).unwrap();
    fcntl_setfl(&writer, flags | OFlags::NONBLOCK).unwrap();
    // By bytes at the end: a page that has room for one more byte would let a part of the answer in.
    for size in [4096, 1] {
        let error = loop {
            if let Err(error) = writer.write(&[b'x'; 4096][..size]) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    }
    fcntl_setfl(&writer, flags).unwrap();
    (reader, writer.into())
}

fn was_applied(programs: &TestPrograms, key: &str) -> bool {
    request::show_request(&mut programs.open_session(), key).is_ok()
}

/// Kills the command between its change and its answer, then repeats it. Returns `data`.
fn kill_before_reply(place: &ProcessFixture, words: &[&str], key: &str) -> Value {
    let words = [words, &["--request-id", key]].concat();
    let (reader, stdout) = full_pipe();
    let mut command = place.programs.program_command(&words);
    command.stdout(stdout);
    let mut running = RunningProcess::start_with_stdout(command);
    wait_until("its change is there", || was_applied(&place.programs, key));
    running.kill();
    let ended = running.wait_output();
    assert!(ended.was_killed(), "{words:?} was to stand still before its answer: {ended}");
    drop(reader);

    let again = |()| match place.programs.run_command(&words).program_reply() {
        ProgramReply::Ok { data, replayed: true } => data,
        other => panic!("{words:?}: {other:?}"),
    };
    let (first, second) = (again(()), again(()));
    assert_eq!(first, second, "{words:?}");
    first
}

#[test]
fn a_change_nobody_heard_of_is_told_when_it_is_repeated() {
    let place = ProcessFixture::new();
    let lead = ["--as", "lead"];
    let lead = |words: &[&'static str]| [words, &lead].concat();
    let sent = kill_before_reply(&place, &lead(&["inbox", "send", "--to", "ana", "--subject", "s"]), "send");
    let thread = sent["thread"]["id"].as_str().unwrap().to_owned();
    let claimed = kill_before_reply(&place, &["inbox", "claim", "--for", "ana"], "claim");
    let token = claimed["lease"]["token"].as_str().expect("the token is given again").to_owned();
    let holding = |word: &str, more: &[&str], key: &str| {
        kill_before_reply(&place, &[&["inbox", word, &thread, "--token", &token], more].concat(), key)
    };
    holding("renew", &[], "renew");
    holding("progress", &["Half."], "progress");
    holding("ask", &["Which?"], "ask");
    kill_before_reply(&place, &["inbox", "reply", &thread, "This.", "--as", "lead"], "reply");
    holding("done", &["--result", "Done."], "done");
    let shown = place.programs.run_for_data(&["inbox", "show", &thread]);
    assert_eq!(shown["thread"]["state"], "done");
    let kinds: Vec<_> =
        shown["messages"].as_array().unwrap().iter().map(|message| &message["kind"]).collect();
    assert_eq!(kinds, ["work", "progress", "question", "answer", "result"], "each once");
}

#[test]
fn a_decision_nobody_heard_of_is_told_when_it_is_repeated() {
    let place = ProcessFixture::new();
    kill_before_reply(&place, &["orch", "run", "init", "R", "--name", "r", "--retry-delay", "0s"], "run");
    kill_before_reply(&place, &["orch", "task", "add", "A", "--key", "a"], "a");
    let plan = place.file_path("plan.jsonl");
    std::fs::write(
        &plan,
        "{\"key\":\"b\",\"title\":\"B\"}\n{\"key\":\"c\",\"title\":\"C\",\"after\":[\"b\"]}\n",
    )
    .unwrap();
    let added = kill_before_reply(&place, &["orch", "task", "add", "--file", plan.to_str().unwrap()], "plan");
    assert_eq!(added["added"], 2);
    kill_before_reply(&place, &["orch", "dep", "add", "c", "a"], "dep");
    let sent = kill_before_reply(&place, &["orch", "dispatch", "a", "--to", "ana"], "dispatch");
    assert_eq!(sent["attempt"]["id"], "r/a@1");
    kill_before_reply(&place, &["orch", "tell", "a", "Hurry."], "tell");
    let (thread, token) = place.claim_work();
    let _ = place.programs.run_for_data(&["inbox", "ask", &thread, "Which?", "--token", &token]);
    kill_before_reply(&place, &["orch", "answer", "a", "This."], "answer");
    kill_before_reply(&place, &["orch", "recall", "a"], "recall");
    let all = kill_before_reply(&place, &["orch", "dispatch", "--all", "--to", "ana"], "all");
    assert_eq!(all["dispatched"].as_array().unwrap().len(), 2);
    kill_before_reply(&place, &["orch", "run", "pause"], "pause");
    kill_before_reply(&place, &["orch", "run", "resume"], "resume");
    let shown = place.programs.run_for_data(&["orch", "task", "show", "a"]);
    assert_eq!(
        shown["attempts"].as_array().unwrap().len(),
        2,
        "one before the recall and one after: {shown}"
    );
    assert_eq!(place.programs.run_for_data(&["orch", "task", "list"])["total"], 3);
}
