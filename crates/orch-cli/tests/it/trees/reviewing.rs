//! `orch review`: the evidence on a run, on one page.

use serde_json::json;

use crate::test_environment::TestEnvironment;

#[test]
fn a_review_shows_the_evidence_on_each_task_and_what_deserves_attention_first() {
    let place = TestEnvironment::with_repository();
    place.begin_run("r", &["--max-attempts", "1", "--verify", "test ! -e bad", "--protect", "LICENSE"]);
    place.orch(&["task", "add", "Parse *it*", "--key", "a", "--accept", "Parses an empty file."]).ok();
    place.add_task("b", &[]);
    let a = place.start_tree_task("a", "wa");
    place.holder_call(&a.held, &["ask", &a.held.thread, "Which one?", "--option", "x"]).ok();
    place.orch(&["answer", "a", "x"]).ok();
    place.commit_files(
        &a,
        &[("src/parse", "1\n2\n"), ("Cargo.toml", "[package]\n"), ("AGENTS.md", "Obey.\n")],
    );
    place.done_call(&a).ok();
    place.report_task("b", &[("bad", "bad")]);
    place.orch(&["accept", "b", "--reason", "Known to be bad."]).ok();
    place.orch(&["integrate"]).ok();

    let data = place.orch(&["review", "r"]).ok();
    assert_eq!(data["files_total"], 4);
    let first: Vec<_> = data["read_first"].as_array().unwrap().iter().collect();
    assert_eq!(
        first.iter().map(|file| (&file["path"], &file["risk"], &file["tasks"])).collect::<Vec<_>>(),
        [
            (&json!("AGENTS.md"), &json!("agent_instructions"), &json!(["r/a"])),
            (&json!("Cargo.toml"), &json!("dependencies"), &json!(["r/a"])),
        ]
    );
    assert_eq!(data["by_hand"][0]["attempt"], "r/b@1");
    assert_eq!(data["by_hand"][0]["reason"], "Known to be bad.");
    assert_eq!(data["unchecked"], json!([]));
    let question = &data["questions"][0];
    assert_eq!((&question["answer"], &question["answered_by"]), (&json!("x"), &json!("lead")));
    let task = &data["tasks"][0];
    assert_eq!(task["accept"], json!(["Parses an empty file."]));
    assert_eq!(
        (&task["checks"][0]["command"], &task["checks"][0]["state"]),
        (&json!("test ! -e bad"), &json!("passed"))
    );
    assert_eq!(task["checks"][0]["tree"].as_str().unwrap().len(), 40);
    assert_eq!((&task["files_total"], &task["checks_missing"]), (&json!(3), &json!([])));
    assert_eq!(data["cost_usd"], json!(null));
    assert_eq!(data["next"], json!(["orch land r --onto main"]));

    let text = place.orch(&["review"]).text();
    for line in [
        "Read these files first",
        "AGENTS.md  +1 −0, agents obey it, by r/a",
        "wanted: Parses an empty file.",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let page = place.orch(&["review", "r", "--markdown"]).run().stdout;
    for line in [
        "# Review of r: A goal\n\nfinished: 2 of 2 tasks are done; 4 files changed, +",
        "cost unknown.",
        "- `r/a@1` Parse \\*it\\* (checks passed)",
        "  - `test ! -e bad` passed on tree ",
        "- `r/b@1` accepted by lead: Known to be bad.",
    ] {
        assert!(page.contains(line), "{line}\n{page}");
    }
}

#[test]
fn a_review_names_protected_files_commits_of_others_and_tasks_without_checks() {
    let place = TestEnvironment::with_repository();
    place.begin_run("r", &["--protect", "LICENSE"]);
    place.add_task("a", &[]);
    place.report_task("a", &[("a", "a")]);
    place.orch(&["integrate"]).ok();
    // A person commits on the run's branch.
    let checkout = place.sibling_path("mine");
    place.run_git(["worktree", "add", "--quiet", checkout.to_str().unwrap(), "orch/r/main"]);
    std::fs::write(checkout.join("LICENSE"), "Free.\n").unwrap();
    place.commit_in(&checkout, "By a person");
    place.orch(&["status", "r"]).ok();
    let data = place.orch(&["review", "r"]).ok();
    assert_eq!(data["unchecked"], json!(["r/a"]));
    let file = &data["read_first"][0];
    assert_eq!(
        (&file["path"], &file["protected"], &file["tasks"]),
        (&json!("LICENSE"), &json!(true), &json!([]))
    );
    assert_eq!(data["others"][0]["commits"], 1);
    // The review of a run without its repository says so.
    std::fs::rename(place.repository_path().join(".git"), place.sibling_path("away")).unwrap();
    let store = place.sibling_path("away/orch/orch.db");
    let data = place.orch(&["review", "r", "--store", store.to_str().unwrap()]).ok();
    assert_eq!((&data["files_total"], &data["tip_commit"]), (&json!(null), &json!(null)));
    assert_eq!(data["tasks"][0]["attempt"], "r/a@1");
}
