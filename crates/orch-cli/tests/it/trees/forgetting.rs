//! `orch run rm`: every trace of a run goes, and no work with it.

use serde_json::{Value, json};

use super::fixture::text_list;
use crate::scheduling::json_text;
use crate::test_environment::TestEnvironment;

/// A run with work in every state that can be kept: merged, failed with its tree, recalled, not begun.
fn busy_run() -> TestEnvironment {
    let place = TestEnvironment::with_repository();
    place.begin_run("r", &["--verify", "ls"]);
    for key in ["a", "b", "c", "d", "e"] {
        place.add_task(key, &[]);
    }
    place.orch(&["dep", "add", "d", "c"]).ok();
    let (b, c) = (place.start_tree_task("b", "wb"), place.start_tree_task("c", "wc"));
    for key in ["a", "e"] {
        place.report_task(key, &[(key, key)]);
    }
    place.orch(&["integrate"]).ok();
    place.commit_files(&b, &[("b", "committed")]);
    b.write_file("b", "and changed");
    b.write_file("untracked", "untracked");
    place.holder_call(&b.held, &["fail", &b.held.thread, "--reason", "No.", "--final"]).ok();
    place.holder_call(&c.held, &["ask", &c.held.thread, "Which?"]).ok();
    place.orch(&["recall", "c"]).ok();
    place
}

fn list_references(place: &TestEnvironment, prefix: &str) -> Vec<String> {
    place.run_git(["for-each-ref", "--format=%(refname)", prefix]).lines().map(str::to_owned).collect()
}

#[test]
fn a_run_goes_with_everything_but_its_work() {
    let place = busy_run();
    let other = place.begin_run("other", &[]);
    place.orch(&["task", "add", "Do it", "--key", "z", "--run", "other"]).ok();
    place.inbox(&["send", "--to", "ana", "--from", "lead", "--subject", "Hello", "--body", "B"]).ok();
    let tip = place.branch_tip();
    let events = place.orch(&["events", "--run", "r", "--limit", "1000"]).ok()["total"].as_u64().unwrap();
    assert!(place.repository_path().join(".git/orch/logs/r").is_dir());
    let removed = place.orch(&["run", "rm", "r"]).ok();
    assert_eq!((&removed["run"], &removed["tasks"]), (&"r".into(), &5.into()));
    // Nothing is left of it in the store, in git, and on the disk, …
    place.orch(&["run", "show", "r"]).fails("run_not_found");
    place.orch(&["run", "rm", "r"]).fails("run_not_found");
    place.orch(&["task", "show", "r/a"]).fails("run_not_found");
    let runs = place.orch(&["run", "list"]).ok();
    assert_eq!((&runs["runs"][0]["id"], &runs["total"]), (&other["id"], &1.into()));
    let threads = place.inbox(&["list"]).ok();
    assert_eq!((&threads["threads"][0]["subject"], &threads["total"]), (&"Hello".into(), &1.into()));
    assert_eq!(list_references(&place, "refs/heads"), ["refs/heads/main", "refs/heads/orch/other/main"]);
    assert_eq!(list_references(&place, "refs/orch/kept"), [""; 0]);
    assert!(
        !place.sibling_path("repo.orch").exists()
            && !place.repository_path().join(".git/orch/logs/r").exists()
    );
    let listed = place.orch(&["events", "--limit", "1000"]).ok();
    let mentions = listed["events"].as_array().unwrap().iter().filter(|event| {
        let event = event.to_string();
        event.contains("\"r\"") || event.contains("\"r/")
    });
    let mentions: Vec<&Value> = mentions.filter(|event| event["kind"] != "run_removed").collect();
    assert!(mentions.is_empty(), "{mentions:?}");
    let told =
        listed["events"].as_array().unwrap().iter().find(|event| event["kind"] == "run_removed").unwrap();
    assert_eq!(
        (&told["run"], &told["agent"], &told["data"]["run"]),
        (&Value::Null, &"lead".into(), &"r".into())
    );
    assert!(told["id"].as_str().unwrap()[2..].parse::<u64>().unwrap() > events, "numbers go on");
    // … but what it held is there: the trees, and what was on its branch and nowhere else.
    let salvage = text_list(&removed["salvage"]);
    assert_eq!(list_references(&place, "refs/orch/salvage"), salvage);
    let expected =
        ["a.1", "b.1", "branches/main", "c.1", "e.1"].map(|leaf| format!("refs/orch/salvage/r/{leaf}"));
    assert_eq!(salvage, expected);
    assert_eq!(place.resolve_commit("refs/orch/salvage/r/branches/main"), tip);
    assert_eq!(place.run_git(["show", "refs/orch/salvage/r/b.1:b"]), "and changed");
    assert_eq!(place.run_git(["show", "refs/orch/salvage/r/b.1:untracked"]), "untracked");
    assert_eq!(place.run_git(["show", "refs/orch/salvage/r/b.1^1:b"]), "committed");
    place.check_sound();
    // A new run of the name begins anew.
    place.begin_run("r", &[]);
    place.orch(&["task", "add", "Do it", "--key", "a", "--run", "r"]).ok();
    assert_eq!(place.orch(&["task", "show", "r/a"]).ok()["attempts"], json!([]));
}

#[test]
fn numbers_that_were_public_are_not_given_again() {
    let place = TestEnvironment::with_run("r");
    place.add_task("a", &[]);
    let held = place.start_task("a", "w");
    place.orch(&["tell", "a", "Faster."]).ok();
    let seen = place.inbox(&["wait", "--for", "w"]).ok();
    let cursor = json_text(&seen["cursor"]);
    place.inbox(&["ack", "--for", "w", "--through", &cursor]).ok();
    place.finish_work(&held, "Done.");
    let lead = place.inbox(&["wait", "--for", "lead"]).ok();
    place.orch(&["run", "rm", "r"]).ok();
    place.check_sound();
    assert_eq!(place.inbox(&["list"]).ok()["total"], 0);
    // What is sent now is newer than everything that anybody has seen.
    let thread = place.send_work("w");
    let number = |name: &str| name.rsplit('-').next().unwrap().parse::<u64>().unwrap();
    assert!(number(&thread) > number(&held.thread), "{thread} after {}", held.thread);
    let seen = place.inbox(&["wait", "--for", "w", "--after", &cursor]).ok();
    assert_eq!(seen["messages"][0]["thread"], thread);
    assert!(number(&json_text(&seen["messages"][0]["id"])) > number(&json_text(&lead["cursor"])));
    let late = ["progress", &held.thread, "Still here.", "--token", &held.token];
    place.inbox(&late).fails("thread_not_found");
    place.check_sound();
}

#[test]
fn what_landed_needs_no_second_home() {
    let place = TestEnvironment::with_tree_run(&[]);
    place.report_task("a", &[("a", "a")]);
    place.orch(&["integrate"]).ok();
    place.orch(&["land", "r", "--onto", "main"]).ok();
    let removed = place.orch(&["run", "rm", "r", "--request-id", "x"]).ok();
    assert_eq!(text_list(&removed["salvage"]), ["refs/orch/salvage/r/a.1"]);
    let again = place.orch(&["run", "rm", "r", "--request-id", "x"]).run();
    assert_eq!((&again.ok_document()["replayed"], &again.ok()), (&true.into(), &removed));
    assert!(place.repository_path().join("a").exists());
    place.check_sound();
}

#[test]
fn a_run_that_is_worked_on_stays() {
    let place = TestEnvironment::with_tree_run(&[]);
    place.add_task("b", &[]);
    let work = place.start_tree_task("a", "w");
    let refused = place.orch(&["run", "rm", "r"]).fails("attempt_live");
    assert_eq!(
        (&refused["hint"], &refused["details"]["attempt"]),
        (&"orch run cancel r".into(), &"r/a@1".into())
    );
    assert_eq!(place.show_run()["state"], "open", "nothing was changed");
    place.orch(&["run", "cancel", "r"]).ok();
    let refused = place.orch(&["run", "rm", "r"]).fails("attempt_live");
    assert_eq!(refused["hint"], "orch recall r/a");
    place.orch(&["recall", "a"]).ok();
    // Somebody has the run's branch checked out.
    let tree = place.sibling_path("tree");
    place.run_git(["worktree", "add", "--quiet", tree.to_str().unwrap(), "orch/r/main"]);
    let refused = place.orch(&["run", "rm", "r"]).fails("worktree_conflict");
    assert!(json_text(&refused["message"]).contains("orch/r/main is checked out in"), "{refused}");
    let finished = place.orch(&["reconcile"]).ok()["finished"].clone();
    let removes = finished.as_array().unwrap().iter().any(|done| done["kind"] == "remove");
    assert!(!removes, "it is not removed later: {finished}");
    place.run_git(["worktree", "remove", tree.to_str().unwrap()]);
    assert!(!work.path.exists(), "what was kept already is not brought back");
    place.orch(&["run", "rm", "r"]).ok();
    assert_eq!(list_references(&place, "refs/heads"), ["refs/heads/main"]);
    place.orch(&["run", "rm", "nobody"]).fails("run_not_found");
    place.orch(&["run", "rm"]).fails("invalid_argument");
    place.check_sound();
}

#[test]
fn a_run_whose_repository_is_gone_can_be_forgotten() {
    let place = busy_run();
    let store = place.sibling_path("store");
    std::fs::create_dir_all(&store).unwrap();
    for name in ["orch.db", "orch.db-wal", "orch.db-shm"] {
        let from = place.repository_path().join(".git/orch").join(name);
        if from.exists() {
            std::fs::copy(from, store.join(name)).unwrap();
        }
    }
    std::fs::remove_dir_all(place.repository_path().join(".git")).unwrap();
    let store = store.join("orch.db").display().to_string();
    let removed = place.orch(&["run", "rm", "r", "--store", &store]).ok();
    assert_eq!((&removed["salvage"], &removed["repository"]), (&json!([]), &Value::Null));
    // The folder was made by this test, and not for one user alone.
    let verdict = json_text(&place.orch(&["doctor", "--store", &store]).ok()["verdict"]);
    assert!(["ok", "warning"].contains(&verdict.as_str()), "{verdict}");
}
