//! What a lead sees of the work before it is merged: what an attempt changed, who clashes with whom, and how it all went.

use std::process::Command;

use serde_json::{Value, json};

use crate::scheduling::json_text;
use crate::test_environment::TestEnvironment;

fn show_diff(place: &TestEnvironment, arguments: &[&str]) -> Value {
    place.orch(&[&["diff"], arguments, &["--json"]].concat()).ok()
}

#[test]
fn a_diff_follows_the_branch_and_ends_with_the_report() {
    let place = TestEnvironment::with_tree_run(&[]);
    let nothing = place.orch(&["diff", "a"]).fails("attempt_not_found");
    assert_eq!(nothing["details"]["task"], "r/a");
    place.orch(&["diff", "nobody"]).fails("task_not_found");
    let work = place.start_tree_task("a", "w");
    let empty = show_diff(&place, &["a"]);
    assert_eq!(
        (&empty["base_commit"], &empty["head_commit"]),
        (&work.base.clone().into(), &work.base.clone().into())
    );
    assert_eq!((&empty["files"], &empty["diff"]), (&json!([]), &"".into()));
    let first = place.commit_files(&work, &[("new", "one\ntwo\n"), ("base.txt", "changed\n")]);
    work.write_file("not-committed", "x");
    let shown = show_diff(&place, &["a"]);
    assert_eq!(
        (&shown["task"], &shown["attempt"], &shown["head_commit"]),
        (&"r/a".into(), &"r/a@1".into(), &first.into())
    );
    assert_eq!(
        shown["files"],
        json!([{"path": "base.txt", "added": 1, "removed": 1}, {"path": "new", "added": 2, "removed": 0}])
    );
    assert_eq!((&shown["files_total"], &shown["cut"]), (&2.into(), &false.into()));
    assert!(json_text(&shown["stat"]).contains("2 files changed, 3 insertions(+), 1 deletion(-)"), "{shown}");
    // As it is it can be applied elsewhere.
    let raw = place.orch(&["diff", "a"]).run();
    assert_eq!(shown["diff"], raw.stdout);
    let patch = place.sibling_path("patch");
    std::fs::write(&patch, &raw.stdout).unwrap();
    place.run_git(["apply", "--check", patch.to_str().unwrap()]);
    let stat = show_diff(&place, &["r/a@1", "--stat"]);
    assert_eq!((&stat["stat"], &stat["diff"]), (&shown["stat"], &Value::Null));
    assert_eq!(stat["stat"], place.orch(&["diff", "a", "--stat"]).run().stdout);
    // Once it is reported, what is reported counts, wherever its branch goes.
    std::fs::remove_file(work.path.join("not-committed")).unwrap();
    place.done_call(&work).ok();
    place.orch(&["integrate"]).ok();
    assert_eq!(show_diff(&place, &["a"]), shown);
    place.orch(&["diff", "a@2"]).fails("attempt_not_found");
    let plain = TestEnvironment::with_run("p");
    plain.add_task("a", &[]);
    plain.dispatch_task("a", "w");
    plain.orch(&["diff", "a"]).fails("attempt_not_found");
}

#[test]
fn an_attempt_that_ended_otherwise_shows_how_far_it_came() {
    let place = TestEnvironment::with_tree_run(&[]);
    let work = place.start_tree_task("a", "w");
    let head = place.commit_files(&work, &[("new", "one\n")]);
    place.fail_work(&work.held, "No.");
    assert_eq!(show_diff(&place, &["a"])["head_commit"], head);
    place.orch(&["worktree", "remove", "a"]).ok();
    assert_eq!(show_diff(&place, &["a@1"])["head_commit"], head);
    let second = place.start_tree_task("a", "w");
    assert_eq!(show_diff(&place, &["a"])["head_commit"], second.base);
}

#[test]
fn what_others_wrote_does_nothing_to_a_terminal() {
    let place = TestEnvironment::with_tree_run(&[]);
    let work = place.start_tree_task("a", "w");
    place.commit_files(&work, &[("new", "\tx \u{1b}[31mred\u{1b}[0m\n")]);
    let raw = place.orch(&["diff", "a"]).run().stdout;
    assert!(raw.contains("+\tx \u{1b}[31mred"), "it is as git prints it: {raw:?}");
    // A terminal of its own, by the program that records one.
    let line = format!("{} diff a", env!("CARGO_BIN_EXE_orch"));
    let mut script = Command::new("script");
    script
        .args(["-qec", &line, "/dev/null"])
        .current_dir(place.repository_path())
        .env_clear()
        .env("NO_COLOR", "1");
    script.envs(place.repo_environment().variables.iter().map(|(name, value)| (name, value)));
    script.stdin(std::process::Stdio::null());
    let Ok(output) = script.output() else { return };
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(shown.contains("+\tx ␛[31mred␛[0m"), "{shown:?}");
}

#[test]
fn attempts_that_do_not_merge_are_seen_before_they_are_merged() {
    let place = TestEnvironment::with_repository();
    place.commit_all("shared", "1\n2\n3\n");
    place.begin_run("r", &[]);
    let clashes = |place: &TestEnvironment| place.orch(&["status", "r"]).ok()["clashes"].clone();
    for key in ["a", "b", "c"] {
        place.add_task(key, &[]);
    }
    assert_eq!(clashes(&place), json!([]));
    let (a, b, c) = (
        place.start_tree_task("a", "wa"),
        place.start_tree_task("b", "wb"),
        place.start_tree_task("c", "wc"),
    );
    place.commit_files(&a, &[("shared", "one\n2\n3\n")]);
    assert_eq!(clashes(&place), json!([]), "one alone clashes with nobody");
    place.commit_files(&b, &[("shared", "eins\n2\n3\n")]);
    place.commit_files(&c, &[("shared", "1\n2\n3\nfour\n"), ("other", "c")]);
    assert_eq!(clashes(&place), json!([{"attempts": ["r/a@1", "r/b@1"], "files": ["shared"]}]));
    let page = place.orch(&["status", "r"]).text();
    assert!(page.contains("r/a@1 and r/b@1 do not merge: shared"), "{page}");
    // Still so when one of them is reported, and no more when it is ended.
    place.done_call(&a).ok();
    assert_eq!(clashes(&place).as_array().unwrap().len(), 1);
    place.orch(&["recall", "b"]).ok();
    assert_eq!(clashes(&place), json!([]));
    // A repository that is gone keeps nobody from the rest.
    std::fs::rename(place.repository_path().join(".git"), place.sibling_path("away")).unwrap();
    let store = place.sibling_path("away/orch/orch.db");
    let status = place.orch(&["status", "r", "--store", store.to_str().unwrap()]).ok();
    assert_eq!(status["clashes"], json!([]));
}

#[test]
fn a_report_tells_what_landed_and_what_did_not() {
    let place = TestEnvironment::with_repository();
    place.begin_run(
        "r",
        &["--goal", "Ship it.\n# Not a heading", "--max-attempts", "1", "--verify", "test ! -e bad"],
    );
    for key in ["a", "b", "c", "d"] {
        place.add_task(key, &[]);
    }
    let a = place.start_tree_task("a", "wa");
    place.holder_call(&a.held, &["ask", &a.held.thread, "Which `one`?", "--option", "x"]).ok();
    assert!(place.orch(&["report", "r"]).run().stdout.contains("orch answer r/a TEXT"));
    place.orch(&["answer", "a", "x"]).ok();
    place.commit_files(&a, &[("a", "a")]);
    place.done_call(&a).ok();
    place.report_task("b", &[("bad", "bad")]);
    place.report_task("c", &[("bad", "bad")]);
    place.orch(&["accept", "c", "--reason", "Known to be bad."]).ok();
    place.orch(&["integrate"]).ok();
    let report = place.orch(&["report", "r"]).run();
    assert_eq!(report.exit, 0);
    let page = report.stdout;
    for line in [
        "# r: A goal",
        "> Ship it.\n> \\# Not a heading",
        "**under way**: 2 of 4 tasks are done.",
        "Nothing has landed.",
        "## Done (2)",
        "- `r/a@1` Do it: checks passed, merged as",
        "- `r/c@1` Do it: accepted by hand, merged as",
        "## Not done (2)",
        "- `r/b` Do it, failed: `test ! -e bad` exited with status 1.",
        "- `r/d` Do it, ready",
        "## Accepted by hand (1)",
        "- `r/c@1` accepted (lead): Known to be bad.",
        "## Attempts that came to nothing (1)",
        "- `r/b@1` rejected (w-b):",
        "- `r/a@1` wa asked: Which \\`one\\`?\n  - answered by lead: x",
        "orch task retry r/b\norch dispatch --all --to AGENT --run r\n",
    ] {
        let line = line.replace("`test ! -e bad`", "\\`test ! -e bad\\`");
        assert!(page.contains(&line), "{line}\n{page}");
    }
    place.orch(&["task", "cancel", "d"]).ok();
    let page = place.orch(&["report", "r"]).run().stdout;
    assert!(
        page.contains("**succeeded in part**") && page.contains("orch land r --onto main --partial\n"),
        "{page}"
    );
    place.orch(&["land", "r", "--onto", "main", "--partial"]).ok();
    let page = place.orch(&["report", "r"]).run().stdout;
    assert!(page.contains("- on `main` at `") && page.contains("orch run rm r\n"), "{page}");
    assert!(!page.contains("orch land"), "{page}");
    let json = place.orch(&["report", "r", "--json"]).ok();
    assert_eq!(json["document"], page);
    // Without a repository there is nothing to land.
    let plain = TestEnvironment::with_run("p");
    plain.add_task("a", &[]);
    plain.complete_task("a", "w");
    let page = plain.orch(&["report"]).run().stdout;
    assert!(page.contains("- `p/a@1` Do it: not checked\n") && !page.contains("anded"), "{page}");
}
