//! Landing: what reaches the user's branch, when nothing moves, and how it is taken back.

use std::process::Command;

use serde_json::{Value, json};

use super::fixture::text_list;
use crate::scheduling::json_text;
use crate::test_environment::TestEnvironment;

/// A repository with a run of these tasks, each of which has written a file of its name.
fn reported_run(keys: &[&str], more: &[&str]) -> TestEnvironment {
    let place = TestEnvironment::with_repository();
    place.begin_run("r", more);
    for key in keys {
        place.add_task(key, &[]);
    }
    for key in keys {
        place.report_task(key, &[(key, key)]);
    }
    place
}

/// The same, with all of it on the run's branch.
fn integrated_run(keys: &[&str], more: &[&str]) -> TestEnvironment {
    let place = reported_run(keys, more);
    let merged = place.orch(&["integrate"]).ok();
    assert_eq!(merged["integrated"].as_array().unwrap().len(), keys.len(), "{merged}");
    place
}

/// The tasks of a list.
fn task_names(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|one| json_text(&one["task"])).collect()
}

fn land_run(place: &TestEnvironment) -> Value {
    place.orch(&["land", "r", "--onto", "main"]).ok()
}

/// Runs a command of an answer as it stands.
fn run_answer_line(place: &TestEnvironment, line: &Value) {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", &json_text(line)]).env_clear();
    shell.envs(place.repo_environment().variables.iter().map(|(name, value)| (name, value)));
    let output = shell.output().unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
}

fn count_landings(place: &TestEnvironment) -> usize {
    let events = place.orch(&["events", "--run", "r", "--limit", "1000"]).ok();
    crate::scheduling::event_kinds(&events["events"]).iter().filter(|kind| *kind == "landed").count()
}

#[test]
fn a_branch_that_has_not_moved_moves_forward_with_its_files() {
    let place = integrated_run(&["a", "b"], &["--verify", "ls > /dev/null"]);
    let before = place.resolve_commit("main");
    std::fs::write(place.repository_path().join("mine"), "not committed").unwrap();
    let landed = land_run(&place);
    assert_eq!(
        (&landed["run"], &landed["branch"], &landed["commit"], &landed["from_commit"], &landed["already"]),
        (&"r".into(), &"main".into(), &place.branch_tip().into(), &before.clone().into(), &false.into())
    );
    assert_eq!(place.resolve_commit("main"), place.branch_tip());
    assert_eq!(
        (task_names(&landed["landed"]), task_names(&landed["left"])),
        (vec!["r/a".to_owned(), "r/b".into()], vec![])
    );
    assert_eq!(
        (&landed["landed"][0]["attempt"], &landed["landed"][0]["checks"]),
        (&"r/a@1".into(), &"passed".into())
    );
    let reused = landed["checks"].as_array().unwrap().iter().all(|check| check["reused"] == true);
    assert_eq!((&landed["unchecked"], reused), (&json!([]), true), "a fast-forward was checked");
    for key in ["a", "b"] {
        assert_eq!(std::fs::read_to_string(place.repository_path().join(key)).unwrap(), key);
    }
    assert_eq!(place.run_git(["status", "--porcelain"]), "?? mine", "what is not git's is left alone");
    let event = &place.orch(&["events", "--run", "r", "--limit", "1000"]).ok()["events"];
    let event = event.as_array().unwrap().iter().find(|event| event["kind"] == "landed").unwrap().clone();
    assert_eq!(
        (&event["agent"], &event["data"]["onto"], &event["data"]["from"]),
        (&"lead".into(), &"main".into(), &before.clone().into())
    );
    // Once more, and taken back.
    let again = land_run(&place);
    assert_eq!(
        (&again["already"], &again["commit"], &again["undo"]),
        (&true.into(), &landed["commit"], &landed["undo"])
    );
    assert_eq!(count_landings(&place), 1);
    run_answer_line(&place, &landed["undo"]);
    assert_eq!((place.resolve_commit("main"), place.repository_path().join("a").exists()), (before, false));
    assert_eq!(land_run(&place)["already"], false);
    assert!(place.repository_path().join("a").exists());
    let text = place.orch(&["land", "--onto", "main"]).text();
    assert!(
        text.contains("already") && text.contains("reset --keep") && text.contains("push REMOTE main"),
        "{text}"
    );
    place.check_sound();
}

#[test]
fn a_branch_that_nobody_has_checked_out_moves_alone() {
    let place = integrated_run(&["a"], &[]);
    place.run_git(["branch", "release"]);
    place.run_git(["config", "branch.release.remote", "origin"]);
    let hub = place.sibling_path("hub.git");
    place.run_git(["init", "--quiet", "--bare", hub.to_str().unwrap()]);
    place.run_git(["remote", "add", "origin", hub.to_str().unwrap()]);
    let main = place.resolve_commit("main");
    let landed = place.orch(&["land", "r", "--onto", "release"]).ok();
    assert_eq!(
        (place.resolve_commit("release"), place.resolve_commit("main")),
        (place.branch_tip(), main.clone())
    );
    assert_eq!(place.run_git(["status", "--porcelain"]), "");
    assert_eq!(task_names(&landed["unchecked"]), ["r/a"]);
    run_answer_line(&place, &landed["push"]);
    assert_eq!(place.run_git_in(&hub, ["rev-parse", "release"]), place.branch_tip());
    run_answer_line(&place, &landed["undo"]);
    assert_eq!(place.resolve_commit("release"), main);
}

#[test]
fn a_linked_worktree_that_has_the_branch_moves_along() {
    let place = integrated_run(&["a"], &[]);
    let tree = place.sibling_path("tree");
    place.run_git(["worktree", "add", "--quiet", "-b", "release", tree.to_str().unwrap(), "main"]);
    let landed = place.orch(&["land", "r", "--onto", "release"]).ok();
    assert!(tree.join("a").exists() && !place.repository_path().join("a").exists());
    assert!(json_text(&landed["undo"]).contains("/tree reset --keep"), "{landed}");
}

#[test]
fn an_unfinished_run_lands_only_in_part() {
    let place = integrated_run(&["a"], &[]);
    place.add_task("b", &[]);
    place.add_task("c", &[]);
    place.report_task("b", &[("b", "b")]);
    let main = place.resolve_commit("main");
    let refused = place.orch(&["land", "r", "--onto", "main"]).fails("run_incomplete");
    assert_eq!(refused["details"]["unfinished"], 2, "{refused}");
    assert_eq!(place.resolve_commit("main"), main);
    let landed = place.orch(&["land", "r", "--onto", "main", "--partial"]).ok();
    assert_eq!(
        (task_names(&landed["landed"]), task_names(&landed["left"])),
        (vec!["r/a".to_owned()], vec!["r/b".to_owned(), "r/c".into()])
    );
    assert_eq!(
        (&landed["left"][0]["state"], &landed["left"][1]["state"]),
        (&"reported".into(), &"ready".into())
    );
    assert!(!place.repository_path().join("b").exists(), "what is reported is not integrated");
    // The rest follows.
    place.orch(&["integrate"]).ok();
    place.orch(&["task", "cancel", "c"]).ok();
    let landed = land_run(&place);
    assert_eq!(
        (task_names(&landed["landed"]), task_names(&landed["left"])),
        (vec!["r/a".to_owned(), "r/b".into()], vec!["r/c".to_owned()])
    );
    assert_eq!(count_landings(&place), 2);
    // A task that failed for good is no less missing.
    place.add_task("d", &[]);
    let work = place.start_task("d", "w-d");
    place.holder_call(&work, &["fail", &work.thread, "--reason", "No.", "--final"]).ok();
    assert_eq!(place.show_run()["state"], "finished");
    place.orch(&["land", "r", "--onto", "main"]).fails("run_incomplete");
    place.orch(&["land", "r", "--onto", "main", "--partial"]).ok();
    place.check_sound();
}

#[test]
fn nothing_moves_where_something_is_in_the_way() {
    let place = integrated_run(&["a", "base.txt"], &[]);
    let main = place.resolve_commit("main");
    let refused = |onto: &str, code: &str| {
        let error = place.orch(&["land", "r", "--onto", onto]).fails(code);
        assert_eq!((place.resolve_commit("main"), count_landings(&place)), (main.clone(), 0));
        assert_eq!(place.orch(&["reconcile"]).ok()["finished"], json!([]), "it does not land later");
        error
    };
    let missing = refused("nowhere", "base_not_found");
    assert_eq!(missing["details"]["branch"], "nowhere");
    refused("", "base_not_found");
    refused("../x", "base_not_found");
    refused("orch/r/main", "invalid_argument");
    // A change that is not committed.
    std::fs::write(place.repository_path().join("base.txt"), "changed").unwrap();
    let dirty = refused("main", "worktree_dirty");
    assert_eq!(text_list(&dirty["details"]["files"]), ["base.txt"]);
    assert_eq!(std::fs::read_to_string(place.repository_path().join("base.txt")).unwrap(), "changed");
    place.run_git(["checkout", "--", "base.txt"]);
    // A file that git does not know, where one would come.
    for path in ["a", "a/inside"] {
        std::fs::create_dir_all(place.repository_path().join(path).parent().unwrap()).unwrap();
        std::fs::write(place.repository_path().join(path), "mine").unwrap();
        assert_eq!(text_list(&refused("main", "worktree_dirty")["details"]["files"]), [path]);
        let first = place.repository_path().join("a");
        if first.is_dir() { std::fs::remove_dir_all(first) } else { std::fs::remove_file(first) }.unwrap();
    }
    // The same of a file that git ignores: what it holds is nowhere else.
    std::fs::write(place.repository_path().join(".git/info/exclude"), "a\n").unwrap();
    std::fs::write(place.repository_path().join("a"), "mine").unwrap();
    refused("main", "worktree_dirty");
    assert_eq!(std::fs::read_to_string(place.repository_path().join("a")).unwrap(), "mine");
    std::fs::remove_file(place.repository_path().join("a")).unwrap();
    land_run(&place);
    place.check_sound();
}

#[test]
fn a_branch_that_went_on_is_merged_and_checked_again() {
    let place = integrated_run(&["a"], &["--verify", "test \"$(ls | wc -l)\" -lt 4"]);
    let main = place.commit_all("theirs", "theirs");
    let landed = land_run(&place);
    assert_eq!((&landed["from_commit"], &landed["already"]), (&main.clone().into(), &false.into()));
    assert_eq!(
        (&landed["checks"][0]["stage"], &landed["checks"][0]["state"]),
        (&"land".into(), &"passed".into())
    );
    assert_eq!(
        place.run_git(["log", "-1", "--format=%s%n%P", "main"]),
        format!("Merge orch/r/main into main\n{main} {}", place.branch_tip())
    );
    assert!(place.repository_path().join("a").exists() && place.repository_path().join("theirs").exists());
    assert_eq!(land_run(&place)["already"], true);
    run_answer_line(&place, &landed["undo"]);
    assert_eq!(place.resolve_commit("main"), main);
    // Two that are good alone and break together.
    let main = place.commit_all("too-many", "x");
    let red = place.orch(&["land", "r", "--onto", "main"]).fails("check_failed");
    assert_eq!(red["details"]["checks"][0]["stage"], "land", "{red}");
    assert_eq!(
        (place.resolve_commit("main"), place.repository_path().join("a").exists(), count_landings(&place)),
        (main, false, 1)
    );
    assert_eq!(place.run_git(["status", "--porcelain"]), "");
    let left = std::fs::read_dir(place.sibling_path("repo.orch/r")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "the tree for the checks is gone");
    place.check_sound();
}

#[test]
fn what_conflicts_with_the_branch_does_not_land() {
    let place = integrated_run(&["a", "same"], &[]);
    let main = place.commit_all("same", "theirs");
    let refused = place.orch(&["land", "r", "--onto", "main"]).fails("merge_conflict");
    assert_eq!(text_list(&refused["details"]["files"]), ["same"]);
    assert!(
        json_text(&refused["message"]).contains("Merge conflict between orch/r/main and main in: same"),
        "{refused}"
    );
    assert_eq!(
        (place.resolve_commit("main"), place.run_git(["status", "--porcelain"])),
        (main, String::new())
    );
    place.check_sound();
}

#[test]
fn what_is_done_when_it_is_good_is_merged_first() {
    let place = reported_run(&["a", "b"], &["--done-when", "verified", "--verify", "ls > /dev/null"]);
    for key in ["a", "b"] {
        place.orch(&["verify", key]).ok();
    }
    assert_eq!(place.show_run()["state"], "finished");
    let landed = land_run(&place);
    assert_eq!(task_names(&landed["landed"]), ["r/a", "r/b"]);
    assert!(place.repository_path().join("a").exists() && place.repository_path().join("b").exists());
    place.check_sound();
    // Accepted one by one, they do not go together.
    let place = TestEnvironment::with_repository();
    place.begin_run("r", &["--done-when", "reported"]);
    for key in ["a", "b"] {
        place.add_task(key, &[]);
        place.report_task(key, &[("same", key)]);
    }
    let main = place.resolve_commit("main");
    let refused = place.orch(&["land", "r", "--onto", "main"]).fails("merge_conflict");
    assert_eq!(
        (&refused["details"]["subject"], text_list(&refused["details"]["files"])),
        (&"r/b@1".into(), vec!["same".to_owned()])
    );
    assert_eq!(place.resolve_commit("main"), main);
    let landed = place.orch(&["land", "r", "--onto", "main", "--partial"]).ok();
    assert_eq!(
        (task_names(&landed["landed"]), task_names(&landed["left"])),
        (vec!["r/a".to_owned()], vec!["r/b".to_owned()])
    );
    assert_eq!(landed["left"][0]["state"], "done");
    place.check_sound();
}

#[test]
fn a_repeated_request_lands_once() {
    let place = integrated_run(&["a"], &[]);
    let request = ["land", "r", "--onto", "main", "--request-id", "l1"];
    let first = place.orch(&request).ok();
    run_answer_line(&place, &first["undo"]);
    let again = place.orch(&request).run();
    assert_eq!((&again.ok_document()["replayed"], &again.ok()), (&true.into(), &first));
    assert!(!place.repository_path().join("a").exists());
    let other = ["land", "r", "--onto", "main", "--partial", "--request-id", "l1"];
    place.orch(&other).fails("request_conflict");
}

#[test]
fn a_run_without_a_repository_has_nowhere_to_land() {
    let place = TestEnvironment::with_run("r");
    place.orch(&["land", "r", "--onto", "main"]).fails("base_not_found");
    place.orch(&["land", "r"]).fails("invalid_argument");
}

/// The first line of a run's report.
fn first_report_line(place: &TestEnvironment) -> String {
    place.orch(&["report", "r"]).text().lines().next().unwrap_or_default().to_owned()
}

#[test]
fn a_check_that_fails_on_the_target_alone_is_told() {
    let place =
        integrated_run(&["a"], &["--verify", "test ! -e red", "--verify", "test ! -e theirs || test ! -e a"]);
    // Red by the merge alone: the second check fails, and only there.
    let main = place.commit_all("theirs", "x");
    let refused = place.orch(&["land", "r", "--onto", "main"]).fails("check_failed");
    assert_eq!(
        (&refused["details"]["base_fails"], &refused["details"]["base_checks"]),
        (&false.into(), &json!([])),
        "{refused}"
    );
    assert!(json_text(&refused["message"]).contains("On main alone they pass."), "{refused}");
    assert!(json_text(&refused["hint"]).starts_with("tail "), "{refused}");
    assert_eq!(place.resolve_commit("main"), main);
    // Red before the run.
    std::fs::remove_file(place.repository_path().join("theirs")).unwrap();
    let main = place.commit_all("red", "x");
    let refused = place.orch(&["land", "r", "--onto", "main"]).fails("check_failed");
    assert_eq!(refused["details"]["base_fails"], true, "{refused}");
    assert_eq!(
        (&refused["details"]["base_checks"][0]["stage"], &refused["details"]["base_checks"][0]["command"]),
        (&"target".into(), &"test ! -e red".into())
    );
    assert!(json_text(&refused["message"]).contains("fail on main alone too"), "{refused}");
    let way = "orch land r --onto main --no-verify --reason TEXT";
    assert_eq!((&refused["hint"], &refused["details"]["next"][0]), (&way.into(), &way.into()));
    assert_eq!((place.resolve_commit("main"), count_landings(&place)), (main, 0));
    assert!(!place.show_run().as_object().unwrap().contains_key("landed"));
    place.check_sound();
}

#[test]
fn a_run_lands_without_checks_for_a_reason() {
    let place = integrated_run(&["a"], &["--verify", "test ! -e red"]);
    let main = place.commit_all("red", "x");
    for words in [
        &["land", "r", "--onto", "main", "--no-verify"][..],
        &["land", "r", "--onto", "main", "--no-verify", "--reason", " "],
        &["land", "r", "--onto", "main", "--reason", "x"],
        &["land", "r", "--onto", "main", "--no-verify", "--pushed", "main", "--reason", "x"],
    ] {
        place.orch(words).fails("invalid_argument");
    }
    assert_eq!(place.resolve_commit("main"), main);
    let reason = "main is red until #12";
    let landed = place.orch(&["land", "r", "--onto", "main", "--no-verify", "--reason", reason]).ok();
    assert_eq!(
        (&landed["manner"], &landed["reason"], &landed["checks"], &landed["from_commit"]),
        (&"unverified".into(), &reason.into(), &json!([]), &main.into())
    );
    assert!(place.repository_path().join("a").exists());
    let events = place.orch(&["events", "--run", "r", "--limit", "1000"]).ok();
    let event = events["events"].as_array().unwrap().iter().find(|event| event["kind"] == "landed").unwrap();
    assert_eq!(
        (&event["agent"], &event["data"]["manner"], &event["data"]["reason"]),
        (&"lead".into(), &"unverified".into(), &reason.into())
    );
    let recorded = &place.show_run()["landed"];
    assert_eq!(
        (&recorded["manner"], &recorded["reason"], &recorded["by"], &recorded["commit"]),
        (&"unverified".into(), &reason.into(), &"lead".into(), &landed["commit"])
    );
    let line = first_report_line(&place);
    assert!(
        line.contains("Landed without checks") && line.contains("by lead: main is red until \\#12"),
        "{line}"
    );
    place.check_sound();
}

#[test]
fn a_landing_is_in_the_status() {
    let place = integrated_run(&["a"], &[]);
    assert_eq!(place.orch(&["status", "r"]).ok()["run"]["landed"], Value::Null);
    assert!(place.orch(&["status", "r"]).text().contains("orch land r --onto main"));
    let landed = land_run(&place);
    let status = place.orch(&["status", "r"]).ok();
    let recorded = &status["run"]["landed"];
    assert_eq!(
        (&recorded["branch"], &recorded["commit"], &recorded["manner"], &recorded["complete"]),
        (&"main".into(), &landed["commit"], &"checked".into(), &true.into())
    );
    let text = place.orch(&["status", "r"]).text();
    assert!(text.contains("landed on main at ") && !text.contains("orch land r"), "{text}");
    assert!(first_report_line(&place).starts_with("# r"));
    // What is merged since then has not landed.
    place.add_task("b", &[]);
    place.report_task("b", &[("b", "b")]);
    place.orch(&["integrate"]).ok();
    assert_eq!(place.orch(&["status", "r"]).ok()["run"]["landed"]["complete"], false);
    let text = place.orch(&["status", "r"]).text();
    assert!(text.contains("landed in part on main") && text.contains("orch land r --onto main"), "{text}");
}

#[test]
fn a_landing_that_was_made_elsewhere_is_recorded() {
    let place = integrated_run(&["a", "b"], &["--verify", "ls > /dev/null"]);
    place.commit_all("theirs", "x");
    let before = place.resolve_commit("main");
    place.orch(&["land", "r", "--pushed", "nowhere"]).fails("base_not_found");
    // A commit without the run's work.
    let refused = place.orch(&["land", "r", "--pushed", "main"]).fails("worktree_conflict");
    assert_eq!(
        (&refused["details"]["problem"], &refused["details"]["commit"]),
        (&"tree_differs".into(), &before.clone().into())
    );
    assert_eq!(count_landings(&place), 0);
    // A squash, as a pull request makes it.
    place.run_git(["merge", "--quiet", "--squash", "orch/r/main"]);
    place.run_git(["commit", "--quiet", "-m", "squashed"]);
    let squash = place.resolve_commit("main");
    let landed = place.orch(&["land", "r", "--pushed", "main"]).ok();
    assert_eq!(
        (&landed["branch"], &landed["commit"], &landed["manner"], &landed["already"], &landed["undo"]),
        (&"main".into(), &squash.clone().into(), &"pushed".into(), &false.into(), &Value::Null)
    );
    assert_eq!(task_names(&landed["landed"]), ["r/a", "r/b"]);
    assert_eq!(place.resolve_commit("main"), squash, "it is only recorded");
    assert_eq!(place.orch(&["land", "r", "--pushed", &squash]).ok()["already"], true);
    assert_eq!(count_landings(&place), 1);
    assert_eq!(place.orch(&["status", "r"]).ok()["run"]["landed"]["commit"], squash);
    assert!(first_report_line(&place).starts_with("# r"), "its files are as expected");
    // With other files it takes a reason.
    place.run_git(["commit", "--quiet", "--amend", "--allow-empty", "-m", "again"]);
    let other = place.commit_all("a", "edited in review");
    place.orch(&["land", "r", "--pushed", &other]).fails("worktree_conflict");
    let reason = "edited in review";
    place.orch(&["land", "r", "--pushed", &other, "--onto", "main", "--reason", reason]).ok();
    let line = first_report_line(&place);
    assert!(line.contains("with other files than a merge makes") && line.contains(reason), "{line}");
    place.check_sound();
}

#[test]
fn work_that_is_not_on_the_runs_branch_does_not_land() {
    let place = integrated_run(&["a"], &[]);
    let (main, merged) = (place.resolve_commit("main"), place.branch_tip());
    place.run_git(["update-ref", "refs/heads/orch/r/main", &main]);
    let refused = place.orch(&["land", "r", "--onto", "main"]).fails("branch_moved");
    assert_eq!(
        (&refused["details"]["expected"], &refused["details"]["found"]),
        (&merged.clone().into(), &main.clone().into()),
        "{refused}"
    );
    assert_eq!((place.resolve_commit("main"), count_landings(&place)), (main, 0));
    place.orch(&["run", "repair", "r", "--restore"]).ok();
    land_run(&place);
}

#[test]
fn a_tip_that_no_check_has_seen_is_checked_before_it_lands() {
    let place = integrated_run(&["a"], &[]);
    let main = place.resolve_commit("main");
    place.orch(&["run", "edit", "r", "--verify", "test ! -e a"]).ok();
    place.orch(&["land", "r", "--onto", "main"]).fails("check_failed");
    assert_eq!((place.resolve_commit("main"), count_landings(&place)), (main, 0));
    place.orch(&["run", "edit", "r", "--verify", "test -e a"]).ok();
    let landed = land_run(&place);
    assert_eq!(
        (&landed["checks"][0]["stage"], &landed["checks"][0]["state"]),
        (&"land".into(), &"passed".into())
    );
}

#[test]
fn a_refusal_names_paths_and_commands() {
    let place = integrated_run(&["base.txt"], &[]);
    std::fs::write(place.repository_path().join("base.txt"), "mine").unwrap();
    std::fs::write(place.repository_path().join("other.txt"), "mine").unwrap();
    let refused = place.orch(&["land", "r", "--onto", "main"]).fails("worktree_dirty");
    let top = place.repository_path().display().to_string();
    assert_eq!(text_list(&refused["details"]["paths"]), ["base.txt"]);
    assert_eq!(
        text_list(&refused["details"]["next"]),
        [format!("git -C {top} status"), format!("git -C {top} stash push --include-untracked")]
    );
    run_answer_line(&place, &refused["details"]["next"][1]);
    place.run_git(["bisect", "start"]);
    let refused = place.orch(&["land", "r", "--onto", "main"]).fails("worktree_conflict");
    assert_eq!(
        (&refused["details"]["problem"], text_list(&refused["details"]["paths"])),
        (&"in_progress".into(), vec![top.clone()])
    );
    assert_eq!(refused["hint"], refused["details"]["next"][0]);
    run_answer_line(&place, &refused["hint"]);
    place.run_git(["config", "core.bare", "true"]);
    let refused = place.orch(&["land", "r", "--onto", "main"]).fails("worktree_conflict");
    assert_eq!(refused["details"]["problem"], "wrongly_bare", "{refused}");
    run_answer_line(&place, &refused["hint"]);
    let second = place.sibling_path("second");
    place.run_git(["worktree", "add", "--quiet", "--force", second.to_str().unwrap(), "main"]);
    let refused = place.orch(&["land", "r", "--onto", "main"]).fails("worktree_conflict");
    assert_eq!(refused["details"]["problem"], "checked_out_twice", "{refused}");
    assert_eq!(text_list(&refused["details"]["paths"]), [top, second.display().to_string()]);
    run_answer_line(&place, &refused["details"]["next"][1]);
    land_run(&place);
    assert_eq!(place.run_git(["status", "--porcelain"]), "");
    place.check_sound();
}

#[test]
fn a_landing_that_was_interrupted_is_finished() {
    // After the files, before the branch: a killed process leaves its recorded step and the moved files.
    let place = integrated_run(&["a", "base.txt"], &[]);
    let main = place.resolve_commit("main");
    let (real, bin) =
        (place.shell("command -v git").run().stdout.trim().to_owned(), place.sibling_path("bin"));
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *'read-tree -m -u {main}'*) {real} \"$@\"; kill -KILL $PPID; exit 9;; esac\nexec {real} \"$@\"\n"
    );
    std::fs::create_dir_all(&bin).unwrap();
    let written = place.sibling_path("script");
    std::fs::write(&written, script).unwrap();
    place
        .shell(&format!("cp {} {}/git; chmod 755 {}/git", written.display(), bin.display(), bin.display()))
        .run();
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display());
    let killed = place.orch(&["land", "r", "--onto", "main"]).env("PATH", &path).run();
    assert_ne!(killed.exit, 0);
    assert_eq!(place.resolve_commit("main"), main, "the branch has not moved");
    assert_ne!(place.run_git(["status", "--porcelain"]), "", "the files have");
    land_run(&place);
    assert_eq!((place.resolve_commit("main"), count_landings(&place)), (place.branch_tip(), 1));
    assert_eq!(place.run_git(["status", "--porcelain"]), "");
    place.check_sound();
}
