//! Profiles whose providers refuse their workers: one cooldown, told to the lead, and other profiles that take over.

use serde_json::{Value, json};

use crate::supervised::fixture::{RunningDrive, wait_until};
use crate::test_environment::TestEnvironment;

/// A profile whose provider refuses every worker, by exit status 75.
fn write_refused(place: &TestEnvironment, name: &str, cause: &str, says: &str) {
    let folder = place.repository_path().join(".git/orch/profiles");
    std::fs::create_dir_all(&folder).unwrap();
    let text = format!(
        "name = \"{name}\"\ncommand = [\"sh\", \"-c\", \"echo '{says}'; exit 75\"]\nbrief = \"stdin\"\n[exit]\n75 = \"{cause}\"\n"
    );
    std::fs::write(folder.join(format!("{name}.toml")), text).unwrap();
}

fn events_of_kind(place: &TestEnvironment, kind: &str) -> Vec<Value> {
    let events = place.orch(&["events", "--limit", "1000"]).ok()["events"].clone();
    events.as_array().unwrap().iter().filter(|event| event["kind"] == kind).cloned().collect()
}

/// The workers that met the refusal together made one episode; every question of the lead names it.
#[test]
fn workers_that_are_refused_together_are_one_episode_that_the_lead_is_told() {
    let place = TestEnvironment::with_scripts(&[]);
    write_refused(&place, "fake", "quota", "429, retry after 2 hours");
    for number in 1..=6 {
        place.add_script_task(&format!("t{number}"), ":", &[]);
    }
    let drive = RunningDrive::start(place.orch(&["drive", "r", "--profile", "fake=6"]));
    let waiting = || place.orch(&["status"]).ok()["stuck"].as_array().unwrap().len();
    wait_until("all wait for the profile", || waiting() == 6);
    let told = events_of_kind(&place, "rate_limited");
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["data"]["profile"], "fake");
    assert_eq!(
        (&told[0]["data"]["cause"], &told[0]["data"]["told_by_provider"]),
        (&json!("quota"), &json!(true))
    );
    assert_eq!(told[0]["needs_action"], false);
    assert_eq!(told[0]["next"], json!(["orch profile show fake", "orch profile resume fake"]));
    let until = told[0]["data"]["until"].as_str().unwrap().to_owned();
    assert!(until.ends_with('Z'), "{until}");

    let waited = place.orch(&["wait", "--for", "rate_limited"]).ok();
    assert_eq!(waited["events"].as_array().unwrap().len(), 1, "{waited}");
    let by_default = place.orch(&["wait"]).ok();
    assert_eq!(by_default["events"][0]["kind"], "rate_limited", "{by_default}");
    let code = |answer: &Value| answer["reasons"][0]["code"].clone();
    assert_eq!(code(&place.orch(&["why", "t1"]).ok()), "profile_unavailable");
    for command in ["status", "blocked"] {
        let answer = place.orch(&[command]).ok();
        let stuck = answer["stuck"].as_array().unwrap();
        assert_eq!((stuck.len(), code(&stuck[0])), (6, json!("profile_unavailable")), "{answer}");
    }
    let brief = place.orch(&["brief", "--json"]).ok().to_string();
    assert!(brief.contains("No worker of fake is started until"), "{brief}");

    let shown = place.orch(&["profile", "show", "fake"]).ok()["profiles"][0].clone();
    assert_eq!(shown["cooldown"]["cause"], "quota");
    // The provider told how long, and later attempts of the episode told it a moment later.
    let (first, last) = (&until[..16], shown["cooldown"]["until"].as_str().unwrap());
    assert!(last >= first, "{first} {last}");
    assert_eq!((&shown["command_found"], &shown["resumable"]), (&json!(true), &json!(false)));
    // No attempt counted, and each is still the first one.
    let attempts = place.orch(&["task", "show", "t1"]).ok()["attempts"].clone();
    assert_eq!(attempts.as_array().unwrap().len(), 1);
    assert_eq!(attempts[0]["state"], "dispatched");

    // The fault is repaired, and the lead says so.
    place.write_profile("fake", "report = \"tool\"");
    let resumed = place.orch(&["profile", "resume", "fake"]).ok();
    assert_eq!(resumed["profiles"][0]["cooldown"], Value::Null);
    assert_eq!(events_of_kind(&place, "available").len(), 1);
    wait_until("they work", || place.orch(&["why", "t1"]).ok()["state"] != "dispatched");
    drive.kill();
    place.check_sound();
}

/// Nothing of a profile that only a person can repair; its attempts go to one that works.
#[test]
fn a_free_profile_takes_over_unclaimed_attempts() {
    let place = TestEnvironment::with_scripts(&[]);
    write_refused(&place, "bad", "access", "401");
    place.write_profile("good", "report = \"tool\"");
    for number in 1..=4 {
        let script = format!("echo {number} > t{number}.txt; git add .; git commit -qm t");
        place.add_script_task(&format!("t{number}"), &script, &[]);
    }
    place.add_script_task("named", ":", &["--agent", "bad"]);
    let drive = RunningDrive::start(place.orch(&["drive", "r", "--profile", "bad=2", "--profile", "good=1"]));
    wait_until("the good profile has done them", || {
        (1..=4).all(|number| place.task_state(&format!("t{number}")) == "done")
    });
    for number in 1..=4 {
        let states = place.attempt_states(&format!("t{number}"));
        assert_eq!(states, ["accepted"], "it moves as it is, and none counts");
    }
    let named = place.orch(&["why", "named"]).ok();
    assert_eq!(
        named["reasons"][0]["code"], "profile_unavailable",
        "it waits for the profile that it names: {named}"
    );
    let told = events_of_kind(&place, "rate_limited");
    assert!(told.iter().all(|event| event["needs_action"] == true), "a person has to sign in: {told:?}");
    drive.kill();
    place.check_sound();
}

/// Workers that succeed quickly are no failures of their profile, with a report or without.
#[test]
fn quick_successes_are_no_failures() {
    let place = TestEnvironment::with_scripts(&[]);
    place.write_profile("mute", "");
    for number in 1..=7 {
        let script = format!("echo {number} > t{number}.txt; git add .; git commit -qm t");
        place.add_script_task(&format!("t{number}"), &script, &[]);
    }
    let printed = place.orch(&["drive", "r", "--profile", "mute=1"]).run();
    assert_eq!(printed.exit, 0, "{printed:?}");
    assert_eq!(events_of_kind(&place, "rate_limited"), Vec::<Value>::new());
}

/// Two profiles share the tasks, and the second does not wait until the first is full.
#[test]
fn profiles_share_by_free_slots_in_turn() {
    let place = TestEnvironment::with_scripts(&[]);
    for name in ["one", "two"] {
        place.write_profile(name, "report = \"tool\"");
    }
    for number in 1..=4 {
        let after = format!("t{}", number - 1);
        let more: &[&str] = if number > 1 { &["--after", &after] } else { &[] };
        let script = format!("echo {number} > t{number}.txt; git add .; git commit -qm t");
        place.add_script_task(&format!("t{number}"), &script, more);
    }
    let printed = place.orch(&["drive", "r", "--profile", "one=2", "--profile", "two=2"]).run();
    assert_eq!(printed.exit, 0, "{printed:?}");
    let agents: Vec<Value> =
        (1..=4).map(|number| place.last_attempt(&format!("t{number}"))["agent"].clone()).collect();
    // A worker that is still ending takes a slot, so that the second two may be in the other order.
    assert_eq!(agents[..2], ["one", "two"]);
    assert_ne!(agents[2], agents[3], "{agents:?}");
}

#[test]
fn profiles_are_listed_and_unknown_ones_refused() {
    let place = TestEnvironment::with_scripts(&[]);
    place.write_profile("mine", "report = \"tool\"");
    let listed = place.orch(&["profile", "list"]).ok()["profiles"].clone();
    let names: Vec<&str> =
        listed.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert!(
        ["codex", "claude", "shell", "gemini", "opencode", "qwen", "pi", "cline", "aider", "mine"]
            .iter()
            .all(|name| names.contains(name)),
        "{names:?}"
    );
    let shell = listed.as_array().unwrap().iter().find(|one| one["name"] == "shell").unwrap();
    assert_eq!((&shell["source"], &shell["command_found"]), (&json!("built-in"), &json!(true)));
    assert_eq!((&shell["cooldown"], &shell["workers"]), (&Value::Null, &json!(0)));
    for verb in ["show", "resume"] {
        let refused = place.orch(&["profile", verb, "unknown"]).run();
        assert_eq!(refused.exit, 3, "{refused:?}");
        assert!(refused.stdout.contains("profile_not_found"), "{refused:?}");
    }
    assert_eq!(place.orch(&["profile", "resume", "mine"]).ok()["profiles"][0]["name"], "mine");
}
