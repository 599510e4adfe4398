//! Repositories in every state that people leave them in: a run works there, or says clearly why it does not.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::place::{Ground, Place};
use crate::scheduling::text;

impl Place {
    /// One task from its dispatch to the run's branch.
    fn whole_way(&self) {
        self.begin("r", &["--verify", "test -e base.txt"]);
        self.task("a", &[]);
        self.reported("a", &[("a.txt", "a")]);
        let merged = self.orch(&["integrate"]).ok();
        assert_eq!(merged["integrated"][0]["task"], "r/a", "{merged}");
        assert_eq!(self.on_branch("a.txt").as_deref(), Some("a"));
        assert_eq!(self.attempt("a")["worktree"]["state"], "removed");
        self.is_sound();
    }

    /// The same place with another `PATH`.
    fn with_path(self, path: impl Into<OsString>) -> Self {
        let Ground { top, variables } = self.ground();
        let (top, mut variables) = (top.clone(), variables.clone());
        variables.retain(|(name, _)| *name != "PATH");
        variables.push(("PATH", path.into()));
        self.on(Ground { top, variables })
    }

    /// The same place with calls made in another folder.
    fn at(self, top: &Path) -> Self {
        let variables = self.ground().variables.clone();
        self.on(Ground { top: top.to_owned(), variables })
    }

    /// Writes a program into a folder of its own and returns the folder.
    fn program(&self, name: &str, script: &str) -> OsString {
        let (bin, text) = (self.beside("bin"), self.beside("script"));
        std::fs::create_dir_all(&bin).unwrap();
        std::fs::write(&text, format!("#!/bin/sh\n{script}\n")).unwrap();
        // Another process writes it: one of ours that holds it open would keep it from being started.
        let copied = std::process::Command::new("cp").args([&text, &bin.join(name)]).status().unwrap();
        assert!(copied.success());
        std::fs::set_permissions(bin.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
        bin.into_os_string()
    }
}

fn joined(first: OsString, rest: OsString) -> OsString {
    let mut path = first;
    path.push(":");
    path.push(rest);
    path
}

#[test]
fn a_branch_without_a_commit_is_no_base() {
    let place = Place::with_empty_repository("repo");
    let run = place.begin("r", &[]);
    assert_eq!((&run["done_when"], &run["base"]), (&"reported".into(), &Value::Null));
    for words in [&["--base", "HEAD"][..], &["--done-when", "integrated"], &["--base", "main"]] {
        let refused = place.orch(&[&["run", "init", "x"][..], words].concat()).fails("base_not_found");
        assert!(refused["hint"].is_string(), "{refused}");
    }
    place.task("a", &[]);
    place.do_task("a", "w");
    assert_eq!(place.state("a"), "done");
}

#[test]
fn a_detached_head_is_a_base_without_a_branch() {
    let place = Place::with_repository();
    place.git(["checkout", "--quiet", "--detach"]);
    place.whole_way();
    assert_eq!(place.run_state()["base"]["branch"], Value::Null);
}

#[test]
fn a_bare_repository_works() {
    let place = Place::with_repository();
    let bare = place.beside("bare.git");
    place.git(["clone", "--quiet", "--bare", ".", bare.to_str().unwrap()]);
    let place = place.at(&bare);
    place.whole_way();
    assert!(place.beside("bare.orch/r").exists());
}

#[test]
fn a_bare_repository_with_worktrees_works_from_one_of_them() {
    let place = Place::with_repository();
    let bare = place.beside("bare.git");
    place.git(["clone", "--quiet", "--bare", ".", bare.to_str().unwrap()]);
    let tree = place.beside("tree");
    place.git_in(&bare, ["worktree", "add", "--quiet", "-b", "mine", tree.to_str().unwrap()]);
    let place = place.at(&tree);
    place.whole_way();
    assert_eq!(place.run_state()["base"]["branch"], "mine");
    assert_eq!(place.git(["status", "--porcelain"]), "");
}

#[test]
fn a_run_begun_in_a_worktree_or_a_folder_of_it_works() {
    let place = Place::with_repository();
    let tree = place.beside("linked tree");
    place.git(["worktree", "add", "--quiet", "-b", "mine", tree.to_str().unwrap()]);
    std::fs::create_dir_all(tree.join("deep/er")).unwrap();
    let place = place.at(&tree.join("deep/er"));
    let run = place.begin("r", &[]);
    assert_eq!(run["base"]["branch"], "mine");
    place.task("a", &[]);
    let path = text(&place.dispatch("a", "w")["attempt"]["worktree"]["path"]);
    assert!(path.ends_with("/repo.orch/r/a.1"), "beside the repository, and not beside the worktree: {path}");
}

#[test]
fn names_of_folders_may_hold_anything_that_is_text() {
    for name in ["with space", "größe 日本", "it's \"$HOME\" `x`", "-dash", "two\nlines", "a\u{1b}[31mred"]
    {
        let place = Place::with_empty_repository(name);
        place.commit_all("base.txt", "base\n");
        place.begin("r", &["--verify", "echo seen; test ! -e bad", "--max-attempts", "9"]);
        place.task("a", &[]);
        let work = place.reported("a", &[("bad", "x")]);
        let failed = place.orch(&["verify", "a"]).fails("check_failed");
        assert_eq!(place.shell(&text(&failed["hint"])).run().stdout, "seen\n", "{name:?}");
        assert!(work.path.starts_with(place.beside(&format!("{name}.orch"))));
        let work = place.take("a", "w");
        let dirty = place.shell("touch x; cd .; true").within(&work.path).run();
        assert_eq!(dirty.exit, 0);
        place.git_in(&work.path, ["switch", "--quiet", "--create", "mine"]);
        let refused = place.done(&work).fails("worktree_conflict");
        assert_eq!(place.shell(&text(&refused["hint"])).run().exit, 0, "{name:?}: {refused}");
        let refused = place.done(&work).fails("worktree_dirty");
        assert_eq!(refused["details"]["files"], json!(["x"]));
        let other = place.orch(&["task", "add", "x", "--key", "b"]).ok();
        assert_eq!(other["task"]["key"], "b");
        let beside = place.take("b", "v");
        let refused = place.done(&work).within(&beside.path).fails("worktree_conflict");
        let went = place.shell(&format!("{} && pwd", text(&refused["hint"]))).run();
        assert_eq!(went.stdout.trim_end_matches('\n'), work.path.to_str().unwrap());
        place.work(&work, &[("good", "x")]);
        place.done(&work).ok();
        assert_eq!(place.orch(&["integrate"]).ok()["integrated"][0]["attempt"], "r/a@2", "{name:?}");
        let spoken = place.orch(&["task", "show", "b"]).text();
        assert!(!spoken.contains('\u{1b}'), "{spoken}");
        place.is_sound();
    }
}

/// A path that is no text cannot be written down, and is refused before anything is made.
#[test]
fn a_folder_whose_name_is_no_text_is_refused() {
    let place = Place::with_repository();
    let top = place.path().canonicalize().unwrap().join(OsString::from_vec(b"caf\xe9".to_vec()));
    std::fs::rename(place.top(), &top).unwrap();
    let place = place.at(&top);
    let printed = place.orch(&["run", "init", "x", "--name", "r"]).run();
    let refused = printed.fails("not_supported");
    assert!(text(&refused["message"]).contains("UTF-8"), "{refused}");
    let words = ["run", "init", "x", "--name", "r", "--no-worktrees"];
    place.orch(&words).ok();
}

#[test]
fn a_user_without_a_name_can_still_have_work_merged() {
    let place = Place::with_repository();
    place.begin("r", &[]);
    for key in ["a", "b"] {
        place.task(key, &[]);
    }
    let (a, b) = (place.take("a", "w"), place.take("b", "v"));
    std::fs::write(place.beside("home/.gitconfig"), "[user]\nuseConfigOnly = true\n").unwrap();
    a.write("a.txt", "a");
    b.write("b.txt", "b");
    for work in [&a, &b] {
        let words = ["done", &work.held.thread, "--result", "Done.", "--snapshot"];
        place.holding(&work.held, &words).within(&work.path).ok();
    }
    assert_eq!(place.orch(&["integrate"]).ok()["integrated"].as_array().unwrap().len(), 2);
    assert_eq!(place.attempt("b")["worktree"]["state"], "removed");
    let names =
        place.git(["log", "--first-parent", "--max-count=1", "--format=%an <%ae> %cn", "orch/r/main"]);
    assert_eq!(names, "orch <orch@localhost> orch");
}

#[test]
fn a_branch_called_orch_is_in_the_way() {
    let place = Place::with_repository();
    place.git(["branch", "orch"]);
    let refused = place.orch(&["run", "init", "x", "--name", "r"]).fails("worktree_conflict");
    assert_eq!(
        (&refused["details"]["problem"], &refused["details"]["branch"]),
        (&"branch_taken".into(), &"orch".into())
    );
    place.orch(&["run", "show", "r"]).fails("run_not_found");
    // The hint is the same command with other names for branches.
    assert_eq!(refused["hint"], "orch run init x --name r --branch-prefix=PREFIX");
    let run = place.begin("r", &["--branch-prefix", "agents/mine"]);
    assert_eq!(run["branch"], "agents/mine/r/main");
    place.task("a", &[]);
    place.reported("a", &[("a.txt", "a")]);
    assert_eq!(place.orch(&["integrate"]).ok()["integrated"][0]["attempt"], "r/a@1");
    assert_eq!(place.git(["show", "agents/mine/r/main:a.txt"]), "a");
}

#[test]
fn branches_of_another_store_are_not_taken_over() {
    let place = Place::with_repository();
    place.git(["branch", "orch/ship/main"]);
    let refused = place.orch(&["run", "init", "x", "--name", "ship"]).fails("worktree_conflict");
    assert_eq!(refused["details"]["branch"], "orch/ship/main");
    assert_eq!(
        place.orch(&["run", "init", "Ship"]).ok()["run"]["id"],
        "ship-2",
        "a name of our own choice is another"
    );
    let refused =
        place.orch(&["run", "init", "x", "--name", "r", "--branch-prefix", "a..b"]).fails("invalid_argument");
    assert!(text(&refused["message"]).contains("branch-prefix"), "{refused}");
}

#[test]
fn a_base_that_was_rewritten_meanwhile_stays_the_base() {
    let place = Place::with_tree_run(&[]);
    let base = place.tip();
    place.git(["commit", "--quiet", "--amend", "--message", "rewritten"]);
    place.git(["reflog", "expire", "--expire=now", "--all"]);
    place.git(["gc", "--quiet", "--prune=now"]);
    assert_ne!(place.commit("main"), base);
    let work = place.reported("a", &[("a.txt", "a")]);
    assert_eq!(work.base, base);
    place.orch(&["integrate"]).ok();
    assert_eq!(place.on_branch("a.txt").as_deref(), Some("a"));
}

#[test]
fn a_repository_that_moved_away_is_named() {
    let place = Place::with_repository();
    let elsewhere = place.beside("store.db");
    let store = ["--store", elsewhere.to_str().unwrap()];
    place.orch(&[&["run", "init", "x"][..], &store].concat()).ok();
    place.orch(&[&["task", "add", "x", "--key", "a"][..], &store].concat()).ok();
    std::fs::rename(place.top(), place.beside("moved")).unwrap();
    let home = place.beside("home");
    let place = place.at(&home);
    let words = ["dispatch", "a", "--to", "w"];
    let refused = place.orch(&[&words[..], &store].concat()).fails("base_not_found");
    assert!(text(&refused["message"]).contains("repo/.git"), "{refused}");
}

#[test]
fn a_git_that_is_too_old_or_missing_is_said() {
    let place = Place::with_repository();
    let old = place.program("git", "echo git version 2.30.2");
    let place = place.with_path(old);
    let refused = place.orch(&["run", "init", "x"]).fails("not_supported");
    assert_eq!(refused["message"], "Git 2.30.2 is too old, at least 2.38 is needed.");
    assert_eq!(refused["hint"], "orch run init x --no-worktrees");
    place.orch(&["run", "init", "x", "--no-worktrees"]).ok();
    assert_eq!(
        place.orch(&["run", "init", "x", "--base", "HEAD"]).fails("not_supported")["hint"],
        "git --version"
    );
    let empty = place.beside("empty");
    std::fs::create_dir(&empty).unwrap();
    let place = place.with_path(empty);
    // A repository is there: that its runs would have no worktrees is for the lead to say.
    let refused = place.orch(&["run", "init", "y"]).fails("not_supported");
    assert!(text(&refused["message"]).contains("not installed"), "{refused}");
    assert_eq!(refused["hint"], "orch run init y --no-worktrees");
    let outside = place.beside("home");
    assert_eq!(place.orch(&["run", "init", "z"]).within(&outside).ok()["run"]["done_when"], "reported");
}

#[test]
fn a_git_that_goes_missing_later_is_said() {
    let place = Place::with_tree_run(&[]);
    let empty = place.beside("empty");
    std::fs::create_dir(&empty).unwrap();
    let place = place.with_path(empty);
    place.orch(&["dispatch", "a", "--to", "w"]).fails("not_supported");
    assert!(place.orch(&["task", "show", "a"]).ok()["attempts"].as_array().unwrap().is_empty());
    assert_eq!(place.orch(&["status"]).ok()["ready"][0]["key"], "a", "what needs no git goes on");
}

#[test]
fn a_repository_that_may_not_be_written_is_said() {
    let place = Place::with_repository();
    let store = place.beside("elsewhere/orch.db");
    std::fs::create_dir(place.beside("elsewhere")).unwrap();
    let real = place.shell("command -v git").run().stdout.trim().to_owned();
    // The superuser may write everything, so git runs as somebody else.
    let script = if rustix::process::geteuid().is_root() {
        format!("exec setpriv --reuid=65534 --regid=65534 --clear-groups {real} \"$@\"")
    } else {
        format!("exec {real} \"$@\"")
    };
    place.git(["config", "--global", "safe.directory", "*"]);
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let chmod = |mode: &str| place.shell(&format!("chmod -R {mode} .git")).run();
    let bin = joined(place.program("git", &script), std::env::var_os("PATH").unwrap());
    let path = bin.to_str().unwrap().to_owned();
    chmod("a-w");
    let call = |words: &[&str]| {
        place.orch(&[words, &["--store", store.to_str().unwrap()]].concat()).env("PATH", &path)
    };
    let refused = call(&["run", "init", "x", "--name", "r"]).fails("not_permitted");
    assert!(refused["hint"].is_string(), "what to look at is said: {refused}");
    chmod("u+w");
    // The intent was kept; once it can be done, it is.
    let list = place.orch(&["run", "list", "--store", store.to_str().unwrap()]).ok();
    assert_eq!(list["total"], 1);
    place.orch(&["task", "add", "x", "--key", "a", "--store", store.to_str().unwrap()]).ok();
    place.orch(&["dispatch", "a", "--to", "w", "--store", store.to_str().unwrap()]).ok();
}

#[test]
fn hooks_of_the_user_do_not_run() {
    let place = Place::with_repository();
    let log = place.beside("log");
    let hooks = place.top().join(".git/hooks");
    std::fs::create_dir_all(&hooks).unwrap();
    for hook in [
        "post-checkout",
        "pre-commit",
        "post-commit",
        "post-merge",
        "pre-merge-commit",
        "commit-msg",
        "prepare-commit-msg",
        "reference-transaction",
        "post-index-change",
        "fsmonitor",
    ] {
        let path = hooks.join(hook);
        std::fs::write(&path, format!("#!/bin/sh\necho {hook} >> '{}'\nexit 1\n", log.display())).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    place.begin("r", &["--verify", "true"]);
    for key in ["a", "b"] {
        place.task(key, &[]);
    }
    for key in ["a", "b"] {
        let work = place.take(key, key);
        work.write(key, "x");
        let words = ["done", &work.held.thread, "--result", "Done.", "--snapshot"];
        place.holding(&work.held, &words).within(&work.path).ok();
    }
    place.orch(&["integrate"]).ok();
    assert!(place.on_branch("b").is_some());
    assert!(!log.exists(), "{}", std::fs::read_to_string(&log).unwrap_or_default());
}

#[test]
fn settings_of_the_user_change_nothing() {
    let place = Place::with_repository();
    let file = place.beside("home/.gitconfig");
    let settings = "[user]\nname=Ada\nemail=a@b\n[core]\nautocrlf=true\nquotePath=true\npager=false\neditor=false\nfsmonitor=true\nsplitIndex=true\nuntrackedCache=true\n\
        [commit]\ngpgSign=true\n[merge]\nconflictStyle=diff3\nff=only\nrenames=false\n[status]\nshowUntrackedFiles=no\nrelativePaths=false\n[diff]\nexternal=false\nnoprefix=true\n\
        [branch]\nautoSetupMerge=always\n[worktree]\nguessRemote=true\n[push]\ndefault=nothing\n[log]\nshowSignature=true\n[gpg]\nprogram=false\n[color]\nui=always\n[init]\ndefaultBranch=x\n[checkout]\nworkers=8\n[feature]\nmanyFiles=true\n[advice]\ndetachedHead=true\n";
    std::fs::write(file, settings).unwrap();
    place.begin("r", &["--verify", "test -e base.txt"]);
    for key in ["a", "b", "c"] {
        place.task(key, &[]);
    }
    let works: Vec<_> = ["a", "b"].map(|key| place.take(key, key)).into_iter().collect();
    for (key, work) in ["a", "b"].iter().zip(&works) {
        work.write(key, "x\n");
        place.done(work).fails("worktree_dirty");
        let words = ["done", &work.held.thread, "--result", "Done.", "--snapshot"];
        place.holding(&work.held, &words).within(&work.path).ok();
    }
    assert_eq!(place.orch(&["integrate"]).ok()["integrated"].as_array().unwrap().len(), 2);
    assert_eq!(
        place
            .git(["config", "--list", "--local", "--name-only"])
            .lines()
            .filter(|name| name.starts_with("branch."))
            .count(),
        0
    );
}

#[test]
fn variables_of_git_turn_us_nowhere_else() {
    let place = Place::with_repository();
    let other = place.beside("other");
    place.git(["init", "--quiet", other.to_str().unwrap()]);
    let hostile = [
        ("GIT_DIR", other.join(".git")),
        ("GIT_WORK_TREE", other.clone()),
        ("GIT_INDEX_FILE", other.join("index")),
        ("GIT_OBJECT_DIRECTORY", other.join("objects")),
        ("GIT_CEILING_DIRECTORIES", place.path().to_owned()),
    ];
    let mut variables = place.ground().variables.clone();
    variables.extend(hostile.map(|(name, path)| (name, path.into_os_string())));
    let top = place.top().to_owned();
    let clean = place.ground().variables.clone();
    let place = place.on(Ground { top: top.clone(), variables });
    let run = place
        .begin("r", &["--verify", "test -z \"$GIT_DIR$GIT_INDEX_FILE\" && git rev-parse --show-toplevel"]);
    assert_eq!(run["base"]["branch"], "main");
    place.task("a", &[]);
    place.dispatch("a", "w");
    let place = place.on(Ground { top, variables: clean });
    let work = place.claim_tree("w");
    place.work(&work, &[("a.txt", "a")]);
    place.done(&work).ok();
    place.orch(&["integrate"]).ok();
    assert!(place.on_branch("a.txt").is_some());
}

#[test]
fn submodules_work_or_are_left_alone() {
    let place = Place::with_repository();
    let library = place.beside("library");
    place.git(["init", "--quiet", library.to_str().unwrap()]);
    std::fs::write(library.join("lib"), "x").unwrap();
    place.commit_in(&library, "lib");
    place.git([
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        library.to_str().unwrap(),
        "sub",
    ]);
    place.commit_in(place.top(), "submodule");
    place.begin("r", &["--verify", "test -e .gitmodules"]);
    for key in ["a", "b"] {
        place.task(key, &[]);
    }
    // One who does not check it out.
    place.reported("a", &[("a.txt", "a")]);
    place.orch(&["integrate"]).ok();
    assert_eq!(place.attempt("a")["worktree"]["state"], "removed");
    // One who does, and leaves something in it: that cannot be kept, so the tree stays.
    let work = place.take("b", "w");
    place
        .git_in(&work.path, ["-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init"]);
    work.write("sub/precious", "x");
    place.work(&work, &[("b.txt", "b")]);
    assert_eq!(place.done(&work).fails("worktree_dirty")["details"]["files"], json!(["sub"]));
    let words = ["done", &work.held.thread, "--result", "Done.", "--snapshot"];
    let refused = place.holding(&work.held, &words).within(&work.path).run();
    assert_eq!(
        refused.document()["ok"],
        false,
        "what lies in a submodule cannot be committed from outside: {refused:?}"
    );
    place.commit_in(&work.path.join("sub"), "in the submodule");
    place.commit_in(&work.path, "the submodule moved");
    place.done(&work).ok();
    let merged = place.orch(&["integrate"]).ok();
    assert_eq!(merged["integrated"][0]["attempt"], "r/b@1", "{merged}");
    assert!(work.path.join("sub/precious").exists());
    assert_eq!(place.attempt("b")["worktree"]["state"], "present");
    assert!(text(&merged["faults"][0]["reason"]).contains("submodule"), "why it stays is said: {merged}");
    place.is_sound();
}

#[test]
fn pointer_files_and_filters_work() {
    let place = Place::with_repository();
    // What LFS does, by means of a filter that is required.
    place.git(["config", "filter.lfs.clean", "sed s/content/pointer/"]);
    place.git(["config", "filter.lfs.smudge", "sed s/pointer/content/"]);
    place.git(["config", "filter.lfs.required", "true"]);
    place.commit_all(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n");
    place.commit_all("big.bin", "content\n");
    assert_eq!(place.git(["show", "HEAD:big.bin"]), "pointer");
    place.begin("r", &["--verify", "grep -q content big.bin"]);
    for key in ["a", "b"] {
        place.task(key, &[]);
    }
    let (a, b) = (place.take("a", "w"), place.take("b", "v"));
    assert_eq!(std::fs::read_to_string(a.path.join("big.bin")).unwrap(), "content\n");
    place.work(&a, &[("more.bin", "content a\n")]);
    b.write("b.bin", "content b\n");
    place.done(&a).ok();
    let words = ["done", &b.held.thread, "--result", "Done.", "--snapshot"];
    place.holding(&b.held, &words).within(&b.path).ok();
    assert_eq!(place.orch(&["integrate"]).ok()["integrated"].as_array().unwrap().len(), 2);
    assert_eq!(
        (place.on_branch("more.bin").as_deref(), place.on_branch("b.bin").as_deref()),
        (Some("pointer a"), Some("pointer b"))
    );
    // Where the filter is missing, the tree cannot be made, and says so.
    place.git(["config", "filter.lfs.smudge", "no-such-filter"]);
    place.task("c", &[]);
    let refused = place.orch(&["dispatch", "c", "--to", "w"]).run();
    let document = refused.document();
    assert!(text(&document["error"]["message"]).contains("smudge"), "{document}");
    assert_eq!(place.state("c"), "ready");
    assert!(!place.beside("repo.orch/r/c.1").exists());
}

#[test]
fn a_sparse_checkout_makes_sparse_trees() {
    let place = Place::with_repository();
    for folder in ["in", "out"] {
        std::fs::create_dir(place.top().join(folder)).unwrap();
        place.commit_all(&format!("{folder}/file"), "x");
    }
    place.git(["sparse-checkout", "set", "in"]);
    assert!(!place.top().join("out").exists());
    let made =
        place.orch(&["run", "init", "x", "--name", "r", "--verify", "test -e in/file"]).run().ok_document();
    assert_eq!(made["warnings"], Value::Null, "nothing is changed");
    place.task("a", &[]);
    let work = place.reported("a", &[("in/more", "x")]);
    assert!(
        !work.path.join("out").exists(),
        "what the leader leaves out of a large repository, workers have no use for"
    );
    assert_eq!(place.orch(&["integrate"]).ok()["integrated"][0]["attempt"], "r/a@1");
    assert!(!place.top().join("out").exists());
    // A worker may have more, and what lies outside is committed as well.
    place.task("b", &[]);
    place.task("c", &[]);
    let (b, c) = (place.take("b", "w"), place.take("c", "v"));
    place.git_in(&b.path, ["sparse-checkout", "disable"]);
    b.write("out/b", "b");
    c.write("out/c", "c");
    for work in [&b, &c] {
        let words = ["done", &work.held.thread, "--result", "Done.", "--snapshot"];
        place.holding(&work.held, &words).within(&work.path).ok();
    }
    let merged = place.orch(&["integrate"]).ok();
    let rejected: Vec<String> =
        merged["rejected"].as_array().unwrap().iter().map(|one| text(&one["attempt"])).collect();
    assert_eq!((merged["integrated"].as_array().unwrap().len(), rejected.len()), (2, 0), "{merged}");
    for name in ["out/file", "out/b", "out/c", "in/more"] {
        assert!(place.on_branch(name).is_some(), "{name}");
    }
}

#[test]
fn a_worktree_set_elsewhere_works() {
    let place = Place::with_repository();
    let files = place.beside("files");
    std::fs::create_dir(&files).unwrap();
    std::fs::write(files.join("base.txt"), "base\n").unwrap();
    place.git(["config", "core.worktree", files.to_str().unwrap()]);
    place.whole_way();
    assert!(!files.join("a.txt").exists());
    assert_eq!(place.git(["status", "--porcelain"]), "");
}

#[test]
fn a_repository_in_the_worktree_is_not_swallowed() {
    let place = Place::with_tree_run(&[]);
    let work = place.take("a", "w");
    place.work(&work, &[("a.txt", "a")]);
    place.git_in(&work.path, ["init", "--quiet", "inner"]);
    work.write("inner/precious", "x");
    assert_eq!(place.done(&work).fails("worktree_dirty")["details"]["files"], json!(["inner/"]));
    let words = ["done", &work.held.thread, "--result", "Done.", "--snapshot"];
    let refused = place.holding(&work.held, &words).within(&work.path).fails("not_supported");
    assert!(text(&refused["message"]).contains("inner"), "{refused}");
    std::fs::remove_dir_all(work.path.join("inner/.git")).unwrap();
    place.commit_in(&work.path, "no repository any more");
    place.done(&work).ok();
    // It comes to be one after the report.
    place.git_in(&work.path, ["init", "--quiet", "inner 2"]);
    work.write("inner 2/precious", "x");
    let merged = place.orch(&["integrate"]).ok();
    assert_eq!(merged["integrated"][0]["attempt"], "r/a@1");
    assert!(work.path.join("inner 2/precious").exists(), "what cannot be kept is not taken away");
    assert!(text(&merged["faults"][0]["reason"]).contains("inner"), "why it stays is said: {merged}");
}

#[test]
fn a_worktree_root_of_ones_own_is_used() {
    let place = Place::with_repository();
    let root = place.beside("trees of mine");
    place.begin("r", &["--worktree-root", "../trees of mine"]);
    place.task("a", &[]);
    let work = place.take("a", "w");
    assert_eq!(work.path, root.join("r/a.1"));
    // A file where the folder should be.
    let file = place.beside("file");
    std::fs::write(&file, "x").unwrap();
    place.begin("s", &["--worktree-root", file.to_str().unwrap()]);
    place.orch(&["task", "add", "x", "--key", "b", "--run", "s"]).ok();
    let refused = place.orch(&["dispatch", "s/b", "--to", "w"]).run();
    assert_eq!(refused.document()["ok"], false);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "x");
    assert_eq!(place.state("s/b"), "ready");
}

/// A disk with so little room left is not filled to its brim.
#[test]
fn a_full_disk_is_said() {
    let place = Place::with_repository();
    let disk = place.beside("disk");
    std::fs::create_dir(&disk).unwrap();
    let mount = place.shell(&format!("mount -t tmpfs -o size=1m none '{}'", disk.display())).run();
    if mount.exit != 0 {
        let required = std::env::var("ORCH_REQUIRE_TOOLS").unwrap_or_default();
        assert!(!required.split(' ').any(|tool| tool == "mount"), "this test needs mount");
        eprintln!(
            "NOT RUN: a_full_disk_is_said needs mount, which this machine does not have or does not allow."
        );
        return;
    }
    let _mounted = Mounted(disk.clone());
    place.begin("r", &["--worktree-root", disk.to_str().unwrap()]);
    place.task("a", &[]);
    let refused = place.orch(&["dispatch", "a", "--to", "w"]).fails("disk_full");
    assert!(text(&refused["hint"]).starts_with("df -h "), "{refused}");
    assert_eq!((place.state("a"), std::fs::read_dir(&disk).unwrap().count()), ("ready".to_owned(), 0));
    assert_eq!(place.git(["for-each-ref", "refs/heads/orch/r/a.*"]), "");
    place.is_sound();
}

/// A disk that is taken away again.
struct Mounted(std::path::PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(&self.0).status();
    }
}
