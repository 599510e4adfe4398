//! Repositories in every state that people leave them in: a run works there, or says clearly why it does not.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::scheduling::json_text;
use crate::test_environment::{RepoEnvironment, TestEnvironment};

impl TestEnvironment {
    /// One task from its dispatch to the run's branch.
    pub(crate) fn complete_and_integrate(&self) {
        self.begin_run("r", &["--verify", "test -e base.txt"]);
        self.add_task("a", &[]);
        self.report_task("a", &[("a.txt", "a")]);
        let merged = self.orch(&["integrate"]).ok();
        assert_eq!(merged["integrated"][0]["task"], "r/a", "{merged}");
        assert_eq!(self.file_on_branch("a.txt").as_deref(), Some("a"));
        assert_eq!(self.last_attempt("a")["worktree"]["state"], "removed");
        self.check_sound();
    }

    /// The same place with calls made in another folder.
    pub(crate) fn called_from(self, top: &Path) -> Self {
        let variables = self.repo_environment().variables.clone();
        self.with_repo_environment(RepoEnvironment { top: top.to_owned(), variables })
    }
}

#[test]
fn a_branch_without_a_commit_is_no_base() {
    let place = TestEnvironment::with_empty_repository("repo");
    for words in [&["--base", "HEAD"][..], &["--base", "main"]] {
        let refused = place.orch(&[&["run", "init", "x"][..], words].concat()).fails("base_not_found");
        assert!(refused["hint"].is_string(), "{refused}");
    }
    for words in [&[][..], &["--done-when", "integrated"], &["--verify", "true"]] {
        place.orch(&[&["run", "init", "x"][..], words].concat()).fails("no_commit");
    }
    let run = place.begin_run("r", &["--no-worktrees"]);
    assert_eq!((&run["done_when"], &run["base"]), (&"reported".into(), &Value::Null));
    place.add_task("a", &[]);
    place.complete_task("a", "w");
    assert_eq!(place.task_state("a"), "done");
}

#[test]
fn a_detached_head_is_a_base_without_a_branch() {
    let place = TestEnvironment::with_repository();
    place.run_git(["checkout", "--quiet", "--detach"]);
    place.complete_and_integrate();
    assert_eq!(place.show_run()["base"]["branch"], Value::Null);
}

#[test]
fn a_bare_repository_works() {
    let place = TestEnvironment::with_repository();
    let bare = place.sibling_path("bare.git");
    place.run_git(["clone", "--quiet", "--bare", ".", bare.to_str().unwrap()]);
    let place = place.called_from(&bare);
    place.complete_and_integrate();
    assert!(place.sibling_path("bare.orch/r").exists());
}

#[test]
fn a_bare_repository_with_worktrees_works_from_one_of_them() {
    let place = TestEnvironment::with_repository();
    let bare = place.sibling_path("bare.git");
    place.run_git(["clone", "--quiet", "--bare", ".", bare.to_str().unwrap()]);
    let tree = place.sibling_path("tree");
    place.run_git_in(&bare, ["worktree", "add", "--quiet", "-b", "mine", tree.to_str().unwrap()]);
    let place = place.called_from(&tree);
    place.complete_and_integrate();
    assert_eq!(place.show_run()["base"]["branch"], "mine");
    assert_eq!(place.run_git(["status", "--porcelain"]), "");
}

/// With `extensions.worktreeConfig` the shared `core.bare` counts in every worktree that does not overrule it.
#[test]
fn a_bare_repository_whose_worktrees_have_settings_of_their_own_works() {
    let place = TestEnvironment::with_repository();
    let bare = place.sibling_path("project/.bare");
    place.run_git(["clone", "--quiet", "--bare", ".", bare.to_str().unwrap()]);
    let tree = place.sibling_path("project/main");
    place.run_git_in(&bare, ["worktree", "add", "--quiet", tree.to_str().unwrap(), "main"]);
    place.run_git_in(&bare, ["config", "extensions.worktreeConfig", "true"]);
    place.run_git_in(&tree, ["config", "--worktree", "core.bare", "false"]);
    let place = place.called_from(&tree);
    place.begin_run(
        "r",
        &["--verify", "git status && test \"$(git rev-parse --is-bare-repository)\" = false"],
    );
    place.add_task("a", &[]);
    place.report_task("a", &[("a.txt", "a")]);
    place.orch(&["integrate"]).ok();
    assert_eq!(place.file_on_branch("a.txt").as_deref(), Some("a"));
    assert_eq!(place.run_git(["status", "--porcelain"]), "");
}

#[test]
fn a_run_begun_in_a_worktree_or_a_folder_of_it_works() {
    let place = TestEnvironment::with_repository();
    let tree = place.sibling_path("linked tree");
    place.run_git(["worktree", "add", "--quiet", "-b", "mine", tree.to_str().unwrap()]);
    std::fs::create_dir_all(tree.join("deep/er")).unwrap();
    let place = place.called_from(&tree.join("deep/er"));
    let run = place.begin_run("r", &[]);
    assert_eq!(run["base"]["branch"], "mine");
    place.add_task("a", &[]);
    let path = json_text(&place.dispatch_task("a", "w")["attempt"]["worktree"]["path"]);
    assert!(path.ends_with("/repo.orch/r/a.1"), "beside the repository, and not beside the worktree: {path}");
}

#[test]
fn names_of_folders_may_hold_anything_that_is_text() {
    for name in ["-größe 日本", "it's \"$HOME\" `x`", "two\nlines, \u{1b}[31mred"] {
        let place = TestEnvironment::with_empty_repository(name);
        place.commit_all("base.txt", "base\n");
        place.begin_run("r", &["--verify", "echo seen; test ! -e bad", "--max-attempts", "9"]);
        place.add_task("a", &[]);
        let work = place.report_task("a", &[("bad", "x")]);
        let failed = place.orch(&["verify", "a"]).fails("check_failed");
        assert_eq!(place.shell(&json_text(&failed["hint"])).run().stdout, "seen\n", "{name:?}");
        assert!(work.path.starts_with(place.sibling_path(&format!("{name}.orch"))));
        let work = place.start_tree_task("a", "w");
        let dirty = place.shell("touch x").in_folder(&work.path).run();
        assert_eq!(dirty.exit, 0);
        place.run_git_in(&work.path, ["switch", "--quiet", "--create", "mine"]);
        let refused = place.done_call(&work).fails("worktree_conflict");
        assert_eq!(place.shell(&json_text(&refused["hint"])).run().exit, 0, "{name:?}: {refused}");
        let refused = place.done_call(&work).fails("worktree_dirty");
        assert_eq!(refused["details"]["files"], json!(["x"]));
        let other = place.orch(&["task", "add", "x", "--key", "b"]).ok();
        assert_eq!(other["task"]["key"], "b");
        let beside = place.start_tree_task("b", "v");
        let refused = place.done_call(&work).in_folder(&beside.path).fails("worktree_conflict");
        let went = place.shell(&format!("{} && pwd", json_text(&refused["hint"]))).run();
        assert_eq!(went.stdout.trim_end_matches('\n'), work.path.to_str().unwrap());
        place.commit_files(&work, &[("good", "x")]);
        place.done_call(&work).ok();
        assert_eq!(place.orch(&["integrate"]).ok()["integrated"][0]["attempt"], "r/a@2", "{name:?}");
        let spoken = place.orch(&["task", "show", "b"]).text();
        assert!(!spoken.contains('\u{1b}'), "{spoken}");
        place.check_sound();
    }
}

/// A path that is no text cannot be written down, and is refused before anything is made.
#[test]
fn a_folder_whose_name_is_no_text_is_refused() {
    let place = TestEnvironment::with_repository();
    let top = place.path().canonicalize().unwrap().join(OsString::from_vec(b"caf\xe9".to_vec()));
    std::fs::rename(place.repository_path(), &top).unwrap();
    let place = place.called_from(&top);
    let printed = place.orch(&["run", "init", "x", "--name", "r"]).run();
    let refused = printed.fails("not_supported");
    assert!(json_text(&refused["message"]).contains("UTF-8"), "{refused}");
    let words = ["run", "init", "x", "--name", "r", "--no-worktrees"];
    place.orch(&words).ok();
}

#[test]
fn a_user_without_a_name_can_still_have_work_merged() {
    let place = TestEnvironment::with_repository();
    place.begin_run("r", &[]);
    for key in ["a", "b"] {
        place.add_task(key, &[]);
    }
    let (a, b) = (place.start_tree_task("a", "w"), place.start_tree_task("b", "v"));
    std::fs::write(place.sibling_path("home/.gitconfig"), "[user]\nuseConfigOnly = true\n").unwrap();
    a.write_file("a.txt", "a");
    b.write_file("b.txt", "b");
    for work in [&a, &b] {
        let words = ["done", &work.held.thread, "--result", "Done.", "--snapshot"];
        place.holder_call(&work.held, &words).in_folder(&work.path).ok();
    }
    assert_eq!(place.orch(&["integrate"]).ok()["integrated"].as_array().unwrap().len(), 2);
    assert_eq!(place.last_attempt("b")["worktree"]["state"], "removed");
    let names =
        place.run_git(["log", "--first-parent", "--max-count=1", "--format=%an <%ae> %cn", "orch/r/main"]);
    assert_eq!(names, "orch <orch@localhost> orch");
}

#[test]
fn a_branch_called_orch_is_in_the_way() {
    let place = TestEnvironment::with_repository();
    place.run_git(["branch", "orch"]);
    let refused = place.orch(&["run", "init", "x", "--name", "r"]).fails("worktree_conflict");
    assert_eq!(
        (&refused["details"]["problem"], &refused["details"]["branch"]),
        (&"branch_taken".into(), &"orch".into())
    );
    place.orch(&["run", "show", "r"]).fails("run_not_found");
    // The hint is the same command with other names for branches.
    assert_eq!(refused["hint"], "orch run init x --name r --branch-prefix=PREFIX");
    let run = place.begin_run("r", &["--branch-prefix", "agents/mine"]);
    assert_eq!(run["branch"], "agents/mine/r/main");
    place.add_task("a", &[]);
    place.report_task("a", &[("a.txt", "a")]);
    assert_eq!(place.orch(&["integrate"]).ok()["integrated"][0]["attempt"], "r/a@1");
    assert_eq!(place.run_git(["show", "agents/mine/r/main:a.txt"]), "a");
}

#[test]
fn branches_of_another_store_are_not_taken_over() {
    let place = TestEnvironment::with_repository();
    place.run_git(["branch", "orch/ship/main"]);
    let refused = place.orch(&["run", "init", "x", "--name", "ship"]).fails("worktree_conflict");
    assert_eq!(refused["details"]["branch"], "orch/ship/main");
    assert_eq!(
        place.orch(&["run", "init", "Ship"]).ok()["run"]["id"],
        "ship-2",
        "a name of our own choice is another"
    );
    let refused =
        place.orch(&["run", "init", "x", "--name", "r", "--branch-prefix", "a..b"]).fails("invalid_argument");
    assert!(json_text(&refused["message"]).contains("branch-prefix"), "{refused}");
}

#[test]
fn a_base_that_was_rewritten_meanwhile_stays_the_base() {
    let place = TestEnvironment::with_tree_run(&[]);
    let base = place.branch_tip();
    place.run_git(["commit", "--quiet", "--amend", "--message", "rewritten"]);
    place.run_git(["reflog", "expire", "--expire=now", "--all"]);
    place.run_git(["gc", "--quiet", "--prune=now"]);
    assert_ne!(place.resolve_commit("main"), base);
    let work = place.report_task("a", &[("a.txt", "a")]);
    assert_eq!(work.base, base);
    place.orch(&["integrate"]).ok();
    assert_eq!(place.file_on_branch("a.txt").as_deref(), Some("a"));
}

#[test]
fn a_repository_that_moved_away_is_named() {
    let place = TestEnvironment::with_repository();
    let elsewhere = place.sibling_path("store.db");
    let store = ["--store", elsewhere.to_str().unwrap()];
    place.orch(&[&["run", "init", "x"][..], &store].concat()).ok();
    place.orch(&[&["task", "add", "x", "--key", "a"][..], &store].concat()).ok();
    std::fs::rename(place.repository_path(), place.sibling_path("moved")).unwrap();
    let home = place.sibling_path("home");
    let place = place.called_from(&home);
    let words = ["dispatch", "a", "--to", "w"];
    let refused = place.orch(&[&words[..], &store].concat()).fails("base_not_found");
    assert!(json_text(&refused["message"]).contains("repo/.git"), "{refused}");
}

#[test]
fn a_worktree_set_elsewhere_works() {
    let place = TestEnvironment::with_repository();
    let files = place.sibling_path("files");
    std::fs::create_dir(&files).unwrap();
    std::fs::write(files.join("base.txt"), "base\n").unwrap();
    place.run_git(["config", "core.worktree", files.to_str().unwrap()]);
    place.complete_and_integrate();
    assert!(!files.join("a.txt").exists());
    assert_eq!(place.run_git(["status", "--porcelain"]), "");
}

#[test]
fn repositories_of_other_formats_work() {
    for format in ["--object-format=sha256", "--ref-format=reftable"] {
        let place = TestEnvironment::with_empty_repository("repo");
        std::fs::remove_dir_all(place.repository_path().join(".git")).unwrap();
        let made = place.shell(&format!("git init --quiet --initial-branch=main {format}")).run();
        if made.exit != 0 {
            eprintln!("NOT RUN: repositories with {format} need a newer git than this machine has.");
            continue;
        }
        place.commit_all("base.txt", "base\n");
        place.complete_and_integrate();
    }
}

#[test]
fn a_shallow_clone_works() {
    let place = TestEnvironment::with_repository();
    for number in 0..3 {
        place.commit_all("base.txt", &format!("{number}\n"));
    }
    let (clone, url) =
        (place.sibling_path("shallow"), format!("file://{}", place.repository_path().display()));
    place.run_git(["clone", "--quiet", "--depth=1", &url, clone.to_str().unwrap()]);
    place.called_from(&clone).complete_and_integrate();
}

#[test]
fn a_repository_whose_folder_is_elsewhere_works() {
    let place = TestEnvironment::with_empty_repository("repo");
    std::fs::remove_dir_all(place.repository_path().join(".git")).unwrap();
    let elsewhere = place.sibling_path("elsewhere.git");
    place.run_git([
        "init",
        "--quiet",
        "--initial-branch=main",
        "--separate-git-dir",
        elsewhere.to_str().unwrap(),
    ]);
    place.commit_all("base.txt", "base\n");
    place.complete_and_integrate();
    assert_eq!(place.run_git(["status", "--porcelain"]), "");
    // What was copied from the checkout is found there.
    place.run_git(["config", "core.excludesFile", place.sibling_path("ignore").to_str().unwrap()]);
    std::fs::write(place.sibling_path("ignore"), ".env\n").unwrap();
    std::fs::write(place.repository_path().join(".env"), "secret\n").unwrap();
    place.orch(&["run", "init", "Copies", "--name", "c", "--copy", ".env"]).ok();
}

#[test]
fn a_run_begun_in_a_submodule_is_one_of_the_submodule() {
    let place = TestEnvironment::with_repository();
    let library = place.sibling_path("library");
    place.run_git(["init", "--quiet", "--initial-branch=main", library.to_str().unwrap()]);
    std::fs::write(library.join("base.txt"), "x").unwrap();
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
    let above = place.repository_path().to_owned();
    let place = place.called_from(&above.join("sub"));
    place.complete_and_integrate();
    assert_eq!(
        place.run_git_in(&above, ["status", "--porcelain"]),
        "",
        "the repository around it is left alone"
    );
    assert_eq!(place.run_git_in(&above, ["for-each-ref", "refs/heads/orch"]), "");
}

/// Git trusts no repository of somebody else.
#[test]
fn a_repository_of_somebody_else_is_said() {
    let place = TestEnvironment::with_repository();
    if !rustix::process::geteuid().is_root() {
        eprintln!(
            "NOT RUN: a_repository_of_somebody_else_is_said needs the right to give a repository away."
        );
        return;
    }
    place.shell("chown -R 65534:65534 .").run();
    let refused = place.orch(&["run", "init", "x"]).fails("not_permitted");
    assert!(json_text(&refused["message"]).contains("dubious ownership"), "{refused}");
    let hint = json_text(&refused["hint"]);
    assert!(hint.starts_with("git config --global --add safe.directory "), "{hint}");
    assert_eq!(place.shell(&hint).run().exit, 0);
    place.complete_and_integrate();
}

#[test]
fn a_repository_that_is_broken_is_said() {
    let place = TestEnvironment::with_repository();
    std::fs::write(place.repository_path().join(".git/HEAD"), "nonsense").unwrap();
    let printed = place.orch(&["run", "init", "x", "--store", "elsewhere.db"]).run();
    let error = printed.document()["error"].clone();
    assert_eq!(error["code"], "base_not_found", "a run without worktrees is not what was asked for: {error}");
    assert_eq!(error["hint"], "orch run init x --store elsewhere.db --no-worktrees");
}

/// Sandboxes leave empty folders of this name behind; git passes them over.
#[test]
fn a_folder_that_is_only_named_like_a_git_folder_is_passed_over() {
    let place = TestEnvironment::with_repository();
    let outside = place.sibling_path("outside/deep");
    std::fs::create_dir_all(&outside).unwrap();
    std::fs::create_dir(place.sibling_path("outside/.git")).unwrap();
    let run = place.orch(&["run", "init", "x", "--name", "r"]).in_folder(&outside).ok();
    assert_eq!(run["run"]["base"], json!(null), "{run}");
    assert!(outside.join(".orch/orch.db").is_file());
    let inside = place.repository_path().join("sub");
    std::fs::create_dir_all(inside.join(".git")).unwrap();
    let run = place.orch(&["run", "init", "x", "--name", "s"]).in_folder(&inside).ok();
    assert_eq!(run["run"]["base"]["branch"], "main", "the repository around it counts: {run}");
}
