//! Killed before and after each git command that it runs, whatever was begun is healed by asking again.
//!
//! The victim is this test program itself, started once more with a `git` in front of the real one that
//! counts its calls and at the chosen one kills whoever called it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use orch_git::{CommitId, Git, RefName, Repository, ReuseOutcome, WorktreeSpec, sweep_deleted_folders};
use orch_process::EnvironmentVariables;

use super::ground::{GitFixture, addition, tree_contents, write, write_program};
use super::test_host::TestHost;

/// How the victim is told what to do.
const STORY: &str = "ORCH_TEST_STORY";

/// More commands than any story runs.
const COMMANDS_MAX: u32 = 60;

/// What a victim does, and what must hold once it was done to the end.
struct CrashScenario {
    name: &'static str,
    prepare: fn(&GitFixture),
    act: fn(&Repository, &ScenarioPaths),
    check: fn(&GitFixture, &Repository),
}

/// What a victim knows.
struct ScenarioPaths {
    tree: std::path::PathBuf,
    next: std::path::PathBuf,
    restored: std::path::PathBuf,
    branch: RefName,
    next_branch: RefName,
    salvage: RefName,
    commit: CommitId,
}

impl ScenarioPaths {
    fn new(repository: &Repository, beside: &Path) -> Self {
        Self {
            tree: beside.join("key.1"),
            next: beside.join("key.2"),
            restored: beside.join("restored"),
            branch: RefName::from_branch_name("orch/run/key.1").unwrap(),
            next_branch: RefName::from_branch_name("orch/run/key.2").unwrap(),
            salvage: RefName::new("refs/orch/salvage/run/key.1").unwrap(),
            commit: repository.resolve_commit("main").unwrap(),
        }
    }

    fn addition(&self) -> WorktreeSpec<'_> {
        addition(&self.tree, &self.branch, &self.commit)
    }

    fn next_addition(&self) -> WorktreeSpec<'_> {
        addition(&self.next, &self.next_branch, &self.commit)
    }
}

const STORIES: [CrashScenario; 5] = [
    CrashScenario {
        name: "add",
        prepare: |_| {},
        act: |repository, place| {
            let worktree = repository.add_worktree(&place.addition()).unwrap();
            assert!(worktree.read_status().unwrap().is_clean());
        },
        check: |ground, repository| {
            let entry = repository.list_worktrees().unwrap().remove(1);
            assert_eq!(entry.locked.as_deref(), Some("orch: run/key@1"));
            assert_eq!(tree_contents(&entry.path), tree_contents(&ground.top));
        },
    },
    CrashScenario {
        name: "snapshot",
        prepare: |ground| {
            let repository = ground.repository();
            let worktree = ground.add_attempt_worktree(&repository, "key.1");
            write(worktree.top_level(), "a.txt", "changed\n");
            write(worktree.top_level(), "new.txt", "new\n");
        },
        act: |repository, place| {
            repository.open_worktree(&place.tree).unwrap().snapshot_commit("snapshot").unwrap();
        },
        check: |ground, repository| {
            let tree = ground.beside("key.1");
            assert!(repository.open_worktree(&tree).unwrap().read_status().unwrap().is_clean());
            assert_eq!(ground.git_in(&tree, ["rev-list", "--count", "main..HEAD"]), "1");
            assert_eq!(fs::read_to_string(tree.join("new.txt")).unwrap(), "new\n");
        },
    },
    CrashScenario {
        name: "remove",
        prepare: change_everything,
        act: |repository, place| {
            let salvage = match repository.open_worktree(&place.tree) {
                Ok(worktree) => worktree.salvage_to_ref(&place.salvage, "key.1").unwrap(),
                // Killed after the folder was gone, there is nothing left to salvage.
                Err(_) => repository.find_salvage(&place.salvage, &place.tree).unwrap().unwrap(),
            };
            repository.remove_worktree(&salvage).unwrap();
            sweep_deleted_folders(place.tree.parent().unwrap()).unwrap();
        },
        check: |ground, repository| {
            assert_eq!(repository.list_worktrees().unwrap().len(), 1);
            let left: Vec<_> = fs::read_dir(ground.beside("")).unwrap().flatten().collect();
            assert!(
                !left.iter().any(|entry| entry.file_name().to_string_lossy().contains("key.1")),
                "{left:?}"
            );
            assert!(
                !left.iter().any(|entry| entry.file_name().to_string_lossy().starts_with(".orch")),
                "{left:?}"
            );
            let commit = repository.read_ref(&RefName::new("refs/orch/salvage/run/key.1").unwrap()).unwrap();
            let path = ground.beside("back");
            repository.restore_salvage(&commit.unwrap(), &path, "r").unwrap();
            assert_eq!(tree_contents(&path), expected_files(ground));
        },
    },
    CrashScenario {
        name: "restore",
        prepare: |ground| {
            change_everything(ground);
            let repository = ground.repository();
            let place = ScenarioPaths::new(&repository, &ground.beside(""));
            let salvage =
                repository.open_worktree(&place.tree).unwrap().salvage_to_ref(&place.salvage, "x").unwrap();
            repository.remove_worktree(&salvage).unwrap();
        },
        act: |repository, place| {
            let commit = repository.read_ref(&place.salvage).unwrap().unwrap();
            match repository.restore_salvage(&commit, &place.restored, "r") {
                Ok(_) => {}
                // Killed at the very end, it is there.
                Err(error) => {
                    let entry = repository.list_worktrees().unwrap().remove(1);
                    assert_eq!(entry.locked.as_deref(), Some("orch: r"), "{error}");
                }
            }
        },
        check: |ground, _| assert_eq!(tree_contents(&ground.beside("restored")), expected_files(ground)),
    },
    CrashScenario {
        name: "reuse",
        prepare: |ground| {
            let repository = ground.repository();
            let worktree = ground.add_attempt_worktree(&repository, "key.1");
            write(worktree.top_level(), "work.txt", "w\n");
            ground.commit_in(worktree.top_level(), "work");
            ground.write("later.txt", "l\n");
            ground.commit("later");
        },
        act: |repository, place| {
            // As a caller does: a fresh one where there is none to use again.
            let reused = repository.reuse_worktree(&place.tree, &place.next_addition());
            if !matches!(reused, Ok(ReuseOutcome::Reused(_))) {
                repository.add_worktree(&place.next_addition()).unwrap();
            }
        },
        check: |ground, repository| {
            let path = ground.beside("key.2");
            let state = repository.open_worktree(&path).unwrap().read_status().unwrap();
            assert!(
                state.is_clean()
                    && state.branch == Some(RefName::from_branch_name("orch/run/key.2").unwrap())
            );
            assert_eq!(tree_contents(&path), tree_contents(&ground.top));
            let work = ground.git(["show", "orch/run/key.1:work.txt"]);
            assert_eq!(work, "w", "what was committed in the old one is kept");
        },
    },
];

/// A worktree with changes of every kind.
fn change_everything(ground: &GitFixture) {
    ground.write("gone.txt", "g\n");
    ground.commit("more");
    let repository = ground.repository();
    let worktree = ground.add_attempt_worktree(&repository, "key.1");
    write(worktree.top_level(), "a.txt", "staged\n");
    ground.git_in(worktree.top_level(), ["add", "a.txt"]);
    write(worktree.top_level(), "a.txt", "changed\n");
    write(worktree.top_level(), "new/file.txt", "n\n");
    fs::remove_file(worktree.top_level().join("gone.txt")).unwrap();
}

fn expected_files(ground: &GitFixture) -> std::collections::BTreeMap<std::path::PathBuf, (char, Vec<u8>)> {
    let mut expected = tree_contents(&ground.top);
    expected.remove(Path::new("gone.txt"));
    expected.insert("a.txt".into(), ('f', b"changed\n".to_vec()));
    expected.insert("new/file.txt".into(), ('f', b"n\n".to_vec()));
    expected
}

/// Not a test of its own: what the victim does when a story is told.
#[test]
fn the_victim() {
    let Ok(story) = std::env::var(STORY) else { return };
    let story = STORIES.iter().find(|known| known.name == story).unwrap();
    let top = std::env::current_dir().unwrap();
    let host = TestHost(EnvironmentVariables::inherit_sanitized());
    let repository = Repository::discover(&Git::find_installed(host).unwrap(), &top).unwrap();
    (story.act)(&repository, &ScenarioPaths::new(&repository, top.parent().unwrap()));
}

/// Puts a `git` in front that kills its caller before or after its command of this number.
fn install_deadly_git(ground: &GitFixture, number: u32, is_after: bool) -> std::ffi::OsString {
    let real = ground.environment().find_program("git").unwrap();
    let bin = ground.beside("deadly");
    let count = ground.beside("count");
    fs::write(&count, "").unwrap();
    let (real, count) = (real.display(), count.display());
    let (before, after) =
        if is_after { (":", "kill -KILL $PPID") } else { ("kill -KILL $PPID; exit 9", ":") };
    let script = format!(
        "#!/bin/sh\nprintf x >>{count}\n[ \"$(wc -c <{count})\" -eq {number} ] || exec {real} \"$@\"\n\
         {before}\n{real} \"$@\"\n{after}\n"
    );
    write_program(&bin.join("git"), &script);
    let mut path = bin.into_os_string();
    path.push(":");
    path.push(ground.environment().get("PATH").unwrap());
    path
}

/// Runs the victim; says whether it lived.
fn run_victim(ground: &GitFixture, story: &CrashScenario, path: &std::ffi::OsStr) -> bool {
    let mut victim = Command::new(std::env::current_exe().unwrap());
    victim.args(["--exact", "crash::the_victim", "--test-threads=1"]).env_clear();
    for name in ["HOME", "XDG_CONFIG_HOME"] {
        victim.env(name, ground.environment().get(name).unwrap());
    }
    let output = victim
        .env("PATH", path)
        .env(STORY, story.name)
        .current_dir(&ground.top)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let killed = std::os::unix::process::ExitStatusExt::signal(&output.status) == Some(9);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(killed || output.status.success(), "{}: {said}", story.name);
    !killed
}

fn run_scenario(story: &CrashScenario) {
    let mut deaths = 0;
    for number in 1..=COMMANDS_MAX {
        let mut has_lived = false;
        for is_after in [false, true] {
            let ground = GitFixture::new();
            (story.prepare)(&ground);
            let path = install_deadly_git(&ground, number, is_after);
            has_lived = run_victim(&ground, story, &path);
            deaths += u32::from(!has_lived);
            let repository = ground.repository();
            let place = ScenarioPaths::new(&repository, &ground.beside(""));
            (story.act)(&repository, &place);
            (story.check)(&ground, &repository);
            ground.check_integrity();
        }
        if has_lived {
            assert!(deaths > 5, "{} was killed {deaths} times only", story.name);
            return;
        }
    }
    panic!("{} runs more than {COMMANDS_MAX} commands", story.name);
}

#[test]
fn making_a_worktree_is_healed() {
    run_scenario(&STORIES[0]);
}

#[test]
fn a_snapshot_is_healed() {
    run_scenario(&STORIES[1]);
}

#[test]
fn removing_a_worktree_is_healed() {
    run_scenario(&STORIES[2]);
}

#[test]
fn restoring_a_worktree_is_healed() {
    run_scenario(&STORIES[3]);
}

#[test]
fn reusing_a_worktree_is_healed() {
    run_scenario(&STORIES[4]);
}
