//! What somebody does first: the demo, and the tour of the README pasted into a shell.

use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use crate::supervised::fixture::{RunningDrive, send_signal};
use crate::test_environment::{CliInvocation, TestEnvironment};

/// The demo in a folder of this name, as somebody has it who has never configured git.
fn run_demo(place: &TestEnvironment, folder: &Path) -> CliInvocation {
    let folder = folder.display().to_string();
    place.orch(&["demo", &folder]).env("PATH", PATH)
}

/// Where programs are found.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A call from within the demo's repository, by the program that the demo has placed beside it.
fn run_in_demo(repository: &Path, line: &str) -> Value {
    let output =
        Command::new("sh").args(["-c", line]).current_dir(repository).env_clear().env("PATH", PATH).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn list_field<'a>(value: &'a Value, field: &str) -> Vec<&'a str> {
    value.as_array().unwrap().iter().filter_map(|one| one[field].as_str()).collect()
}

#[test]
fn the_demo_does_its_job() {
    let place = TestEnvironment::without_store();
    let printed = run_demo(&place, &place.path().join("demo")).run();
    assert_eq!(printed.exit, 0, "{printed:?}");
    let mut lines = printed.documents();
    let end = lines.pop().unwrap()["data"].clone();
    assert_eq!(end["status"]["run"]["outcome"], "succeeded");
    assert_eq!(end["status"]["counts"]["done"], 9);

    let events: Vec<Value> = lines.iter().map(|line| line["data"]["event"].clone()).collect();
    assert!(events.iter().all(Value::is_object), "an event per line: {printed:?}");
    let of = |kind: &str| -> Vec<&Value> { events.iter().filter(|event| event["kind"] == kind).collect() };
    assert_eq!((of("question").len(), of("answered").len()), (1, 1), "one question, answered");
    assert_eq!(of("failed").len(), 1, "one attempt fails");
    let (conflicts, rejected): (Vec<&Value>, Vec<&Value>) = of("rejected")
        .into_iter()
        .partition(|event| event["data"]["reason"].as_str().unwrap().contains("Merge conflict in facts.md"));
    assert_eq!((conflicts.len(), rejected.len()), (1, 1), "one conflict, and one rejected by its checks");
    let told = list_field(&end["happened"], "kind");
    assert_eq!(told.len(), 5, "what did not go straight is told again: {told:?}");

    let repository = place.path().join("demo/handbook");
    let states = |key: &str| -> Vec<String> {
        let shown = run_in_demo(&repository, &format!("../bin/orch task show {key}"));
        list_field(&shown["data"]["attempts"], "state").into_iter().map(str::to_owned).collect()
    };
    for (key, expected) in [
        ("commands", ["accepted", "rejected"]),
        ("options", ["accepted", "rejected"]),
        ("examples", ["accepted", "failed"]),
    ] {
        assert_eq!(states(key), expected, "{key}");
    }
    assert_eq!(run_in_demo(&repository, "../bin/orch doctor")["data"]["verdict"], "ok");
    assert_eq!(place.remaining_processes(), Vec::<String>::new(), "no process is left");
}

#[test]
fn what_the_demo_lands_is_whole() {
    let place = TestEnvironment::without_store();
    let printed = run_demo(&place, &place.path().join("demo")).run();
    let end = printed.documents().pop().unwrap()["data"].clone();
    let repository = place.path().join("demo/handbook");
    let git = |arguments: &[&str]| -> String {
        let mut command = Command::new("git");
        command.current_dir(&repository).env_clear().env("PATH", PATH).args(arguments);
        String::from_utf8(command.output().unwrap().stdout).unwrap().trim().to_owned()
    };
    assert_eq!(git(&["rev-parse", "main"]), end["land"]["commit"].as_str().unwrap());
    assert_eq!(git(&["status", "--porcelain", "--branch"]), "## main", "its files moved along");
    let green =
        Command::new("sh").arg("check.sh").current_dir(&repository).env("PATH", PATH).output().unwrap();
    assert!(green.status.success(), "{green:?}");

    let handbook = std::fs::read_to_string(end["handbook"].as_str().unwrap()).unwrap();
    for expected in [
        "- Contents",
        "- `inbox-claim`: ",
        "- `orch-dispatch`: ",
        "- `--json`: ",
        "- The longest page is ",
        "- The option that most pages take, ",
    ] {
        let heads = expected == "- Contents" && handbook.contains("- Commands\n");
        assert!(heads || handbook.contains(expected), "{expected} is missing in:\n{handbook}");
    }
    let without = handbook.split("## Pages without an example").nth(1).unwrap().trim();
    assert_eq!(without, "None.", "every help page has an example");
}

#[test]
fn the_demo_minds_nobody_elses_settings() {
    let place = TestEnvironment::without_store();
    let (home, around) = (place.path().join("home"), place.path().join("around"));
    let hooks = home.join("hooks");
    std::fs::create_dir_all(&hooks).unwrap();
    let hook = place.write_file("home/hooks/pre-commit", "#!/bin/sh\nexit 1\n");
    std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    place.write_file("home/ignored", "*.txt\n*.md\n");
    let settings = format!(
        "[core]\nhooksPath = {hooks}\nexcludesFile = {home}/ignored\n[commit]\ngpgSign = true\n\
         [gpg]\nprogram = false\n[init]\ndefaultBranch = trunk\n[user]\nuseConfigOnly = true\n",
        hooks = hooks.display(),
        home = home.display(),
    );
    place.write_file("home/.gitconfig", settings);
    let made = Command::new("git").args(["init", "--quiet"]).arg(&around).env("PATH", PATH).status();
    assert!(made.unwrap().success());
    let folder = around.join("an empty one");
    std::fs::create_dir(&folder).unwrap();

    let other = place.path().join("other.db");
    let other = other.to_str().unwrap();
    place.orch(&["init", "--store", other]).ok();
    let called =
        place.orch(&["demo"]).in_folder(&folder).env("PATH", PATH).env("HOME", home.to_str().unwrap());
    let called = called.env("ORCH_STORE", other).env("ORCH_RUN", "mine").env("INBOX_THREAD", "th-7");
    let printed = called.env("GIT_DIR", "/nowhere").run();
    assert_eq!(printed.exit, 0, "{printed:?}");
    let end = printed.documents().pop().unwrap()["data"].clone();
    assert_eq!(end["status"]["counts"]["done"], 9);

    // What is to be typed next works from where the user is, and finds the demo's store and not the other one.
    let next = text_lists(&end["next"]);
    let script = next.join("\n");
    let mut shell = Command::new("bash");
    shell.args(["-euc", &script]).current_dir(&folder).env_clear().env("PATH", PATH).env("ORCH_STORE", other);
    let output = shell.output().unwrap();
    assert!(output.status.success(), "{script}\n{output:?}");
    assert!(!folder.exists(), "the last command removes it");
}

fn text_lists(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

#[test]
fn an_interrupted_demo_leaves_no_process_and_can_go_on() {
    let place = TestEnvironment::without_store();
    let folder = place.path().join("demo");
    let mut demo = RunningDrive::start(run_demo(&place, &folder));
    demo.read_until_event("question");
    send_signal(demo.id(), Signal::INT);
    let printed = demo.wait_output();
    assert_eq!(printed.exit, 130, "{printed:?}");
    assert_eq!(place.remaining_processes(), Vec::<String>::new(), "no process is left");

    let said: Vec<&str> = printed.stderr.lines().filter_map(|line| line.strip_prefix("  ")).collect();
    let [go_on, remove] = said[..] else { panic!("{printed:?}") };
    let repository = folder.join("handbook");
    let mut again = RunningDrive::start(place.shell(go_on).env("PATH", PATH));
    again.read_until_event("question");
    run_in_demo(&repository, "../bin/orch answer options name");
    assert_eq!(again.wait_output().exit, 0, "it goes on to its end");
    let status = run_in_demo(&repository, "../bin/orch status handbook");
    assert_eq!(status["data"]["run"]["outcome"], "succeeded");
    let removed = Command::new("sh").args(["-c", remove]).current_dir(place.path()).status();
    assert!(removed.unwrap().success() && !folder.exists());
}

#[test]
fn the_demo_wants_a_folder_of_its_own() {
    let place = TestEnvironment::without_store();
    place.write_file("mine.txt", "keep me");
    let folder = place.path().display().to_string();
    let file = place.path().join("mine.txt").display().to_string();
    for wrong in [&folder, &file] {
        let error = place.orch(&["demo", wrong]).fails("invalid_argument");
        assert_eq!(error["hint"], "orch demo");
    }
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
}

const README: &str = include_str!("../../../../README.md");

/// Every block of the README behind this mark, in order.
fn readme_blocks(mark: &str) -> Vec<&'static str> {
    README.split(mark).skip(1).map(|block| block.split("```").next().unwrap()).collect()
}

#[test]
fn the_tour_of_the_readme_can_be_pasted() {
    let place = TestEnvironment::without_store();
    let git = |arguments: &[&str]| {
        let status = Command::new("git")
            .current_dir(place.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .args(["-c", "user.name=t", "-c", "user.email=t@localhost"])
            .args(arguments)
            .stdout(Stdio::null())
            .status();
        assert!(status.unwrap().success(), "git {arguments:?}");
    };
    git(&["init", "--quiet"]);
    place.write_file("README.md", "hello\n");
    git(&["add", "."]);
    git(&["commit", "--quiet", "-m", "first"]);

    let tour = readme_blocks("<!-- tour -->\n```sh\n").concat();
    assert!(tour.lines().count() > 30, "the tour is found");
    let script = place.write_file("tour.sh", format!("set -eu\n{tour}"));
    let programs = Path::new(env!("CARGO_BIN_EXE_orch")).parent().unwrap();
    let output = Command::new("sh")
        .arg(&script)
        .current_dir(place.path())
        .env_clear()
        .env("HOME", place.path())
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("ORCH_OUTPUT", "text")
        .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", programs.display()))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the tour stopped:\n{printed}\n{complaints}");
    let shown = readme_blocks("<!-- printed -->\n```text\n");
    assert!(shown.len() > 3, "what is printed is found");
    for block in shown {
        assert!(printed.contains(block), "not printed today:\n{block}\nbut:\n{printed}");
    }
    assert!(printed.contains("Merge conflict in tour-list.md"), "{printed}");
    assert!(printed.ends_with("one\ntwo\n"), "{printed}");
}
