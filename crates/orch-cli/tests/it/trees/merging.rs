//! Merging into the run's branch: what goes in, what is refused, and what is left alone.

use serde_json::{Value, json};

use super::fixture::text_list;
use crate::scheduling::json_text;
use crate::test_environment::TestEnvironment;

/// The attempts of a list.
fn attempt_names(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|one| json_text(&one["attempt"])).collect()
}

#[test]
fn what_was_reported_is_merged_in_order() {
    let place = TestEnvironment::with_tree_run(&["--verify", "ls > /dev/null"]);
    for key in ["b", "c"] {
        place.add_task(key, &[]);
    }
    std::fs::write(place.repository_path().join("mine"), "not committed").unwrap();
    for key in ["a", "b", "c"] {
        place.report_task(key, &[(key, key)]);
    }
    let merged = place.orch(&["integrate", "r"]).ok();
    assert_eq!(attempt_names(&merged["integrated"]), ["r/a@1", "r/b@1", "r/c@1"]);
    assert_eq!(
        (&merged["branch"], &merged["rejected"], &merged["faults"]),
        (&"orch/r/main".into(), &json!([]), &json!([]))
    );
    assert_eq!(merged["integrated"][2]["commit"], place.branch_tip());
    for key in ["a", "b", "c"] {
        assert_eq!(
            (place.task_state(key), place.file_on_branch(key).as_deref()),
            ("done".to_owned(), Some(key))
        );
        let attempt = place.last_attempt(key);
        assert_eq!(
            (&attempt["checks_status"], &attempt["worktree"]["state"]),
            (&"passed".into(), &"removed".into())
        );
        assert!(attempt["worktree"]["merged_commit"].is_string());
        // What was in the tree is kept, and so is its branch, out of the way.
        place.resolve_commit(&format!("refs/orch/salvage/r/{key}.1"));
        assert_eq!(
            place.resolve_commit(&format!("refs/orch/kept/r/{key}.1")),
            json_text(&attempt["worktree"]["head_commit"])
        );
    }
    assert_eq!(
        place.run_git(["for-each-ref", "--format=%(refname)", "refs/heads"]),
        "refs/heads/main\nrefs/heads/orch/r/main"
    );
    let subjects = place.run_git(["log", "--merges", "--format=%s", "orch/r/main"]);
    assert_eq!(subjects, "Merge r/c@1: Do it\nMerge r/b@1: Do it");
    // Nothing of the leader's moved.
    assert_eq!(
        (place.run_git(["rev-parse", "--abbrev-ref", "HEAD"]), place.run_git(["status", "--porcelain"])),
        ("main".to_owned(), "?? mine".to_owned())
    );
    assert_eq!(place.show_run()["outcome"], "succeeded");
    let again = place.orch(&["integrate", "r"]).ok();
    assert_eq!(again["integrated"], json!([]));
    assert!(place.orch(&["integrate", "r"]).text().contains("Nothing to merge"));
    place.check_sound();
}

#[test]
fn what_passes_alone_and_breaks_together_is_refused() {
    let place = TestEnvironment::with_repository();
    let log = place.sibling_path("log");
    let check = format!(
        "echo $ORCH_STAGE $ORCH_ATTEMPT $(git rev-parse 'HEAD^{{tree}}') >> '{}'; test \"$(ls | wc -l)\" -lt 3 || {{ echo too many; exit 1; }}",
        log.display()
    );
    place.begin_run("r", &["--verify", &check]);
    for key in ["a", "b"] {
        place.add_task(key, &[]);
        place.start_tree_task(key, key);
    }
    let at = |key: &str| place.sibling_path(&format!("repo.orch/r/{key}.1"));
    for key in ["a", "b"] {
        std::fs::write(at(key).join(key), key).unwrap();
        place.commit_in(&at(key), key);
        let list = place.inbox(&["list", "--for", key]).ok();
        let thread = json_text(&list["threads"][0]["id"]);
        let token = place.inbox(&["claim", "--thread", &thread, "--for", key, "--as", key, "--again"]).ok();
        let token = json_text(&token["lease"]["token"]);
        place.inbox(&["done", &thread, "--token", &token, "--result", "Done."]).in_folder(&at(key)).ok();
        place.orch(&["verify", key]).ok();
    }
    let merged = place.orch(&["integrate"]).ok();
    assert_eq!(
        (attempt_names(&merged["integrated"]), attempt_names(&merged["rejected"])),
        (vec!["r/a@1".to_owned()], vec!["r/b@1".to_owned()])
    );
    let rejected = &merged["rejected"][0];
    assert!(
        json_text(&rejected["reason"])
            .starts_with("Its checks pass alone, and fail after the merge with the run's branch"),
        "{rejected}"
    );
    assert_eq!(rejected["files"], json!([]));
    assert_eq!((place.file_on_branch("a").is_some(), place.file_on_branch("b").is_some()), (true, false));
    assert_eq!((place.task_state("a"), place.task_state("b")), ("done".to_owned(), "ready".to_owned()));
    let next = place.start_tree_task("b", "b");
    let earlier = &next.payload["earlier"][0];
    assert_eq!((&next.base, &earlier["log_tail"]), (&place.branch_tip(), &"too many".into()));
    assert!(json_text(&earlier["reason"]).contains("fail after the merge"), "{earlier}");
    assert!(at("b").exists(), "a rejected attempt keeps its tree");
    let stages: Vec<String> = std::fs::read_to_string(&log)
        .unwrap()
        .lines()
        .map(|line| line.rsplit_once(' ').unwrap().0.to_owned())
        .collect();
    assert_eq!(
        stages,
        ["baseline", "attempt r/a@1", "attempt r/b@1", "merge r/b@1", "merge r/b@1"],
        "a fast-forward was checked already, and a failure is confirmed"
    );
    place.check_sound();
}

#[test]
fn what_conflicts_is_refused_with_its_files() {
    let place = TestEnvironment::with_tree_run(&[]);
    place.add_task("b", &[]);
    let a = place.start_tree_task("a", "w");
    let b = place.start_tree_task("b", "v");
    place.commit_files(&a, &[("base.txt", "of a"), ("x", "of a")]);
    place.commit_files(&b, &[("base.txt", "of b"), ("x", "of b"), ("y", "of b")]);
    for work in [&a, &b] {
        place.done_call(work).ok();
    }
    let merged = place.orch(&["integrate"]).ok();
    assert_eq!(attempt_names(&merged["integrated"]), ["r/a@1"]);
    let rejected = &merged["rejected"][0];
    assert_eq!(
        (&rejected["attempt"], text_list(&rejected["files"])),
        (&"r/b@1".into(), vec!["base.txt".to_owned(), "x".to_owned()])
    );
    assert_eq!(place.last_attempt("b")["state"], "rejected");
    let next = place.start_tree_task("b", "v");
    assert_eq!(next.base, place.branch_tip(), "the next attempt starts from the run's branch");
    let earlier = &next.payload["earlier"][0];
    let head = place.run_git_in(&b.path, ["rev-parse", "HEAD"]);
    assert_eq!((&earlier["commit"], &earlier["branch"]), (&head.as_str().into(), &"orch/r/b.1".into()));
    for part in ["base.txt, x", "orch/r/main", "orch/r/b.1"] {
        assert!(json_text(&earlier["reason"]).contains(part), "{part} is not in {earlier}");
    }
    assert!(json_text(&earlier["log_tail"]).contains("Merge conflict in base.txt"), "{earlier}");
    assert!(next.body.contains(&head) && next.body.contains("base.txt"), "{}", next.body);
    // The worker takes its earlier commits up again.
    let pick = place.shell(&format!("git cherry-pick {head}")).in_folder(&next.path).run();
    assert_eq!(pick.exit, 1, "{pick:?}");
    place.expect_report_refused_in_cherry_pick(&next);
    place
        .shell("git checkout --theirs . && git add --all && git -c core.editor=: cherry-pick --continue")
        .in_folder(&next.path)
        .run();
    place.done_call(&next).ok();
    place.orch(&["integrate"]).ok();
    assert_eq!(
        (place.file_on_branch("base.txt").as_deref(), place.file_on_branch("y").as_deref()),
        (Some("of b"), Some("of b"))
    );
    let text = place.orch(&["events", "--task", "b"]).text();
    assert!(!text.contains('\u{1b}'), "{text}");
    place.check_sound();
}

impl TestEnvironment {
    fn expect_report_refused_in_cherry_pick(&self, work: &super::fixture::ClaimedWorktree) {
        let error = self.done_call(work).fails("worktree_conflict");
        assert_eq!(error["details"]["operation"], "cherry-pick");
    }
}

#[test]
fn a_checkout_of_the_runs_branch_moves_along() {
    let place = TestEnvironment::with_tree_run(&[]);
    let seen = place.sibling_path("seen");
    place.run_git(["worktree", "add", "--quiet", seen.to_str().unwrap(), "orch/r/main"]);
    place.report_task("a", &[("a.txt", "a")]);
    place.orch(&["integrate"]).ok();
    assert_eq!(std::fs::read_to_string(seen.join("a.txt")).unwrap(), "a");
    assert_eq!(place.run_git_in(&seen, ["status", "--porcelain"]), "");
    // What lies there and is not in the way stays; what is in the way is not written over.
    place.add_task("b", &[]);
    place.add_task("c", &[]);
    std::fs::write(seen.join("a.txt"), "mine").unwrap();
    place.report_task("b", &[("b.txt", "b")]);
    place.orch(&["integrate"]).ok();
    assert_eq!(std::fs::read_to_string(seen.join("a.txt")).unwrap(), "mine");
    place.report_task("c", &[("a.txt", "c")]);
    let tip = place.branch_tip();
    let refused = place.orch(&["integrate"]).fails("worktree_dirty");
    assert!(json_text(&refused["message"]).contains(seen.to_str().unwrap()), "{refused}");
    assert!(json_text(&refused["hint"]).contains(seen.to_str().unwrap()), "{refused}");
    assert_eq!(
        (place.branch_tip(), place.task_state("c")),
        (tip, "reported".to_owned()),
        "nothing is rejected for it"
    );
    assert_eq!(std::fs::read_to_string(seen.join("a.txt")).unwrap(), "mine");
    place.run_git_in(&seen, ["checkout", "--quiet", "--", "a.txt"]);
    place.orch(&["integrate"]).ok();
    assert_eq!(
        (place.task_state("c"), std::fs::read_to_string(seen.join("a.txt")).unwrap()),
        ("done".to_owned(), "c".to_owned())
    );
    place.check_sound();
}

#[test]
fn the_leaders_own_checkout_of_it_moves_along_too() {
    let place = TestEnvironment::with_tree_run(&[]);
    place.run_git(["switch", "--quiet", "orch/r/main"]);
    place.report_task("a", &[("a.txt", "a")]);
    place.orch(&["integrate"]).ok();
    assert_eq!(
        (place.run_git(["status", "--porcelain"]), place.repository_path().join("a.txt").exists()),
        (String::new(), true)
    );
}

#[test]
fn a_branch_that_a_person_moved_is_merged_with() {
    let place = TestEnvironment::with_tree_run(&["--verify", "test ! -e bad || test ! -e a.txt"]);
    let person = place.sibling_path("person");
    place.report_task("a", &[("a.txt", "a")]);
    place.run_git(["worktree", "add", "--quiet", "--detach", person.to_str().unwrap(), "orch/r/main"]);
    std::fs::write(person.join("theirs"), "x").unwrap();
    let theirs = place.commit_in(&person, "theirs");
    place.run_git(["update-ref", "refs/heads/orch/r/main", &theirs]);
    place.orch(&["integrate"]).ok();
    assert_eq!(
        (place.file_on_branch("theirs").is_some(), place.file_on_branch("a.txt").is_some()),
        (true, true)
    );
    // Moved while its checks run: what was checked is not what would be there, so all of it begins anew.
    place.add_task("b", &[]);
    let gate = place.make_gate("gate");
    let check = format!("test $ORCH_STAGE != merge || test -e again || {}", gate.wait_command());
    place.orch(&["task", "edit", "b", "--verify", &check]).ok();
    let work = place.start_tree_task("b", "w");
    place.commit_files(&work, &[("b.txt", "b")]);
    place.done_call(&work).ok();
    place.run_git_in(&person, ["checkout", "--quiet", "--detach", "orch/r/main"]);
    std::fs::write(person.join("first"), "x").unwrap();
    let first = place.commit_in(&person, "first");
    place.run_git(["update-ref", "refs/heads/orch/r/main", &first]);
    let integrate = place.orch(&["integrate"]).start();
    let open = gate.wait_reached();
    std::fs::write(person.join("again"), "x").unwrap();
    let again = place.commit_in(&person, "again");
    place.run_git(["update-ref", "refs/heads/orch/r/main", &again]);
    super::fixture::open_gate(open, "go");
    let merged = integrate.wait_output().ok();
    assert_eq!(attempt_names(&merged["integrated"]), ["r/b@1"]);
    for name in ["first", "again", "b.txt", "a.txt", "theirs"] {
        assert!(place.file_on_branch(name).is_some(), "{name}");
    }
    place.check_sound();
}

/// In a run whose tasks are done before they are merged, what does not merge is still said.
#[test]
fn what_was_verified_and_does_not_merge_is_said() {
    let place = TestEnvironment::with_tree_run(&[
        "--done-when",
        "verified",
        "--verify",
        "test ! -e two || test ! -e three",
    ]);
    for key in ["b", "c", "d"] {
        place.add_task(key, &[]);
    }
    for (key, file) in [("a", "same"), ("b", "same"), ("c", "two"), ("d", "three")] {
        place.report_task(key, &[(file, key)]);
        place.orch(&["verify", key]).ok();
    }
    let merged = place.orch(&["integrate"]).ok();
    assert_eq!(attempt_names(&merged["integrated"]), ["r/a@1", "r/c@1"]);
    let faults = merged["faults"].as_array().unwrap();
    assert_eq!(attempt_names(&merged["faults"]), ["r/b@1", "r/d@1"], "{merged}");
    assert!(json_text(&faults[0]["reason"]).contains("same"), "{merged}");
    assert!(json_text(&faults[1]["reason"]).contains("fail after the merge"), "{merged}");
    assert_eq!((place.task_state("b"), place.task_state("d")), ("done".to_owned(), "done".to_owned()));
    assert!(place.orch(&["integrate"]).text().contains("r/b@1"));
    assert_eq!(place.show_run()["state"], "finished");
    place.check_sound();
}

#[test]
fn a_paused_or_cancelled_run_is_not_merged() {
    let place = TestEnvironment::with_tree_run(&[]);
    place.add_task("b", &[]);
    place.report_task("a", &[("a.txt", "a")]);
    let tip = place.branch_tip();
    place.orch(&["run", "pause"]).ok();
    assert_eq!(place.orch(&["integrate"]).ok()["integrated"], json!([]));
    place.orch(&["run", "resume"]).ok();
    place.orch(&["task", "cancel", "a"]).ok();
    assert_eq!(place.orch(&["integrate"]).ok()["integrated"], json!([]));
    assert_eq!(place.branch_tip(), tip);
    place.report_task("b", &[("b.txt", "b")]);
    place.orch(&["run", "cancel"]).ok();
    assert_eq!(place.orch(&["integrate", "r"]).ok()["integrated"], json!([]));
    assert_eq!(place.branch_tip(), tip);
}

#[test]
fn attributes_and_modes_and_links_are_merged_as_git_does() {
    let place = TestEnvironment::with_repository();
    place.commit_all(".gitattributes", "list merge=union\n");
    place.commit_all("list", "0\n");
    place.begin_run("r", &[]);
    for key in ["a", "b"] {
        place.add_task(key, &[]);
    }
    let (a, b) = (place.start_tree_task("a", "w"), place.start_tree_task("b", "v"));
    place.commit_files(&a, &[("list", "0\na\n")]);
    b.write_file("list", "0\nb\n");
    place
        .shell("ln -s base.txt link && printf '#!/bin/sh\\n' > tool && chmod +x tool")
        .in_folder(&b.path)
        .run();
    place.commit_in(&b.path, "b");
    for work in [&a, &b] {
        place.done_call(work).ok();
    }
    let merged = place.orch(&["integrate"]).ok();
    assert_eq!(merged["rejected"], json!([]), "{merged}");
    assert_eq!(place.file_on_branch("list").as_deref(), Some("0\na\nb"));
    let modes = place.run_git(["ls-tree", "orch/r/main", "link", "tool"]);
    assert!(modes.contains("120000 blob") && modes.contains("100755 blob"), "{modes}");
}

/// What becomes of an attempt while its checks run counts: it is merged as it then is, or not at all.
#[test]
fn what_was_ended_while_it_was_checked_is_not_merged() {
    for (verb, state, stage) in [
        (&["recall", "a"][..], "ready", "attempt"),
        (&["task", "cancel", "a"], "cancelled", "merge"),
        (&["reject", "a", "--reason", "No."], "ready", "merge"),
        (&["accept", "a", "--commit", "orch/r/a.1"], "reported", "merge"),
    ] {
        let place = TestEnvironment::with_tree_run(&[]);
        let gate = place.make_gate("gate");
        let check = format!("test $ORCH_STAGE != {stage} || {}", gate.wait_command());
        place.orch(&["task", "edit", "a", "--verify", &check]).ok();
        let work = place.report_task("a", &[("a.txt", "reported")]);
        place.add_task("b", &[]);
        place.report_task("b", &[("b.txt", "b")]);
        // Something else is on the branch, so that there is something to be merged with.
        let other = place.commit_all("other", "x");
        place.run_git(["update-ref", "refs/heads/orch/r/main", &other]);
        work.write_file("a.txt", "later");
        place.commit_in(&work.path, "later");
        let integrate = place.orch(&["integrate"]).start();
        let open = gate.wait_reached();
        place.orch(verb).ok();
        super::fixture::open_gate(open, "go");
        let merged = integrate.wait_output().ok();
        assert_eq!(attempt_names(&merged["integrated"]), ["r/b@1"], "{verb:?} {stage}: {merged}");
        assert_eq!(
            (place.file_on_branch("a.txt"), place.task_state("a")),
            (None, state.to_owned()),
            "{verb:?} {stage}"
        );
        if state == "reported" {
            assert_eq!(attempt_names(&place.orch(&["integrate"]).ok()["integrated"]), ["r/a@1"]);
            assert_eq!(place.file_on_branch("a.txt").as_deref(), Some("later"));
        }
        place.check_sound();
    }
}

#[test]
fn a_run_that_is_paused_meanwhile_is_merged_no_further() {
    let place = TestEnvironment::with_tree_run(&[]);
    place.add_task("b", &[]);
    let gate = place.make_gate("gate");
    place.orch(&["task", "edit", "a", "--verify", &gate.wait_once_command()]).ok();
    for key in ["a", "b"] {
        place.report_task(key, &[(key, "x")]);
    }
    let integrate = place.orch(&["integrate"]).start();
    let open = gate.wait_reached();
    place.orch(&["run", "pause"]).ok();
    super::fixture::open_gate(open, "go");
    integrate.wait_output().ok();
    assert_eq!((place.file_on_branch("b"), place.task_state("b")), (None, "reported".to_owned()));
    place.orch(&["run", "resume"]).ok();
    place.orch(&["integrate"]).ok();
    assert_eq!((place.task_state("a"), place.task_state("b")), ("done".to_owned(), "done".to_owned()));
}

/// A tree that somebody works in is not taken away under them.
#[test]
fn a_tree_that_is_worked_in_stays() {
    let place = TestEnvironment::with_tree_run(&[]);
    let work = place.report_task("a", &[("a.txt", "a")]);
    let gate = place.make_gate("gate");
    let worker = place.shell(&gate.wait_command()).in_folder(&work.path).start();
    let open = gate.wait_reached();
    let merged = place.orch(&["integrate"]).ok();
    assert_eq!(attempt_names(&merged["integrated"]), ["r/a@1"]);
    assert!(work.path.join("a.txt").exists());
    super::fixture::open_gate(open, "go");
    worker.wait_output();
    assert_eq!(place.last_attempt("a")["worktree"]["state"], "present");
    place.check_sound();
}

#[test]
fn a_lead_who_waits_hears_of_a_rejection() {
    let place = TestEnvironment::with_tree_run(&["--verify", "test ! -e bad"]);
    place.report_task("a", &[("bad", "x")]);
    place.orch(&["integrate"]).ok();
    let heard = place.orch(&["wait", "--for", "failed", "--timeout", "0s"]).ok();
    assert_eq!(crate::scheduling::event_kinds(&heard["events"]), ["rejected"]);
    assert_eq!(heard["events"][0]["data"]["tries_left"], 2);
}
