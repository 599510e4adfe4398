//! `inbox suggest`, and `orch task add --from`.

use serde_json::{Value, json};

use crate::test_environment::TestEnvironment;

#[test]
fn a_worker_proposes_a_task_and_the_lead_takes_it() {
    let place = TestEnvironment::with_repository();
    place.begin_run("r", &["--no-worktrees"]);
    place.begin_run("other", &["--no-worktrees"]);
    place.orch(&["task", "add", "A", "--key", "a", "--run", "r"]).ok();
    place.orch(&["dispatch", "r/a", "--to", "w"]).ok();
    let work = place.claim_work("w", "w");
    let suggest = |words: &[&str]| {
        place.inbox(&[&["suggest"], words, &["--thread", &work.thread, "--token", &work.token]].concat())
    };
    let made = suggest(&["Port the old tests", "--spec", "They are in test/old.", "--after", "a"]).ok();
    let message = &made["message"];
    let payload = json!({ "title": "Port the old tests", "spec": "They are in test/old.", "after": ["a"] });
    assert_eq!(
        (&message["kind"], &message["to"], &message["payload"]),
        (&"suggestion".into(), &"lead".into(), &payload)
    );
    let id = message["id"].as_str().unwrap();

    let events = place.orch(&["events", "--run", "r"]).ok();
    let event =
        events["events"].as_array().unwrap().iter().find(|event| event["kind"] == "suggested").unwrap();
    assert_eq!(
        (&event["kind"], &event["task"], &event["needs_action"]),
        (&"suggested".into(), &"r/a".into(), &false.into())
    );
    assert_eq!(event["next"], json!([format!("orch task add --from {id}")]));
    assert_eq!(place.orch(&["task", "show", "r/a"]).ok()["task"]["state"], "running", "it is still claimed");

    // It is a task of the worker's run; what is given beside it replaces its fields.
    let taken = place.orch(&["task", "add", "--from", id, "--priority", "1"]).ok()["task"].clone();
    assert_eq!((&taken["title"], &taken["priority"]), (&"Port the old tests".into(), &1.into()));
    let name = taken["id"].as_str().unwrap();
    let shown = place.orch(&["task", "show", name]).ok();
    assert_eq!(
        (&shown["task"]["spec"], &shown["dependencies"][0]["on"]),
        (&"They are in test/old.".into(), &"r/a".into())
    );
    let other =
        place.orch(&["task", "add", "Mine", "--from", id, "--spec", "x", "--key", "mine"]).ok()["task"]
            .clone();
    assert_eq!((&other["title"], &other["id"]), (&"Mine".into(), &"r/mine".into()));
    assert_eq!(place.orch(&["task", "show", "r/mine"]).ok()["task"]["spec"], "x");
}

#[test]
fn suggestions_are_bounded_and_refused_where_they_are_none() {
    let place = TestEnvironment::new();
    let work_thread = place.send_work("w");
    let work = place.claim_work("w", "w");
    let suggest =
        |title: &str| place.inbox(&["suggest", title, "--thread", &work.thread, "--token", &work.token]);
    suggest(" ").fails("invalid_argument");
    for _ in 0..20 {
        suggest("again").ok();
    }
    let refused = suggest("one too many").fails("invalid_argument");
    assert_eq!(refused["details"], json!({ "argument": "suggestions", "entries_max": 20 }));
    place.inbox(&["suggest", "x", "--thread", &work.thread, "--token", "wrong"]).fails("lease_lost");
    let shown = place.inbox(&["show", &work_thread]).ok();
    let first: Value = shown["messages"][0]["id"].clone();
    place.orch(&["run", "init", "Goal", "--no-worktrees"]).ok();
    for message in [first.as_str().unwrap(), "m-999"] {
        let refused = place.orch(&["task", "add", "--from", message]).fails("invalid_argument");
        assert_eq!(refused["details"]["argument"], "--from", "{refused}");
    }
}

/// A supervised worker suggests through the relay.
#[test]
fn a_supervised_worker_suggests() {
    let place = TestEnvironment::with_scripts(&[]);
    let script = "inbox suggest 'Then this' --spec 'Do it.' --after a; echo made > made; git add .; git commit -qm made";
    place.add_script_task("a", script, &[]);
    place.write_profile("client", "");
    let printed = place.orch(&["drive", "r", "--profile", "client"]).run();
    assert_eq!(printed.exit, 0, "{printed:?}");
    let events = place.orch(&["events", "--limit", "1000"]).ok();
    let all = events["events"].as_array().unwrap();
    let suggested: Vec<&Value> = all.iter().filter(|event| event["kind"] == "suggested").collect();
    assert_eq!(suggested.len(), 1, "{events}");
    let words: Vec<&str> = suggested[0]["next"][0].as_str().unwrap().split(' ').collect();
    assert_eq!(words[0], "orch");
    assert_eq!(place.orch(&words[1..]).ok()["task"]["title"], "Then this");
}
