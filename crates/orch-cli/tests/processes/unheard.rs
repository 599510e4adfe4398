//! A command that is killed after its change and before its answer: nobody heard it, and repeating it tells.
//!
//! Its stdout is a pipe that is full, so it stands still in the very last step until it is killed.

use std::io::{ErrorKind, PipeReader, Write};

use orch_scheduler::request;
use orch_testkit::program::{Programs, Running, Said};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use serde_json::Value;

use crate::place::{Place, until};

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

fn was_applied(programs: &Programs, key: &str) -> bool {
    request::show(&mut programs.session(), key).is_ok()
}

/// Kills the command between its change and its answer, then repeats it. Returns `data`.
fn unheard(place: &Place, words: &[&str], key: &str) -> Value {
    let words = [words, &["--request-id", key]].concat();
    let (reader, stdout) = full_pipe();
    let mut command = place.programs.command(&words);
    command.stdout(stdout);
    let mut running = Running::start_with_stdout(command);
    until("its change is there", || was_applied(&place.programs, key));
    running.kill();
    let ended = running.end();
    assert!(ended.was_killed(), "{words:?} was to stand still before its answer: {ended}");
    drop(reader);

    let again = |()| match place.programs.run(&words).said() {
        Said::Ok { data, replayed: true } => data,
        other => panic!("{words:?}: {other:?}"),
    };
    let (first, second) = (again(()), again(()));
    assert_eq!(first, second, "{words:?}");
    first
}

#[test]
fn a_change_nobody_heard_of_is_told_when_it_is_repeated() {
    let place = Place::new();
    let lead = ["--as", "lead"];
    let lead = |words: &[&'static str]| [words, &lead].concat();
    let sent = unheard(&place, &lead(&["inbox", "send", "--to", "ana", "--subject", "s"]), "send");
    let thread = sent["thread"]["id"].as_str().unwrap().to_owned();
    let claimed = unheard(&place, &["inbox", "claim", "--for", "ana"], "claim");
    let token = claimed["lease"]["token"].as_str().expect("the token is given again").to_owned();
    let holding = |word: &str, more: &[&str], key: &str| {
        unheard(&place, &[&["inbox", word, &thread, "--token", &token], more].concat(), key)
    };
    holding("renew", &[], "renew");
    holding("progress", &["Half."], "progress");
    holding("ask", &["Which?"], "ask");
    unheard(&place, &["inbox", "reply", &thread, "This.", "--as", "lead"], "reply");
    holding("done", &["--result", "Done."], "done");
    let shown = place.programs.data(&["inbox", "show", &thread]);
    assert_eq!(shown["thread"]["state"], "done");
    let kinds: Vec<_> =
        shown["messages"].as_array().unwrap().iter().map(|message| &message["kind"]).collect();
    assert_eq!(kinds, ["work", "progress", "question", "answer", "result"], "each once");
}

#[test]
fn a_decision_nobody_heard_of_is_told_when_it_is_repeated() {
    let place = Place::new();
    unheard(&place, &["orch", "run", "init", "R", "--name", "r", "--retry-delay", "0s"], "run");
    unheard(&place, &["orch", "task", "add", "A", "--key", "a"], "a");
    let plan = place.path("plan.jsonl");
    std::fs::write(
        &plan,
        "{\"key\":\"b\",\"title\":\"B\"}\n{\"key\":\"c\",\"title\":\"C\",\"after\":[\"b\"]}\n",
    )
    .unwrap();
    let added = unheard(&place, &["orch", "task", "add", "--file", plan.to_str().unwrap()], "plan");
    assert_eq!(added["added"], 2);
    unheard(&place, &["orch", "dep", "add", "c", "a"], "dep");
    let sent = unheard(&place, &["orch", "dispatch", "a", "--to", "ana"], "dispatch");
    assert_eq!(sent["attempt"]["id"], "r/a@1");
    unheard(&place, &["orch", "tell", "a", "Hurry."], "tell");
    let (thread, token) = place.claim();
    let _ = place.programs.data(&["inbox", "ask", &thread, "Which?", "--token", &token]);
    unheard(&place, &["orch", "answer", "a", "This."], "answer");
    unheard(&place, &["orch", "recall", "a"], "recall");
    let all = unheard(&place, &["orch", "dispatch", "--all", "--to", "ana"], "all");
    assert_eq!(all["dispatched"].as_array().unwrap().len(), 2);
    unheard(&place, &["orch", "run", "pause"], "pause");
    unheard(&place, &["orch", "run", "resume"], "resume");
    let shown = place.programs.data(&["orch", "task", "show", "a"]);
    assert_eq!(
        shown["attempts"].as_array().unwrap().len(),
        2,
        "one before the recall and one after: {shown}"
    );
    assert_eq!(place.programs.data(&["orch", "task", "list"])["total"], 3);
}
