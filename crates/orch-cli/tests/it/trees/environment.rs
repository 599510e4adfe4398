//! What lies around a repository: which git there is, the user's settings and hooks, folders and disks.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;

use crate::scheduling::json_text;
use crate::test_environment::{RepoEnvironment, TestEnvironment, UNDER_PERMISSIONS};

impl TestEnvironment {
    /// The same place with another `PATH`.
    fn with_path(self, path: impl Into<OsString>) -> Self {
        let RepoEnvironment { top, variables } = self.repo_environment();
        let (top, mut variables) = (top.clone(), variables.clone());
        variables.retain(|(name, _)| *name != "PATH");
        variables.push(("PATH", path.into()));
        self.with_repo_environment(RepoEnvironment { top, variables })
    }

    /// Writes a program into a folder of its own and returns the folder.
    fn write_program(&self, name: &str, script: &str) -> OsString {
        let (bin, text) = (self.sibling_path("bin"), self.sibling_path("script"));
        std::fs::create_dir_all(&bin).unwrap();
        std::fs::write(&text, format!("#!/bin/sh\n{script}\n")).unwrap();
        // Another process writes it: one of ours that holds it open would keep it from being started.
        let copied = std::process::Command::new("cp").args([&text, &bin.join(name)]).status().unwrap();
        assert!(copied.success());
        std::fs::set_permissions(bin.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
        bin.into_os_string()
    }
}

fn join_paths(first: OsString, rest: OsString) -> OsString {
    let mut path = first;
    path.push(":");
    path.push(rest);
    path
}

#[test]
fn a_git_that_is_too_old_or_missing_is_said() {
    let place = TestEnvironment::with_repository();
    let old = place.write_program("git", "echo git version 2.30.2");
    let place = place.with_path(old);
    let refused = place.orch(&["run", "init", "x"]).fails("not_supported");
    assert_eq!(refused["message"], "Git 2.30.2 is too old, at least 2.38 is needed.");
    assert_eq!(refused["hint"], "orch run init x --no-worktrees");
    place.orch(&["run", "init", "x", "--no-worktrees"]).ok();
    assert_eq!(
        place.orch(&["run", "init", "x", "--base", "HEAD"]).fails("not_supported")["hint"],
        "git --version"
    );
    let empty = place.sibling_path("empty");
    std::fs::create_dir(&empty).unwrap();
    let place = place.with_path(empty);
    // A repository is there: that its runs would have no worktrees is for the lead to say.
    let refused = place.orch(&["run", "init", "y"]).fails("not_supported");
    assert!(json_text(&refused["message"]).contains("not installed"), "{refused}");
    assert_eq!(refused["hint"], "orch run init y --no-worktrees");
    let outside = place.sibling_path("home");
    assert_eq!(place.orch(&["run", "init", "z"]).in_folder(&outside).ok()["run"]["done_when"], "reported");
}

#[test]
fn a_git_that_goes_missing_later_is_said() {
    let place = TestEnvironment::with_tree_run(&[]);
    let empty = place.sibling_path("empty");
    std::fs::create_dir(&empty).unwrap();
    let place = place.with_path(empty);
    place.orch(&["dispatch", "a", "--to", "w"]).fails("not_supported");
    assert!(place.orch(&["task", "show", "a"]).ok()["attempts"].as_array().unwrap().is_empty());
    assert_eq!(place.orch(&["status"]).ok()["ready"][0]["key"], "a", "what needs no git goes on");
}

#[test]
fn a_repository_that_may_not_be_written_is_said() {
    let place = TestEnvironment::with_repository();
    let store = place.sibling_path("elsewhere/orch.db");
    std::fs::create_dir(place.sibling_path("elsewhere")).unwrap();
    let real = place.shell("command -v git").run().stdout.trim().to_owned();
    let script = format!("set -- {real} \"$@\"\n{UNDER_PERMISSIONS}");
    let chmod = |mode: &str| place.shell(&format!("chmod -R {mode} .git")).run();
    let bin = join_paths(place.write_program("git", &script), std::env::var_os("PATH").unwrap());
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
    let place = TestEnvironment::with_repository();
    let log = place.sibling_path("log");
    let hooks = place.repository_path().join(".git/hooks");
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
    place.begin_run("r", &["--verify", "true"]);
    for key in ["a", "b"] {
        place.add_task(key, &[]);
    }
    for key in ["a", "b"] {
        let work = place.start_tree_task(key, key);
        work.write_file(key, "x");
        let words = ["done", &work.held.thread, "--result", "Done.", "--snapshot"];
        place.holder_call(&work.held, &words).in_folder(&work.path).ok();
    }
    place.orch(&["integrate"]).ok();
    assert!(place.file_on_branch("b").is_some());
    assert!(!log.exists(), "{}", std::fs::read_to_string(&log).unwrap_or_default());
}

#[test]
fn settings_of_the_user_change_nothing() {
    let place = TestEnvironment::with_repository();
    let file = place.sibling_path("home/.gitconfig");
    let settings = "[user]\nname=Ada\nemail=a@b\n[core]\nautocrlf=true\nquotePath=true\npager=false\neditor=false\nfsmonitor=true\nsplitIndex=true\nuntrackedCache=true\n\
        [merge]\nconflictStyle=diff3\nff=only\nrenames=false\n[status]\nshowUntrackedFiles=no\nrelativePaths=false\n[diff]\nexternal=false\nnoprefix=true\n\
        [branch]\nautoSetupMerge=always\n[worktree]\nguessRemote=true\n[push]\ndefault=nothing\n[log]\nshowSignature=true\n[gpg]\nprogram=false\n[color]\nui=always\n[init]\ndefaultBranch=x\n[checkout]\nworkers=8\n[feature]\nmanyFiles=true\n[advice]\ndetachedHead=true\n";
    std::fs::write(file, settings).unwrap();
    place.begin_run("r", &["--verify", "test -e base.txt"]);
    for key in ["a", "b", "c"] {
        place.add_task(key, &[]);
    }
    let works: Vec<_> = ["a", "b"].map(|key| place.start_tree_task(key, key)).into_iter().collect();
    for (key, work) in ["a", "b"].iter().zip(&works) {
        work.write_file(key, "x\n");
        place.done_call(work).fails("worktree_dirty");
        let words = ["done", &work.held.thread, "--result", "Done.", "--snapshot"];
        place.holder_call(&work.held, &words).in_folder(&work.path).ok();
    }
    assert_eq!(place.orch(&["integrate"]).ok()["integrated"].as_array().unwrap().len(), 2);
    assert_eq!(
        place
            .run_git(["config", "--list", "--local", "--name-only"])
            .lines()
            .filter(|name| name.starts_with("branch."))
            .count(),
        0
    );
}

#[test]
fn variables_of_git_turn_us_nowhere_else() {
    let place = TestEnvironment::with_repository();
    let other = place.sibling_path("other");
    place.run_git(["init", "--quiet", other.to_str().unwrap()]);
    let hostile = [
        ("GIT_DIR", other.join(".git")),
        ("GIT_WORK_TREE", other.clone()),
        ("GIT_INDEX_FILE", other.join("index")),
        ("GIT_OBJECT_DIRECTORY", other.join("objects")),
        ("GIT_CEILING_DIRECTORIES", place.path().to_owned()),
    ];
    let mut variables = place.repo_environment().variables.clone();
    variables.extend(hostile.map(|(name, path)| (name, path.into_os_string())));
    let top = place.repository_path().to_owned();
    let clean = place.repo_environment().variables.clone();
    let place = place.with_repo_environment(RepoEnvironment { top: top.clone(), variables });
    let run = place.begin_run(
        "r",
        &["--verify", "test -z \"$GIT_DIR$GIT_INDEX_FILE\" && git rev-parse --show-toplevel"],
    );
    assert_eq!(run["base"]["branch"], "main");
    place.add_task("a", &[]);
    place.dispatch_task("a", "w");
    let place = place.with_repo_environment(RepoEnvironment { top, variables: clean });
    let work = place.claim_tree_work("w");
    place.commit_files(&work, &[("a.txt", "a")]);
    place.done_call(&work).ok();
    place.orch(&["integrate"]).ok();
    assert!(place.file_on_branch("a.txt").is_some());
}

/// The user's settings may be named by a variable alone, as in containers.
#[test]
fn settings_of_the_user_reach_our_git_by_their_variable() {
    let place = TestEnvironment::with_repository();
    let settings = place.sibling_path("settings");
    std::fs::write(&settings, "[user]\nname = Grace\nemail = grace@example.org\n").unwrap();
    let mut variables = place.repo_environment().variables.clone();
    variables.push(("GIT_CONFIG_GLOBAL", settings.into_os_string()));
    let top = place.repository_path().to_owned();
    let place = place.with_repo_environment(RepoEnvironment { top, variables });
    place.begin_run("r", &["--verify", "test \"$(git config user.name)\" = Grace"]);
    for task in ["a", "b"] {
        place.add_task(task, &[]);
    }
    let works = ["a", "b"].map(|task| place.start_tree_task(task, task));
    for (work, name) in works.iter().zip(["a.txt", "b.txt"]) {
        place.commit_files(work, &[(name, "x")]);
        place.done_call(work).ok();
    }
    assert_eq!(place.orch(&["integrate"]).ok()["integrated"].as_array().unwrap().len(), 2);
    let who = place.run_git(["log", "-1", "--merges", "--format=%an <%ae>", "orch/r/main"]);
    assert_eq!(who, "Grace <grace@example.org>");
}

#[test]
fn a_worker_whose_folder_was_deleted_can_say_so() {
    let place = TestEnvironment::with_tree_run(&[]);
    let work = place.start_tree_task("a", "w");
    let inbox = env!("CARGO_BIN_EXE_inbox");
    let line = format!(
        "rm -rf \"$PWD\"; '{inbox}' fail {} --token {} --reason 'My folder was deleted.'",
        work.held.thread, work.held.token
    );
    let store = place.repository_path().join(".git/orch/orch.db");
    let said = place.shell(&line).env("ORCH_STORE", store.to_str().unwrap()).in_folder(&work.path);
    assert_eq!(said.run().ok()["thread"]["state"], "failed");
    // A path that only a folder completes still needs one.
    let lost = place.shell(&format!("rm -rf \"$PWD\"; '{inbox}' agents")).env("ORCH_STORE", "orch.db");
    let folder = place.sibling_path("folder");
    std::fs::create_dir(&folder).unwrap();
    lost.in_folder(&folder).run().fails("store_unavailable");
}

#[test]
fn a_worktree_root_of_ones_own_is_used() {
    let place = TestEnvironment::with_repository();
    let root = place.sibling_path("trees of mine");
    place.begin_run("r", &["--worktree-root", "../trees of mine"]);
    place.add_task("a", &[]);
    let work = place.start_tree_task("a", "w");
    assert_eq!(work.path, root.join("r/a.1"));
    // A file where the folder should be.
    let file = place.sibling_path("file");
    std::fs::write(&file, "x").unwrap();
    let words = ["run", "init", "x", "--name", "s", "--worktree-root", file.to_str().unwrap()];
    place.orch(&words).fails("invalid_argument");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "x");
}

/// A disk with so little room left is not filled to its brim.
#[test]
fn a_full_disk_is_said() {
    let place = TestEnvironment::with_repository();
    let disk = place.sibling_path("disk");
    std::fs::create_dir(&disk).unwrap();
    let mount = place.shell(&format!("mount -t tmpfs -o size=1m,mode=700 none '{}'", disk.display())).run();
    if mount.exit != 0 {
        let required = std::env::var("ORCH_REQUIRE_TOOLS").unwrap_or_default();
        assert!(!required.split(' ').any(|tool| tool == "mount"), "this test needs mount");
        eprintln!(
            "NOT RUN: a_full_disk_is_said needs mount, which this machine does not have or does not allow."
        );
        return;
    }
    let _mounted = MountGuard(disk.clone());
    place.begin_run("r", &["--worktree-root", disk.to_str().unwrap()]);
    place.add_task("a", &[]);
    let refused = place.orch(&["dispatch", "a", "--to", "w"]).fails("disk_full");
    assert!(json_text(&refused["hint"]).starts_with("df -h "), "{refused}");
    assert_eq!((place.task_state("a"), std::fs::read_dir(&disk).unwrap().count()), ("ready".to_owned(), 0));
    assert_eq!(place.run_git(["for-each-ref", "refs/heads/orch/r/a.*"]), "");
    place.check_sound();
    // A check that fills the disk with its log says so, and nothing is judged by it.
    let store = disk.join("orch.db");
    let call = |words: &[&str]| place.orch(&[words, &["--store", store.to_str().unwrap()]].concat());
    call(&["run", "init", "x", "--name", "s", "--verify", "head -c 9000000 /dev/zero"]).ok();
    call(&["task", "add", "x", "--key", "b"]).ok();
    let full = call(&["dispatch", "b", "--to", "w"]).run().document();
    let code = json_text(&full["error"]["code"]);
    assert!(["disk_full", "check_failed"].contains(&code.as_str()), "{full}");
    assert!(full.to_string().contains("log could not be written") || code == "disk_full", "{full}");
    assert_eq!(call(&["task", "show", "b"]).ok()["task"]["state"], "ready");
}

/// A disk that is taken away again.
struct MountGuard(std::path::PathBuf);

impl Drop for MountGuard {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(&self.0).status();
    }
}
