//! What somebody does first: the demo, and the tour of the README pasted into a shell.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::place::Place;

#[test]
fn the_demo_does_its_job() {
    let place = Place::empty();
    let printed = place.orch(&["demo"]).env("PATH", "/usr/local/bin:/usr/bin:/bin").run();
    let data = printed.ok();
    assert_eq!(data["status"]["run"]["outcome"], "succeeded");
    assert_eq!(data["status"]["counts"]["done"], 9);
    let report = std::fs::read_to_string(place.path().join("report.md")).unwrap();
    for expected in ["- `inbox claim`: ", "- `orch dispatch`: ", "- `--json`: "] {
        assert!(report.contains(expected), "{expected} is missing in:\n{report}");
    }
    let without: Vec<&str> =
        report.split("## Pages without an example").nth(1).unwrap().split_whitespace().collect();
    assert_eq!(without, Vec::<&str>::new(), "every help page has an example");

    let failed = place.orch(&["task", "show", "examples"]).ok();
    let states: Vec<&Value> =
        failed["attempts"].as_array().unwrap().iter().map(|one| &one["state"]).collect();
    assert_eq!(states, ["accepted", "failed"]);
    let events = place.orch(&["events", "--limit", "1000"]).ok();
    let kinds: Vec<&str> =
        events["events"].as_array().unwrap().iter().filter_map(|event| event["kind"].as_str()).collect();
    assert!(kinds.contains(&"question") && kinds.contains(&"answered"));
    place.orch(&["doctor"]).ok();
}

#[test]
fn what_to_type_after_the_demo_finds_its_store() {
    let place = Place::empty();
    let other = place.path().join("other.db");
    let other = other.to_str().unwrap();
    place.orch(&["init", "--store", other]).ok();
    let folder = place.path().join("demo");
    std::fs::create_dir(&folder).unwrap();
    let demo = place.orch(&["demo"]).within(&folder).env("ORCH_STORE", other);
    let demo = demo.env("PATH", "/usr/local/bin:/usr/bin:/bin").ok();
    let look = demo["next"][2].as_str().unwrap().strip_prefix("bin/orch ").unwrap();
    let look: Vec<&str> = look.split(' ').collect();
    place.orch(&look).within(&folder).env("ORCH_STORE", other).ok();
}

#[test]
fn the_demo_wants_a_folder_of_its_own() {
    let place = Place::empty();
    place.file("mine.txt", "keep me");
    let folder = place.path().display().to_string();
    place.orch(&["demo", &folder]).fails("invalid_argument");
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
}

/// Every block of the README behind a `<!-- tour -->` mark, in order.
fn tour() -> String {
    let readme = include_str!("../../../../README.md");
    let blocks = readme.split("<!-- tour -->\n```sh\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap()).collect()
}

#[test]
fn the_tour_of_the_readme_can_be_pasted() {
    let place = Place::empty();
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
    place.file("README.md", "hello\n");
    git(&["add", "."]);
    git(&["commit", "--quiet", "-m", "first"]);

    let tour = tour();
    assert!(tour.lines().count() > 30, "the tour is found");
    let script = place.file("tour.sh", format!("set -eu\n{tour}"));
    let programs = Path::new(env!("CARGO_BIN_EXE_orch")).parent().unwrap();
    let output = Command::new("sh")
        .arg(&script)
        .current_dir(place.path())
        .env_clear()
        .env("HOME", place.path())
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", programs.display()))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the tour stopped:\n{printed}\n{complaints}");
    let refused: Vec<&str> = printed.lines().filter(|line| line.contains(r#""ok":false"#)).collect();
    assert_eq!(refused, Vec::<&str>::new(), "no command of the tour is refused");
    assert!(printed.contains(r#""outcome":"succeeded""#), "{printed}");
}
