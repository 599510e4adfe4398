//! Landing: what reaches the user's branch, when nothing moves, and how it is taken back.

use std::process::Command;

use serde_json::{Value, json};

use super::ground::texts;
use crate::place::Place;
use crate::scheduling::text;

/// A repository with a run of these tasks, each of which has written a file of its name.
fn worked(keys: &[&str], more: &[&str]) -> Place {
    let place = Place::with_repository();
    place.begin("r", more);
    for key in keys {
        place.task(key, &[]);
    }
    for key in keys {
        place.reported(key, &[(key, key)]);
    }
    place
}

/// The same, with all of it on the run's branch.
fn integrated(keys: &[&str], more: &[&str]) -> Place {
    let place = worked(keys, more);
    let merged = place.orch(&["integrate"]).ok();
    assert_eq!(merged["integrated"].as_array().unwrap().len(), keys.len(), "{merged}");
    place
}

/// The tasks of a list.
fn tasks(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|one| text(&one["task"])).collect()
}

fn land(place: &Place) -> Value {
    place.orch(&["land", "r", "--onto", "main"]).ok()
}

/// Runs a command of an answer as it stands.
fn type_in(place: &Place, line: &Value) {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", &text(line)]).env_clear();
    shell.envs(place.ground().variables.iter().map(|(name, value)| (name, value)));
    let output = shell.output().unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
}

fn landings(place: &Place) -> usize {
    let events = place.orch(&["events", "--run", "r", "--limit", "1000"]).ok();
    crate::scheduling::kinds(&events["events"]).iter().filter(|kind| *kind == "landed").count()
}

#[test]
fn a_branch_that_has_not_moved_moves_forward_with_its_files() {
    let place = integrated(&["a", "b"], &["--verify", "ls > /dev/null"]);
    let before = place.commit("main");
    std::fs::write(place.top().join("mine"), "not committed").unwrap();
    let landed = land(&place);
    assert_eq!(
        (&landed["run"], &landed["branch"], &landed["commit"], &landed["from_commit"], &landed["already"]),
        (&"r".into(), &"main".into(), &place.tip().into(), &before.clone().into(), &false.into())
    );
    assert_eq!(place.commit("main"), place.tip());
    assert_eq!(
        (tasks(&landed["landed"]), tasks(&landed["left"])),
        (vec!["r/a".to_owned(), "r/b".into()], vec![])
    );
    assert_eq!(
        (&landed["landed"][0]["attempt"], &landed["landed"][0]["checks"]),
        (&"r/a@1".into(), &"passed".into())
    );
    assert_eq!(
        (&landed["unchecked"], &landed["checks"]),
        (&json!([]), &json!([])),
        "a fast-forward was checked"
    );
    for key in ["a", "b"] {
        assert_eq!(std::fs::read_to_string(place.top().join(key)).unwrap(), key);
    }
    assert_eq!(place.git(["status", "--porcelain"]), "?? mine", "what is not git's is left alone");
    let event = &place.orch(&["events", "--run", "r", "--limit", "1000"]).ok()["events"];
    let event = event.as_array().unwrap().iter().find(|event| event["kind"] == "landed").unwrap().clone();
    assert_eq!(
        (&event["agent"], &event["data"]["onto"], &event["data"]["from"]),
        (&"lead".into(), &"main".into(), &before.clone().into())
    );
    // Once more, and taken back.
    let again = land(&place);
    assert_eq!(
        (&again["already"], &again["commit"], &again["undo"]),
        (&true.into(), &landed["commit"], &landed["undo"])
    );
    assert_eq!(landings(&place), 1);
    type_in(&place, &landed["undo"]);
    assert_eq!((place.commit("main"), place.top().join("a").exists()), (before, false));
    assert_eq!(land(&place)["already"], false);
    assert!(place.top().join("a").exists());
    let text = place.orch(&["land", "--onto", "main"]).text();
    assert!(
        text.contains("already") && text.contains("reset --keep") && text.contains("push REMOTE main"),
        "{text}"
    );
    place.is_sound();
}

#[test]
fn a_branch_that_nobody_has_checked_out_moves_alone() {
    let place = integrated(&["a"], &[]);
    place.git(["branch", "release"]);
    place.git(["config", "branch.release.remote", "origin"]);
    let hub = place.beside("hub.git");
    place.git(["init", "--quiet", "--bare", hub.to_str().unwrap()]);
    place.git(["remote", "add", "origin", hub.to_str().unwrap()]);
    let main = place.commit("main");
    let landed = place.orch(&["land", "r", "--onto", "release"]).ok();
    assert_eq!((place.commit("release"), place.commit("main")), (place.tip(), main.clone()));
    assert_eq!(place.git(["status", "--porcelain"]), "");
    assert_eq!(tasks(&landed["unchecked"]), ["r/a"]);
    type_in(&place, &landed["push"]);
    assert_eq!(place.git_in(&hub, ["rev-parse", "release"]), place.tip());
    type_in(&place, &landed["undo"]);
    assert_eq!(place.commit("release"), main);
}

#[test]
fn a_linked_worktree_that_has_the_branch_moves_along() {
    let place = integrated(&["a"], &[]);
    let tree = place.beside("tree");
    place.git(["worktree", "add", "--quiet", "-b", "release", tree.to_str().unwrap(), "main"]);
    let landed = place.orch(&["land", "r", "--onto", "release"]).ok();
    assert!(tree.join("a").exists() && !place.top().join("a").exists());
    assert!(text(&landed["undo"]).contains("/tree reset --keep"), "{landed}");
}

#[test]
fn an_unfinished_run_lands_only_in_part() {
    let place = integrated(&["a"], &[]);
    place.task("b", &[]);
    place.task("c", &[]);
    place.reported("b", &[("b", "b")]);
    let main = place.commit("main");
    let refused = place.orch(&["land", "r", "--onto", "main"]).fails("run_incomplete");
    assert_eq!(refused["details"]["unfinished"], 2, "{refused}");
    assert_eq!(place.commit("main"), main);
    let landed = place.orch(&["land", "r", "--onto", "main", "--partial"]).ok();
    assert_eq!(
        (tasks(&landed["landed"]), tasks(&landed["left"])),
        (vec!["r/a".to_owned()], vec!["r/b".to_owned(), "r/c".into()])
    );
    assert_eq!(
        (&landed["left"][0]["state"], &landed["left"][1]["state"]),
        (&"reported".into(), &"ready".into())
    );
    assert!(!place.top().join("b").exists(), "what is reported is not integrated");
    // The rest follows.
    place.orch(&["integrate"]).ok();
    place.orch(&["task", "cancel", "c"]).ok();
    let landed = land(&place);
    assert_eq!(
        (tasks(&landed["landed"]), tasks(&landed["left"])),
        (vec!["r/a".to_owned(), "r/b".into()], vec!["r/c".to_owned()])
    );
    assert_eq!(landings(&place), 2);
    // A task that failed for good is no less missing.
    place.task("d", &[]);
    let work = place.begun("d", "w-d");
    place.holding(&work, &["fail", &work.thread, "--reason", "No.", "--final"]).ok();
    assert_eq!(place.run_state()["state"], "finished");
    place.orch(&["land", "r", "--onto", "main"]).fails("run_incomplete");
    place.orch(&["land", "r", "--onto", "main", "--partial"]).ok();
    place.is_sound();
}

#[test]
fn nothing_moves_where_something_is_in_the_way() {
    let place = integrated(&["a", "base.txt"], &[]);
    let main = place.commit("main");
    let refused = |onto: &str, code: &str| {
        let error = place.orch(&["land", "r", "--onto", onto]).fails(code);
        assert_eq!((place.commit("main"), landings(&place)), (main.clone(), 0));
        assert_eq!(place.orch(&["reconcile"]).ok()["finished"], json!([]), "it does not land later");
        error
    };
    let missing = refused("nowhere", "base_not_found");
    assert_eq!(missing["details"]["branch"], "nowhere");
    refused("", "base_not_found");
    refused("../x", "base_not_found");
    refused("orch/r/main", "invalid_argument");
    // A change that is not committed.
    std::fs::write(place.top().join("base.txt"), "changed").unwrap();
    let dirty = refused("main", "worktree_dirty");
    assert_eq!(texts(&dirty["details"]["files"]), ["base.txt"]);
    assert_eq!(std::fs::read_to_string(place.top().join("base.txt")).unwrap(), "changed");
    place.git(["checkout", "--", "base.txt"]);
    // A file that git does not know, where one would come.
    for path in ["a", "a/inside"] {
        std::fs::create_dir_all(place.top().join(path).parent().unwrap()).unwrap();
        std::fs::write(place.top().join(path), "mine").unwrap();
        assert_eq!(texts(&refused("main", "worktree_dirty")["details"]["files"]), [path]);
        let first = place.top().join("a");
        if first.is_dir() { std::fs::remove_dir_all(first) } else { std::fs::remove_file(first) }.unwrap();
    }
    // The same of a file that git ignores: what it holds is nowhere else.
    std::fs::write(place.top().join(".git/info/exclude"), "a\n").unwrap();
    std::fs::write(place.top().join("a"), "mine").unwrap();
    refused("main", "worktree_dirty");
    assert_eq!(std::fs::read_to_string(place.top().join("a")).unwrap(), "mine");
    std::fs::remove_file(place.top().join("a")).unwrap();
    land(&place);
    place.is_sound();
}

#[test]
fn a_branch_that_went_on_is_merged_and_checked_again() {
    let place = integrated(&["a"], &["--verify", "test \"$(ls | wc -l)\" -lt 4"]);
    let main = place.commit_all("theirs", "theirs");
    let landed = land(&place);
    assert_eq!((&landed["from_commit"], &landed["already"]), (&main.clone().into(), &false.into()));
    assert_eq!(
        (&landed["checks"][0]["stage"], &landed["checks"][0]["state"]),
        (&"land".into(), &"passed".into())
    );
    assert_eq!(
        place.git(["log", "-1", "--format=%s%n%P", "main"]),
        format!("Merge orch/r/main into main\n{main} {}", place.tip())
    );
    assert!(place.top().join("a").exists() && place.top().join("theirs").exists());
    assert_eq!(land(&place)["already"], true);
    type_in(&place, &landed["undo"]);
    assert_eq!(place.commit("main"), main);
    // Two that are good alone and break together.
    let main = place.commit_all("too-many", "x");
    let red = place.orch(&["land", "r", "--onto", "main"]).fails("check_failed");
    assert_eq!(red["details"]["checks"][0]["stage"], "land", "{red}");
    assert_eq!((place.commit("main"), place.top().join("a").exists(), landings(&place)), (main, false, 1));
    assert_eq!(place.git(["status", "--porcelain"]), "");
    let left = std::fs::read_dir(place.beside("repo.orch/r")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "the tree for the checks is gone");
    place.is_sound();
}

#[test]
fn what_conflicts_with_the_branch_does_not_land() {
    let place = integrated(&["a", "same"], &[]);
    let main = place.commit_all("same", "theirs");
    let refused = place.orch(&["land", "r", "--onto", "main"]).fails("merge_conflict");
    assert_eq!(texts(&refused["details"]["files"]), ["same"]);
    assert!(text(&refused["message"]).contains("orch/r/main does not merge with main: same"), "{refused}");
    assert_eq!((place.commit("main"), place.git(["status", "--porcelain"])), (main, String::new()));
    place.is_sound();
}

#[test]
fn what_is_done_when_it_is_good_is_merged_first() {
    let place = worked(&["a", "b"], &["--done-when", "verified", "--verify", "ls > /dev/null"]);
    for key in ["a", "b"] {
        place.orch(&["verify", key]).ok();
    }
    assert_eq!(place.run_state()["state"], "finished");
    let landed = land(&place);
    assert_eq!(tasks(&landed["landed"]), ["r/a", "r/b"]);
    assert!(place.top().join("a").exists() && place.top().join("b").exists());
    place.is_sound();
    // Accepted one by one, they do not go together.
    let place = Place::with_repository();
    place.begin("r", &["--done-when", "reported"]);
    for key in ["a", "b"] {
        place.task(key, &[]);
        place.reported(key, &[("same", key)]);
    }
    let main = place.commit("main");
    let refused = place.orch(&["land", "r", "--onto", "main"]).fails("merge_conflict");
    assert_eq!(
        (&refused["details"]["subject"], texts(&refused["details"]["files"])),
        (&"r/b@1".into(), vec!["same".to_owned()])
    );
    assert_eq!(place.commit("main"), main);
    let landed = place.orch(&["land", "r", "--onto", "main", "--partial"]).ok();
    assert_eq!(
        (tasks(&landed["landed"]), tasks(&landed["left"])),
        (vec!["r/a".to_owned()], vec!["r/b".to_owned()])
    );
    assert_eq!(landed["left"][0]["state"], "done");
    place.is_sound();
}

#[test]
fn a_repeated_request_lands_once() {
    let place = integrated(&["a"], &[]);
    let request = ["land", "r", "--onto", "main", "--request-id", "l1"];
    let first = place.orch(&request).ok();
    type_in(&place, &first["undo"]);
    let again = place.orch(&request).run();
    assert_eq!((&again.ok_document()["replayed"], &again.ok()), (&true.into(), &first));
    assert!(!place.top().join("a").exists());
    let other = ["land", "r", "--onto", "main", "--partial", "--request-id", "l1"];
    place.orch(&other).fails("request_conflict");
}

#[test]
fn a_run_without_a_repository_has_nowhere_to_land() {
    let place = Place::with_run("r");
    place.orch(&["land", "r", "--onto", "main"]).fails("base_not_found");
    place.orch(&["land", "r"]).fails("invalid_argument");
}
