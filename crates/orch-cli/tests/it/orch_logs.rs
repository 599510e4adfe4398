//! What workers printed, who they are, and when they worked.

use std::io::{BufRead as _, BufReader, Write as _};

use serde_json::Value;

use crate::inbox_terminal::run_on_terminal;
use crate::scheduling::json_text;
use crate::test_environment::TestEnvironment;

/// A run with one task, which a shell script worked on.
fn run_with_log(script: &str) -> TestEnvironment {
    let place = TestEnvironment::with_run("r");
    place.add_task("a", &[]);
    place.dispatch_task("a", "w");
    // What it passes through need not be text.
    let seen = std::fs::File::create(place.path().join("seen")).unwrap();
    place.inbox(&["run", "--for", "w", "--", "/bin/sh", "-c", script]).with_stdout(seen).run();
    place
}

#[test]
fn a_log_is_printed_as_it_is_and_its_end_alone() {
    let place = run_with_log(
        "i=0; while [ $i -lt 300 ]; do echo line $i; i=$((i+1)); done; printf '\\033[31m\\377'; exit 3",
    );
    let printed = place.orch(&["log", "a", "--limit", "2", "--attempt", "1"]).raw_output();
    assert_eq!(printed.0, b"line 299\n\x1b[31m\xff");
    assert!(printed.1.contains("bytes come before this: orch log r/a@1 --all"), "{}", printed.1);
    let (all, said) = place.orch(&["log", "r/a@1", "--all"]).raw_output();
    assert!(all.starts_with(b"line 0\n") && all.ends_with(b"\xff") && said.is_empty(), "{said}");
    let by_default = place.orch(&["log", "a"]).raw_output().0;
    assert_eq!(by_default.iter().filter(|byte| **byte == b'\n').count(), 99);
    let data = place.orch(&["log", "a", "--limit", "2", "--json"]).ok();
    assert_eq!(data["document"], "line 299\n\u{1b}[31m\u{fffd}");
    assert_eq!((&data["attempt"], &data["ended"]), (&"r/a@1".into(), &true.into()), "{data}");
    assert!(data["skipped_bytes"].as_u64().unwrap() > 2_000, "{data}");
    // Followed, it ends at once: its worker has ended.
    let followed = place.orch(&["log", "a", "--limit", "1", "--follow", "--json"]).ok();
    assert_eq!((&followed["document"], &followed["ended"]), (&"\u{1b}[31m\u{fffd}".into(), &true.into()));
    let seen = run_on_terminal(place.orch(&["log", "a", "--limit", "2"]).env("TERM", "xterm"), 80);
    assert!(seen.contains("line 299\n␛[31m") && !seen.contains("\u{1b}[31m"), "{seen:?}");
}

#[test]
fn what_has_no_log_says_so() {
    let place = TestEnvironment::with_run("r");
    place.add_task("a", &[]);
    let none = place.orch(&["log", "a", "--json"]).fails("attempt_not_found");
    assert_eq!(none["message"], "There was no attempt at a yet.");
    place.dispatch_task("a", "w");
    place.orch(&["log", "a", "--attempt", "2", "--json"]).fails("attempt_not_found");
    place.orch(&["log", "a@1", "--attempt", "2", "--json"]).fails("invalid_argument");
    place.orch(&["log", "b", "--json"]).fails("task_not_found");
    let quiet = place.orch(&["log", "a", "--json"]).run().ok_document();
    assert_eq!((&quiet["data"]["document"], &quiet["data"]["log"]), (&"".into(), &Value::Null));
    assert!(json_text(&quiet["warnings"][0]).contains("was not started by"), "{quiet}");
}

#[test]
fn a_log_is_followed_from_before_its_worker_to_its_end() {
    let place = TestEnvironment::with_run("r");
    place.add_task("a", &[]);
    place.dispatch_task("a", "w");
    let mut follower = place.orch(&["log", "a", "--follow"]).start();
    let mut lines = BufReader::new(follower.child.stdout.take().unwrap()).lines();
    // The worker goes on when what it printed was seen.
    let gate = place.path().join("gate");
    rustix::fs::mknodat(rustix::fs::CWD, &gate, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let script = format!("echo first; read go < {}; echo second; exit 1", gate.display());
    let worker = place.inbox(&["run", "--for", "w", "--", "/bin/sh", "-c", &script]).start();
    assert_eq!(lines.next().unwrap().unwrap(), "first");
    std::fs::OpenOptions::new().write(true).open(&gate).unwrap().write_all(b"go\n").unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "second");
    assert!(lines.next().is_none());
    assert_eq!(follower.wait_output().exit, 0);
    worker.wait_output();
}

#[test]
fn agents_are_listed_with_their_work() {
    let place = TestEnvironment::with_run("r");
    for key in ["a", "b", "c"] {
        place.add_task(key, &[]);
    }
    place.start_task("a", "ana");
    place.dispatch_task("b", "ana");
    place.complete_task("c", "bob");
    let listed = place.orch(&["agents"]).ok();
    let agents = listed["agents"].as_array().unwrap();
    let names: Vec<String> = agents.iter().map(|agent| json_text(&agent["name"])).collect();
    assert_eq!(names, ["ana", "bob", "lead"]);
    assert_eq!(agents[0]["attempts"], serde_json::json!(["r/a@1", "r/b@1"]));
    assert_eq!((&agents[0]["claimed"], &agents[0]["queued"]), (&1.into(), &1.into()));
    assert_eq!((&agents[1]["attempts_total"], &agents[1]["profile"]), (&0.into(), &Value::Null));
    let first = place.orch(&["agents", "--limit", "1"]).ok();
    assert_eq!((&first["total"], &first["next"]), (&3.into(), &"ana".into()));
    let page = place.orch(&["agents"]).text();
    assert!(page.lines().nth(1).unwrap().ends_with("r/a@1, r/b@1"), "{page}");
    place.orch(&["agents", "--run", "none"]).fails("run_not_found");
}

#[test]
fn a_timeline_goes_on_in_parts_and_fits_the_terminal() {
    let place = TestEnvironment::with_run("r");
    assert_eq!(place.orch(&["timeline"]).text(), "No attempts in r yet.\n");
    place.add_task("a", &[]);
    place.add_task("a-second-task-with-a-name-that-leaves-no-room-for-anything-else", &[]);
    let held = place.start_task("a", "ana");
    place.fail_work(&held, "no");
    place.complete_task("a", "ana");
    place.start_task("a-second-task-with-a-name-that-leaves-no-room-for-anything-else", "bob");
    let whole = place.orch(&["timeline"]).ok();
    let bars = whole["attempts"].as_array().unwrap();
    let told: Vec<(String, String)> =
        bars.iter().map(|bar| (json_text(&bar["attempt"]), json_text(&bar["state"]))).collect();
    assert_eq!(told[..2], [("r/a@1".into(), "failed".into()), ("r/a@2".into(), "accepted".into())]);
    assert_eq!((bars.len(), &whole["total"], &bars[2]["ended_at"]), (3, &3.into(), &Value::Null));
    assert!(bars[0]["ended_at"].is_string() && bars[0]["duration_ms"].as_i64().unwrap() >= 0);
    let mut after: Option<String> = None;
    let mut seen = Vec::new();
    loop {
        let mut words = vec!["timeline", "r", "--limit", "1"];
        if let Some(after) = &after {
            words.extend(["--after", after]);
        }
        let part = place.orch(&words).ok();
        seen.push(json_text(&part["attempts"][0]["attempt"]));
        let Some(next) = part["next"].as_str() else { break };
        after = Some(next.to_owned());
    }
    assert_eq!(seen, told.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>());
    for bad in ["a", "x@1", "a@x"] {
        place.orch(&["timeline", "--after", bad]).fails("invalid_argument");
    }
    for width in [80, 200] {
        let shown = run_on_terminal(place.orch(&["timeline"]).env("NO_COLOR", "1"), width);
        assert!(shown.lines().all(|line| line.chars().count() <= usize::from(width)), "{shown}");
        assert!(shown.contains('█') && shown.contains('×') && shown.contains('▓'), "{shown}");
    }
}
