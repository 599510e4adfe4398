//! The run's branch in the hands of others: advanced, moved, deleted, and how it is repaired.

use serde_json::{Value, json};

use super::fixture::{open_gate, text_list};
use crate::scheduling::{event_kinds, json_text};
use crate::test_environment::TestEnvironment;

const BRANCH: &str = "refs/heads/orch/r/main";

/// A run with a task that is merged and one that is reported; the options are those of the run.
fn merged_and_reported(more: &[&str]) -> TestEnvironment {
    let place = TestEnvironment::with_repository();
    place.begin_run("r", more);
    place.add_task("a", &[]);
    place.report_task("a", &[("a", "a")]);
    place.orch(&["integrate"]).ok();
    place.add_task("b", &[]);
    place.report_task("b", &[("b", "b")]);
    place
}

fn count_events(place: &TestEnvironment, kind: &str) -> usize {
    let events = place.orch(&["events", "--run", "r", "--limit", "1000"]).ok();
    event_kinds(&events["events"]).iter().filter(|found| *found == kind).count()
}

/// Sees that the run is paused because of its branch, and that every answer tells it.
fn check_paused(place: &TestEnvironment, tip: &str, found: Option<&str>) {
    let run = place.orch(&["status", "r"]).ok()["run"].clone();
    assert_eq!((&run["state"], &run["pause"]["reason"]), (&"paused".into(), &"branch_moved".into()), "{run}");
    let message = json_text(&run["pause"]["message"]);
    assert!(message.contains(tip) && found.is_none_or(|found| message.contains(found)), "{message}");
    let next = text_list(&run["pause"]["next"]);
    assert_eq!(next[0], "orch run repair r --restore");
    assert_eq!(next.len(), if found.is_some() { 2 } else { 1 }, "{next:?}");
    let blocked = place.orch(&["blocked"]).ok();
    assert_eq!(blocked["paused"][0]["pause"]["reason"], "branch_moved", "{blocked}");
    for command in
        [&["integrate", "r"][..], &["land", "r", "--onto", "main", "--partial"], &["run", "resume", "r"]]
    {
        let refused = place.orch(command).fails("branch_moved");
        assert_eq!(refused["hint"], "orch run repair r --restore");
        assert_eq!(
            (&refused["details"]["expected"], &refused["details"]["found"]),
            (&tip.into(), &json!(found)),
            "{refused}"
        );
    }
    assert_eq!((count_events(place, "branch_moved"), count_events(place, "paused")), (1, 1));
}

/// What others do to the run's branch.
type BranchMove = fn(&TestEnvironment);

#[test]
fn a_branch_that_was_moved_is_told_and_restored() {
    let base = |place: &TestEnvironment| place.resolve_commit("main");
    // What others do, whether a commit of the branch is left, and whether work fell off it.
    let moves: [(&str, BranchMove); 5] = [
        ("reset", |place| drop(place.run_git(["branch", "--force", "orch/r/main", "main"]))),
        ("deleted", |place| drop(place.run_git(["branch", "-D", "orch/r/main"]))),
        ("renamed", |place| drop(place.run_git(["branch", "-m", "orch/r/main", "elsewhere"]))),
        ("symbolic", |place| drop(place.run_git(["symbolic-ref", BRANCH, "refs/heads/main"]))),
        ("amended", |place| {
            let checkout = place.sibling_path("checkout");
            place.run_git(["worktree", "add", "--quiet", checkout.to_str().unwrap(), "orch/r/main"]);
            place.run_git_in(&checkout, ["commit", "--quiet", "--amend", "--message", "amended"]);
        }),
    ];
    for (name, act) in moves {
        let place = merged_and_reported(&[]);
        let tip = place.branch_tip();
        act(&place);
        let found = match name {
            "deleted" | "renamed" => None,
            "amended" => Some(place.branch_tip()),
            _ => Some(base(&place)),
        };
        check_paused(&place, &tip, found.as_deref());
        let why = place.orch(&["why", "a"]).ok();
        assert_eq!(why["reasons"][0]["code"], "branch_moved", "{name}: {why}");
        let repaired = place.orch(&["run", "repair", "r", "--restore"]).ok();
        assert_eq!(
            (&repaired["commit"], &repaired["run"]["state"], &repaired["checks"]),
            (&tip.clone().into(), &"open".into(), &json!([])),
            "{name}"
        );
        assert_eq!(place.resolve_commit(BRANCH), tip, "{name}");
        assert_eq!(place.run_git(["for-each-ref", "--format=%(symref)", BRANCH]).trim(), "", "{name}");
        if name == "amended" {
            let kept = format!("refs/orch/kept/r/branch/{}", found.unwrap());
            place.resolve_commit(&kept);
            let checkout = place.sibling_path("checkout");
            assert_eq!(place.run_git_in(&checkout, ["status", "--porcelain"]), "", "its files moved along");
        }
        assert_eq!(place.orch(&["run", "repair", "r", "--restore"]).ok()["commit"], tip, "idempotent");
        let merged = place.orch(&["integrate", "r"]).ok();
        assert_eq!(merged["integrated"].as_array().unwrap().len(), 1, "{name}: {merged}");
        let landed = place.orch(&["land", "r", "--onto", "main"]).ok();
        assert_eq!(landed["landed_total"], 2, "{name}");
        place.check_sound();
    }
}

#[test]
fn a_branch_made_again_where_it_was_is_no_news() {
    let place = merged_and_reported(&[]);
    let tip = place.branch_tip();
    place.run_git(["branch", "-D", "orch/r/main"]);
    place.run_git(["branch", "orch/r/main", &tip]);
    place.run_git(["pack-refs", "--all"]);
    assert_eq!(place.orch(&["status", "r"]).ok()["run"]["state"], "open");
    place.orch(&["integrate"]).ok();
    assert_eq!((count_events(&place, "branch_moved"), count_events(&place, "branch_advanced")), (0, 0));
}

#[test]
fn a_finished_run_whose_branch_lost_its_work_is_not_landed() {
    let place = merged_and_reported(&[]);
    place.orch(&["integrate"]).ok();
    let tip = place.branch_tip();
    place.run_git(["update-ref", BRANCH, "main"]);
    let refused = place.orch(&["land", "r", "--onto", "main"]).fails("branch_moved");
    assert!(json_text(&refused["message"]).contains("The commits of a, b are no longer on it."), "{refused}");
    let stuck = place.orch(&["blocked", "--run", "r"]).ok()["stuck"].clone();
    let tasks: Vec<String> = stuck.as_array().unwrap().iter().map(|one| json_text(&one["task"])).collect();
    assert_eq!(tasks, ["r/a", "r/b"], "{stuck}");
    place.orch(&["run", "repair", "r", "--restore"]).ok();
    assert_eq!(place.show_run()["state"], "finished");
    place.orch(&["land", "r", "--onto", "main"]).ok();
    assert_eq!(place.resolve_commit("main"), tip);
    // After a landing the branch may be deleted.
    place.run_git(["branch", "-D", "orch/r/main"]);
    assert_eq!(place.orch(&["status", "r"]).ok()["run"]["state"], "finished");
    place.check_sound();
}

#[test]
fn an_adopted_branch_gets_back_what_fell_off_it() {
    let place = merged_and_reported(&["--verify", "test ! -e forbidden"]);
    let tip = place.branch_tip();
    let other = place.commit_all("other", "x");
    place.run_git(["update-ref", BRANCH, &other]);
    check_paused(&place, &tip, Some(&other));
    let adopted = place.orch(&["run", "repair", "r", "--adopt"]).ok();
    assert_eq!(
        (&adopted["commit"], &adopted["checks"][0]["state"]),
        (&other.clone().into(), &"passed".into())
    );
    assert_eq!(adopted["unmerged"], json!(["r/a"]));
    place.resolve_commit(&format!("refs/orch/kept/r/branch/{tip}"));
    let why = place.orch(&["why", "a"]).ok();
    assert_eq!(
        (&why["reasons"][0]["code"], &why["reasons"][0]["next"]),
        (&"branch_moved".into(), &"orch integrate r".into())
    );
    let merged = place.orch(&["integrate", "r"]).ok();
    assert_eq!(merged["integrated"].as_array().unwrap().len(), 2, "{merged}");
    for name in ["a", "b", "other"] {
        assert!(place.file_on_branch(name).is_some(), "{name}");
    }
    assert_eq!(place.orch(&["land", "r", "--onto", "main"]).ok()["landed_total"], 2);
    place.check_sound();
}

#[test]
fn what_fails_the_checks_is_not_adopted_and_a_deleted_branch_cannot_be() {
    let place = merged_and_reported(&["--verify", "test ! -e forbidden"]);
    let bad = place.commit_all("forbidden", "x");
    place.run_git(["update-ref", BRANCH, &bad]);
    place.orch(&["run", "repair", "r", "--adopt"]).fails("check_failed");
    place.run_git(["update-ref", "-d", BRANCH]);
    let refused = place.orch(&["run", "repair", "r", "--adopt"]).fails("branch_moved");
    assert_eq!(refused["hint"], "orch run repair r --restore");
    place.orch(&["run", "repair", "r", "--restore"]).ok();
    place.orch(&["integrate", "r"]).ok();
}

/// Commits a file in a checkout of the run's branch, as a person does.
fn commit_on_branch(place: &TestEnvironment, name: &str) -> String {
    let checkout = place.sibling_path("checkout");
    place.run_git(["worktree", "add", "--quiet", checkout.to_str().unwrap(), "orch/r/main"]);
    std::fs::create_dir_all(checkout.join(name).parent().unwrap()).unwrap();
    std::fs::write(checkout.join(name), "x").unwrap();
    let commit = place.commit_in(&checkout, "by a person");
    place.run_git(["worktree", "remove", checkout.to_str().unwrap()]);
    commit
}

fn advanced_event(place: &TestEnvironment) -> Value {
    let events = place.orch(&["events", "--run", "r", "--limit", "1000"]).ok()["events"].clone();
    let mut found = events.as_array().unwrap().iter().filter(|event| event["kind"] == "branch_advanced");
    let event = found.next().unwrap_or_else(|| panic!("{events}"))["data"].clone();
    assert!(found.next().is_none(), "told once: {events}");
    event
}

#[test]
fn commits_of_others_are_told_and_checked_before_the_next_merge() {
    let place = merged_and_reported(&["--verify", "test ! -e forbidden", "--protect", "tests/**"]);
    let tip = place.branch_tip();
    let more = commit_on_branch(&place, "tests/new");
    place.orch(&["status", "r"]).ok();
    let event = advanced_event(&place);
    assert_eq!((&event["from"], &event["to"]), (&tip.into(), &more.clone().into()), "{event}");
    assert_eq!(event["commits"], json!([more]));
    assert_eq!(event["authors"].as_array().unwrap().len(), 1);
    let merged = place.orch(&["integrate", "r"]).ok();
    assert_eq!(merged["integrated"].as_array().unwrap().len(), 1, "{merged}");
    advanced_event(&place);
    assert_eq!(place.show_run()["state"], "finished");
    place.orch(&["land", "r", "--onto", "main"]).ok();
    place.check_sound();
}

#[test]
fn commits_of_others_that_fail_the_checks_pause_the_run() {
    for name in ["forbidden", "tests/smuggled"] {
        let place = merged_and_reported(&["--verify", "test ! -e forbidden", "--protect", "tests/**"]);
        let tip = place.branch_tip();
        let work = place.sibling_path("elsewhere");
        place.run_git(["worktree", "add", "--quiet", "--detach", work.to_str().unwrap(), &tip]);
        std::fs::create_dir_all(work.join(name).parent().unwrap()).unwrap();
        std::fs::write(work.join(name), "x").unwrap();
        let bad = place.commit_in(&work, "smuggled");
        place.run_git(["update-ref", BRANCH, &bad]);
        place.orch(&["integrate", "r"]).fails("branch_moved");
        check_paused(&place, &tip, Some(&bad));
        assert_eq!(place.resolve_commit("main"), place.resolve_commit(&format!("{tip}~1")), "nothing landed");
        place.orch(&["run", "repair", "r", "--restore"]).ok();
        place.orch(&["integrate", "r"]).ok();
        assert!(place.file_on_branch(name).is_none());
    }
}

#[test]
fn a_run_may_be_paused_by_every_commit_of_others() {
    let place = merged_and_reported(&["--on-branch-move", "pause"]);
    let tip = place.branch_tip();
    let more = commit_on_branch(&place, "more");
    check_paused(&place, &tip, Some(&more));
    assert_eq!(place.orch(&["run", "repair", "r", "--adopt"]).ok()["commit"], more);
    place.orch(&["run", "edit", "r", "--on-branch-move", "check"]).ok();
    place.orch(&["integrate", "r"]).ok();
    assert!(place.file_on_branch("more").is_some());
}

#[test]
fn a_changed_checkout_of_the_branch_pauses_the_run_at_once() {
    let place = TestEnvironment::with_tree_run(&[]);
    place.report_task("a", &[("a", "a")]);
    let checkout = place.sibling_path("checkout");
    place.run_git(["worktree", "add", "--quiet", checkout.to_str().unwrap(), "orch/r/main"]);
    std::fs::write(checkout.join("a"), "mine").unwrap();
    place.orch(&["integrate"]).run();
    let run = place.show_run();
    assert_eq!(run["pause"]["reason"], "operation_failed", "{run}");
    assert_eq!(place.orch(&["blocked"]).ok()["stuck"].as_array().unwrap().len(), 1);
    std::fs::remove_file(checkout.join("a")).unwrap();
    place.orch(&["run", "resume"]).ok();
    place.orch(&["integrate"]).ok();
    assert_eq!(std::fs::read_to_string(checkout.join("a")).unwrap(), "a");
}

#[test]
fn hooks_run_for_merges_only_where_the_run_wants_them() {
    for (options, expected) in [(&[][..], false), (&["--run-hooks"], true)] {
        let place = TestEnvironment::with_repository();
        place.begin_run("r", options);
        for key in ["a", "b"] {
            place.add_task(key, &[]);
            place.start_tree_task(key, "w");
            place.orch(&["recall", key]).ok();
        }
        for key in ["a", "b"] {
            place.report_task(key, &[(key, key)]);
        }
        install_hook(&place, "commit-msg", "echo 'Hooked: yes' >> \"$1\"");
        place.orch(&["integrate"]).ok();
        let message = place.run_git(["log", "-1", "--format=%B", "orch/r/main"]);
        assert_eq!(message.contains("Hooked: yes"), expected, "{message}");
    }
}

/// Installs a hook of the user.
fn install_hook(place: &TestEnvironment, name: &str, script: &str) {
    let (text, hook) = (place.sibling_path("hook"), place.repository_path().join(".git/hooks").join(name));
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::write(&text, format!("#!/bin/sh\n{script}\n")).unwrap();
    let install = std::process::Command::new("install").args(["-m", "755"]).args([&text, &hook]).status();
    assert!(install.unwrap().success());
}

/// If an attempt could end while its commit is on the branch already, its work would be done twice.
#[test]
fn an_attempt_cannot_be_taken_back_while_it_is_merged() {
    for is_killed in [false, true] {
        let place = TestEnvironment::with_repository();
        place.begin_run("r", &["--run-hooks"]);
        place.add_task("a", &[]);
        let gate = place.make_gate("gate");
        install_hook(&place, "post-merge", &gate.wait_once_command());
        place.report_task("a", &[("a", "a")]);
        let mut merging = place.orch(&["integrate"]).start();
        let open = gate.wait_reached();
        let take_back: [&[&str]; 4] = [
            &["recall", "a"],
            &["task", "cancel", "a"],
            &["reject", "a", "--reason", "no"],
            &["accept", "a", "--commit", "main"],
        ];
        for words in take_back {
            place.orch(words).fails("store_busy");
        }
        if is_killed {
            merging.child.kill().unwrap();
            merging.child.wait().unwrap();
            place.orch(&["recall", "a"]).fails("store_busy");
            drop(open);
            place.orch(&["reconcile"]).ok();
        } else {
            open_gate(open, "go");
            assert_eq!(merging.wait_output().exit, 0);
        }
        assert_eq!(place.task_state("a"), "done");
        place.orch(&["recall", "a"]).fails("attempt_not_found");
        place.check_sound();
    }
}

#[test]
fn hooks_run_for_a_landing_that_asks_for_them() {
    for (options, expected) in [(&[][..], false), (&["--run-hooks"], true)] {
        let place = TestEnvironment::with_tree_run(&[]);
        place.report_task("a", &[("a", "a")]);
        place.orch(&["integrate"]).ok();
        place.commit_all("meanwhile", "x");
        let merged = place.sibling_path("merged");
        install_hook(&place, "commit-msg", "echo 'Hooked: yes' >> \"$1\"");
        install_hook(&place, "post-merge", &format!("echo \"$1\" >> '{}'", merged.display()));
        place.orch(&[&["land", "--onto", "main"], options].concat()).ok();
        let message = place.run_git(["log", "-1", "--format=%B", "main"]);
        assert_eq!((message.contains("Hooked: yes"), merged.exists()), (expected, expected), "{message}");
        // A hook that refuses the merge keeps the branch where it is.
        if expected {
            place.add_task("b", &[]);
            place.report_task("b", &[("b", "b")]);
            place.orch(&["integrate"]).ok();
            let tip = place.commit_all("more", "x");
            install_hook(&place, "pre-merge-commit", "echo not on a Friday >&2; exit 1");
            let refused = place.orch(&["land", "--onto", "main", "--run-hooks"]).run();
            assert!(refused.exit != 0 && refused.document().to_string().contains("not on a Friday"));
            assert_eq!(place.resolve_commit("main"), tip);
        }
        place.check_sound();
    }
}

#[test]
fn merges_carry_trailers_and_are_signed_as_the_users_commits_are() {
    for (option, signs) in [(None, true), (Some("--no-trailers"), false)] {
        let place = TestEnvironment::with_repository();
        let program = place.sibling_path("gpg");
        let script = "#!/bin/sh\ncat > /dev/null\necho '[GNUPG:] SIG_CREATED ' >&2\nprintf -- '-----BEGIN PGP SIGNATURE-----\\n\\nx\\n-----END PGP SIGNATURE-----\\n'\n";
        let text = place.sibling_path("gpg.txt");
        std::fs::write(&text, script).unwrap();
        let install =
            std::process::Command::new("install").args(["-m", "755"]).args([&text, &program]).status();
        assert!(install.unwrap().success());
        place.begin_run("r", &option.into_iter().collect::<Vec<_>>());
        for key in ["a", "b"] {
            place.add_task(key, &[]);
            place.start_tree_task(key, "w");
        }
        if signs {
            place.run_git(["config", "gpg.program", program.to_str().unwrap()]);
            place.run_git(["config", "commit.gpgSign", "true"]);
        }
        for key in ["a", "b"] {
            place.orch(&["recall", key]).ok();
            place.report_task(key, &[(key, key)]);
        }
        place.orch(&["accept", "b"]).ok();
        place.orch(&["integrate"]).ok();
        let merge = place.run_git(["cat-file", "commit", "orch/r/main"]);
        assert_eq!(merge.contains("gpgsig"), signs, "{merge}");
        let trailers = place.run_git(["log", "-1", "--format=%(trailers)", "orch/r/main"]);
        let expected = "Orch-Task: r/b@2\nOrch-Checks: overridden\nOrch-Accepted-By: lead";
        assert_eq!(trailers.trim(), if option.is_none() { expected } else { "" });
    }
}
