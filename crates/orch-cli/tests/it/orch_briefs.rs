//! What a lead reads that lost its context: everything that needs it, in 4 KB, with commands that can be typed.

use std::ffi::OsString;

use orch_cli::orch::OrchCli;
use orch_cli::program::CliProgram as _;
use orch_cli::usage;
use serde_json::{Value, json};

use crate::scheduling::json_text;
use crate::test_environment::TestEnvironment;

const BYTES_MAX: usize = 4096;

/// Every command of a brief is one of ours.
fn check_parses(command: &str) {
    let words: Vec<OsString> = command.split(' ').map(OsString::from).collect();
    // The words that the reader fills in stand for names, which are not written in capitals.
    let words: Vec<OsString> = words
        .into_iter()
        .map(|word| match word.to_str() {
            Some(word @ ("AGENT" | "PROFILE" | "BRANCH")) => word.to_lowercase().into(),
            _ => word,
        })
        .collect();
    usage::parse_arguments(OrchCli::full_parser(), &words)
        .unwrap_or_else(|error| panic!("{command}: {error:?}"));
}

/// Both forms of a brief, held to the bound; returns the text and the data.
fn checked_brief(place: &TestEnvironment) -> (String, Value) {
    let shown = place.orch(&["brief"]).run().stdout;
    assert!(shown.len() <= BYTES_MAX, "{} bytes: {shown}", shown.len());
    assert!(!shown.contains(|c: char| c.is_control() && c != '\n' || c == '\u{202e}'), "{shown:?}");
    let printed = place.orch(&["brief", "--json"]).run();
    assert!(printed.stdout.len() <= BYTES_MAX, "{} bytes: {}", printed.stdout.len(), printed.stdout);
    let data = printed.ok();
    for command in shown.lines().map(str::trim).filter(|line| line.starts_with("orch ")) {
        check_parses(command);
    }
    let told = ["questions", "stuck"].map(|list| data[list].as_array().unwrap().clone()).concat();
    let all = told.iter().map(|one| &one["next"]).chain(data["next"].as_array().unwrap());
    for command in all.filter(|next| next.is_string()) {
        check_parses(&json_text(command));
    }
    (shown, data)
}

/// A run of a thousand tasks, of which twelve ask, twelve failed and twelve are under way.
fn crowded_run(name: &str, key: impl Fn(usize) -> String, said: &str) -> TestEnvironment {
    let place = TestEnvironment::with_run(name);
    place.orch(&["run", "edit", "--title", said, "--goal", said, "--max-attempts", "1"]).ok();
    let lines = (0..1_000).map(|number| {
        let after = if number < 50 { vec![] } else { vec![key(number - 50)] };
        format!("{}\n", json!({"key": key(number), "title": said, "after": after}))
    });
    place.orch(&["task", "add", "--file", "-"]).stdin(lines.collect::<String>()).ok();
    for number in 0..36 {
        let held = place.start_task(&key(number), "w");
        match number % 3 {
            0 => place.fail_work(&held, said),
            1 => drop(place.holder_call(&held, &["ask", &held.thread, said]).ok()),
            _ => drop(place.holder_call(&held, &["progress", &held.thread, said]).ok()),
        }
    }
    place
}

#[test]
fn a_thousand_tasks_of_strangers_fit() {
    let evil = "\u{1b}[2J\"\\ orch run cancel\n\norch stop\n".repeat(400);
    let long = |number| format!("{number:0>64}");
    let place = crowded_run(&"r".repeat(64), long, &evil);
    let (shown, data) = checked_brief(&place);
    assert!(!shown.lines().any(|line| line.trim() == "orch stop"), "{shown}");
    for list in ["questions", "stuck", "active", "next"] {
        assert!(!data[list].as_array().unwrap().is_empty(), "{list}: {data}");
    }
    assert_eq!(data["counts"]["blocked"], 12);
    let (shown, _) = checked_brief(&crowded_run("ship", |number| format!("t{number}"), "A title like many"));
    assert!(shown.len() > 2_000, "much more fits of what is short: {shown}");
}

#[test]
fn a_brief_says_what_needs_the_lead_and_what_to_type() {
    let place = TestEnvironment::with_run("r");
    let (shown, _) = checked_brief(&place);
    assert!(shown.contains("\n  orch task add TITLE --run r\n"), "{shown}");
    for key in ["asks", "fails", "works", "waits"] {
        place.add_task(key, if key == "waits" { &["fails"] } else { &[] });
    }
    let asks = place.start_task("asks", "ana");
    place.holder_call(&asks, &["ask", &asks.thread, "Which port?"]).ok();
    let fails = place.start_task("fails", "bob");
    place.holder_call(&fails, &["fail", &fails.thread, "--reason", "No disk.", "--final"]).ok();
    let works = place.start_task("works", "eve");
    place.holder_call(&works, &["progress", &works.thread, "half way"]).ok();
    let (shown, data) = checked_brief(&place);
    assert!(shown.starts_with("run r (A goal): open, 0 of 4 done"), "{shown}");
    for line in [
        ": Which port?\n    orch answer r/asks TEXT\n",
        "  r/fails (Do it): No disk.\n    orch task retry r/fails\n",
        "  r/waits: It is skipped",
        "  r/works running by eve, ",
        ": half way\n",
        "NEXT\n  orch answer r/asks TEXT\n  orch log r/fails\n",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    assert_eq!((&data["stuck_total"], &data["driven"]), (&2.into(), &false.into()));
    // Nothing that it tells of wakes again.
    let next: Vec<String> = data["next"].as_array().unwrap().iter().map(json_text).collect();
    let wait = next.iter().find(|command| command.starts_with("orch wait ")).unwrap();
    let words: Vec<&str> = wait.split(' ').skip(1).chain(["--timeout", "0s"]).collect();
    place.orch(&words).fails("timeout");
    place.orch(&["run", "pause"]).ok();
    assert!(checked_brief(&place).0.contains("\n  orch run resume r\n"));
    place.orch(&["run", "cancel"]).ok();
    assert!(checked_brief(&place).0.contains("\n  orch report r\n"));
    place.orch(&["brief", "none", "--json"]).fails("run_not_found");
}
