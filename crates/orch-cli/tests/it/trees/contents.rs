//! What lies in a repository besides plain files: submodules, filtered files, sparse checkouts, repositories within.

use serde_json::{Value, json};

use crate::scheduling::json_text;
use crate::test_environment::TestEnvironment;

#[test]
fn submodules_work_or_are_left_alone() {
    let place = TestEnvironment::with_repository();
    let library = place.sibling_path("library");
    place.run_git(["init", "--quiet", library.to_str().unwrap()]);
    std::fs::write(library.join("lib"), "x").unwrap();
    place.commit_in(&library, "lib");
    place.run_git([
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        library.to_str().unwrap(),
        "sub",
    ]);
    place.commit_in(place.repository_path(), "submodule");
    place.begin_run("r", &["--verify", "test -e .gitmodules"]);
    for key in ["a", "b"] {
        place.add_task(key, &[]);
    }
    // One who does not check it out.
    place.report_task("a", &[("a.txt", "a")]);
    place.orch(&["integrate"]).ok();
    assert_eq!(place.last_attempt("a")["worktree"]["state"], "removed");
    // One who does, and leaves something in it: that cannot be kept, so the tree stays.
    let work = place.start_tree_task("b", "w");
    place.run_git_in(
        &work.path,
        ["-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init"],
    );
    work.write_file("sub/precious", "x");
    place.commit_files(&work, &[("b.txt", "b")]);
    assert_eq!(place.done_call(&work).fails("worktree_dirty")["details"]["files"], json!(["sub"]));
    let words = ["done", &work.held.thread, "--result", "Done.", "--snapshot"];
    let refused = place.holder_call(&work.held, &words).in_folder(&work.path).run();
    assert_eq!(
        refused.document()["ok"],
        false,
        "what lies in a submodule cannot be committed from outside: {refused:?}"
    );
    place.commit_in(&work.path.join("sub"), "in the submodule");
    place.commit_in(&work.path, "the submodule moved");
    place.done_call(&work).ok();
    let merged = place.orch(&["integrate"]).ok();
    assert_eq!(merged["integrated"][0]["attempt"], "r/b@1", "{merged}");
    assert!(work.path.join("sub/precious").exists());
    assert_eq!(place.last_attempt("b")["worktree"]["state"], "present");
    assert!(
        json_text(&merged["faults"][0]["reason"])
            .contains("sub is a repository with commits that no remote-tracking branch has"),
        "why it stays is said: {merged}"
    );
    place.check_sound();
}

#[test]
fn pointer_files_and_filters_work() {
    let place = TestEnvironment::with_repository();
    // What LFS does, by means of a filter that is required.
    place.run_git(["config", "filter.lfs.clean", "sed s/content/pointer/"]);
    place.run_git(["config", "filter.lfs.smudge", "sed s/pointer/content/"]);
    place.run_git(["config", "filter.lfs.required", "true"]);
    place.commit_all(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n");
    place.commit_all("big.bin", "content\n");
    assert_eq!(place.run_git(["show", "HEAD:big.bin"]), "pointer");
    place.begin_run("r", &["--verify", "grep -q content big.bin"]);
    for key in ["a", "b"] {
        place.add_task(key, &[]);
    }
    let (a, b) = (place.start_tree_task("a", "w"), place.start_tree_task("b", "v"));
    assert_eq!(std::fs::read_to_string(a.path.join("big.bin")).unwrap(), "content\n");
    place.commit_files(&a, &[("more.bin", "content a\n")]);
    b.write_file("b.bin", "content b\n");
    place.done_call(&a).ok();
    let words = ["done", &b.held.thread, "--result", "Done.", "--snapshot"];
    place.holder_call(&b.held, &words).in_folder(&b.path).ok();
    assert_eq!(place.orch(&["integrate"]).ok()["integrated"].as_array().unwrap().len(), 2);
    assert_eq!(
        (place.file_on_branch("more.bin").as_deref(), place.file_on_branch("b.bin").as_deref()),
        (Some("pointer a"), Some("pointer b"))
    );
    // Where the filter is missing, the tree cannot be made, and says so.
    place.run_git(["config", "filter.lfs.smudge", "no-such-filter"]);
    place.add_task("c", &[]);
    let refused = place.orch(&["dispatch", "c", "--to", "w"]).run();
    let document = refused.document();
    assert!(json_text(&document["error"]["message"]).contains("smudge"), "{document}");
    assert_eq!(place.task_state("c"), "ready");
    assert!(!place.sibling_path("repo.orch/r/c.1").exists());
}

#[test]
fn a_sparse_checkout_makes_sparse_trees() {
    let place = TestEnvironment::with_repository();
    for folder in ["in", "out"] {
        std::fs::create_dir(place.repository_path().join(folder)).unwrap();
        place.commit_all(&format!("{folder}/file"), "x");
    }
    place.run_git(["sparse-checkout", "set", "in"]);
    assert!(!place.repository_path().join("out").exists());
    let made =
        place.orch(&["run", "init", "x", "--name", "r", "--verify", "test -e in/file"]).run().ok_document();
    assert_eq!(made["warnings"], Value::Null, "nothing is changed");
    place.add_task("a", &[]);
    let work = place.report_task("a", &[("in/more", "x")]);
    assert!(
        !work.path.join("out").exists(),
        "what the leader leaves out of a large repository, workers have no use for"
    );
    assert_eq!(place.orch(&["integrate"]).ok()["integrated"][0]["attempt"], "r/a@1");
    assert!(!place.repository_path().join("out").exists());
    // A worker may have more, and what lies outside is committed as well.
    place.add_task("b", &[]);
    place.add_task("c", &[]);
    let (b, c) = (place.start_tree_task("b", "w"), place.start_tree_task("c", "v"));
    place.run_git_in(&b.path, ["sparse-checkout", "disable"]);
    b.write_file("out/b", "b");
    c.write_file("out/c", "c");
    for work in [&b, &c] {
        let words = ["done", &work.held.thread, "--result", "Done.", "--snapshot"];
        place.holder_call(&work.held, &words).in_folder(&work.path).ok();
    }
    let merged = place.orch(&["integrate"]).ok();
    let rejected: Vec<String> =
        merged["rejected"].as_array().unwrap().iter().map(|one| json_text(&one["attempt"])).collect();
    assert_eq!((merged["integrated"].as_array().unwrap().len(), rejected.len()), (2, 0), "{merged}");
    for name in ["out/file", "out/b", "out/c", "in/more"] {
        assert!(place.file_on_branch(name).is_some(), "{name}");
    }
}

#[test]
fn a_repository_in_the_worktree_is_not_swallowed() {
    let place = TestEnvironment::with_tree_run(&[]);
    let work = place.start_tree_task("a", "w");
    place.commit_files(&work, &[("a.txt", "a")]);
    place.run_git_in(&work.path, ["init", "--quiet", "inner"]);
    work.write_file("inner/precious", "x");
    assert_eq!(place.done_call(&work).fails("worktree_dirty")["details"]["files"], json!(["inner/"]));
    let words = ["done", &work.held.thread, "--result", "Done.", "--snapshot"];
    let refused = place.holder_call(&work.held, &words).in_folder(&work.path).fails("not_supported");
    assert!(json_text(&refused["message"]).contains("inner"), "{refused}");
    std::fs::remove_dir_all(work.path.join("inner/.git")).unwrap();
    place.commit_in(&work.path, "no repository any more");
    place.done_call(&work).ok();
    // It comes to be one after the report.
    place.run_git_in(&work.path, ["init", "--quiet", "inner 2"]);
    work.write_file("inner 2/precious", "x");
    let merged = place.orch(&["integrate"]).ok();
    assert_eq!(merged["integrated"][0]["attempt"], "r/a@1");
    assert!(work.path.join("inner 2/precious").exists(), "what cannot be kept is not taken away");
    assert!(json_text(&merged["faults"][0]["reason"]).contains("inner"), "why it stays is said: {merged}");
}
