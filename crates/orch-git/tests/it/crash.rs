//! Tests that an operation killed before or after any of its git commands is completed by repeating it.
//!
//! The victim is this test program, started again with a wrapper of `git` that counts its calls and kills its caller at
//! a given one.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use orch_git::{
    BranchMove, CommitId, Git, RefName, Repository, ReuseOutcome, WorktreeSpec, sweep_deleted_folders,
};
use orch_process::EnvironmentVariables;

use super::ground::{GitFixture, addition, tree_contents, write, write_program};
use super::test_host::TestHost;

/// The variable with the scenario of the victim.
const SCENARIO: &str = "ORCH_TEST_SCENARIO";

/// More commands than any scenario runs.
const COMMANDS_MAX: u32 = 60;

/// An operation of the victim, and what holds after it was completed.
struct CrashScenario {
    name: &'static str,
    prepare: fn(&GitFixture),
    act: fn(&Repository, &ScenarioPaths),
    check: fn(&GitFixture, &Repository),
}

/// The paths and names of a scenario.
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

const SCENARIOS: [CrashScenario; 6] = [
    CrashScenario {
        name: "add",
        prepare: |_| {},
        act: |repository, place| {
            let worktree = repository.add_worktree(&place.addition()).unwrap();
            assert!(worktree.read_status().unwrap().is_clean());
        },
        check: |fixture, repository| {
            let entry = repository.list_worktrees().unwrap().remove(1);
            assert_eq!(entry.locked.as_deref(), Some("orch: run/key@1"));
            assert_eq!(tree_contents(&entry.path), tree_contents(&fixture.top));
        },
    },
    CrashScenario {
        name: "snapshot",
        prepare: |fixture| {
            let repository = fixture.repository();
            let worktree = fixture.add_attempt_worktree(&repository, "key.1");
            write(worktree.top_level(), "a.txt", "changed\n");
            write(worktree.top_level(), "new.txt", "new\n");
        },
        act: |repository, place| {
            repository.open_worktree(&place.tree).unwrap().snapshot_commit("snapshot").unwrap();
        },
        check: |fixture, repository| {
            let tree = fixture.beside("key.1");
            assert!(repository.open_worktree(&tree).unwrap().read_status().unwrap().is_clean());
            assert_eq!(fixture.git_in(&tree, ["rev-list", "--count", "main..HEAD"]), "1");
            assert_eq!(fs::read_to_string(tree.join("new.txt")).unwrap(), "new\n");
        },
    },
    CrashScenario {
        name: "remove",
        prepare: change_everything,
        act: |repository, place| {
            let salvage = match repository.open_worktree(&place.tree) {
                Ok(worktree) => worktree.salvage_to_ref(&place.salvage, "key.1").unwrap(),
                // Killed after the folder was deleted: nothing is left to salvage.
                Err(_) => repository.find_salvage(&place.salvage, &place.tree).unwrap().unwrap(),
            };
            repository.remove_worktree(&salvage).unwrap();
            sweep_deleted_folders(place.tree.parent().unwrap()).unwrap();
        },
        check: |fixture, repository| {
            assert_eq!(repository.list_worktrees().unwrap().len(), 1);
            let left: Vec<_> = fs::read_dir(fixture.beside("")).unwrap().flatten().collect();
            assert!(
                !left.iter().any(|entry| entry.file_name().to_string_lossy().contains("key.1")),
                "{left:?}"
            );
            assert!(
                !left.iter().any(|entry| entry.file_name().to_string_lossy().starts_with(".orch")),
                "{left:?}"
            );
            let commit = repository.read_ref(&RefName::new("refs/orch/salvage/run/key.1").unwrap()).unwrap();
            let path = fixture.beside("back");
            repository.restore_salvage(&commit.unwrap(), &path, "r").unwrap();
            assert_eq!(tree_contents(&path), expected_files(fixture));
        },
    },
    CrashScenario {
        name: "restore",
        prepare: |fixture| {
            change_everything(fixture);
            let repository = fixture.repository();
            let place = ScenarioPaths::new(&repository, &fixture.beside(""));
            let salvage =
                repository.open_worktree(&place.tree).unwrap().salvage_to_ref(&place.salvage, "x").unwrap();
            repository.remove_worktree(&salvage).unwrap();
        },
        act: |repository, place| {
            let commit = repository.read_ref(&place.salvage).unwrap().unwrap();
            match repository.restore_salvage(&commit, &place.restored, "r") {
                Ok(_) => {}
                // Killed at the very end: the worktree exists.
                Err(error) => {
                    let entry = repository.list_worktrees().unwrap().remove(1);
                    assert_eq!(entry.locked.as_deref(), Some("orch: r"), "{error}");
                }
            }
        },
        check: |fixture, _| assert_eq!(tree_contents(&fixture.beside("restored")), expected_files(fixture)),
    },
    CrashScenario {
        name: "reuse",
        prepare: |fixture| {
            let repository = fixture.repository();
            let worktree = fixture.add_attempt_worktree(&repository, "key.1");
            write(worktree.top_level(), "work.txt", "w\n");
            fixture.commit_in(worktree.top_level(), "work");
            fixture.write("later.txt", "l\n");
            fixture.commit("later");
        },
        act: |repository, place| {
            // As a caller does: a fresh worktree if there is none to reuse.
            let reused = repository.reuse_worktree(&place.tree, &place.next_addition());
            if !matches!(reused, Ok(ReuseOutcome::Reused(_))) {
                repository.add_worktree(&place.next_addition()).unwrap();
            }
        },
        check: |fixture, repository| {
            let path = fixture.beside("key.2");
            let state = repository.open_worktree(&path).unwrap().read_status().unwrap();
            assert!(
                state.is_clean()
                    && state.branch == Some(RefName::from_branch_name("orch/run/key.2").unwrap())
            );
            assert_eq!(tree_contents(&path), tree_contents(&fixture.top));
            let work = fixture.git(["show", "orch/run/key.1:work.txt"]);
            assert_eq!(work, "w", "the commits of the old worktree are kept");
        },
    },
    CrashScenario {
        name: "move",
        prepare: |fixture| {
            fixture.git(["switch", "--quiet", "--create", "next"]);
            fixture.write("a.txt", "two\n");
            fixture.write("folder/new.txt", "new\n");
            fixture.commit("next");
            fixture.git(["switch", "--quiet", "main"]);
            fixture.write("mine.txt", "mine\n");
        },
        act: |repository, _| {
            let branch = &RefName::from_branch_name("main").unwrap();
            let (from, to) =
                (&repository.resolve_commit("next~1").unwrap(), &repository.resolve_commit("next").unwrap());
            let step = BranchMove { branch, from, to, message: "move" };
            // As a caller does that recorded the move first.
            if repository.read_ref(branch).unwrap().as_ref() == Some(from) {
                repository.undo_branch_move(&step).unwrap();
                repository.move_branch(&step).unwrap();
            }
        },
        check: |fixture, _| {
            assert_eq!(fixture.git(["rev-parse", "main"]), fixture.git(["rev-parse", "next"]));
            assert_eq!(fixture.git(["status", "--porcelain"]), "?? mine.txt");
            assert_eq!(fs::read_to_string(fixture.top.join("folder/new.txt")).unwrap(), "new\n");
        },
    },
];

/// Makes changes of every kind.
fn change_everything(fixture: &GitFixture) {
    fixture.write("gone.txt", "g\n");
    fixture.commit("more");
    let repository = fixture.repository();
    let worktree = fixture.add_attempt_worktree(&repository, "key.1");
    write(worktree.top_level(), "a.txt", "staged\n");
    fixture.git_in(worktree.top_level(), ["add", "a.txt"]);
    write(worktree.top_level(), "a.txt", "changed\n");
    write(worktree.top_level(), "new/file.txt", "n\n");
    fs::remove_file(worktree.top_level().join("gone.txt")).unwrap();
}

fn expected_files(fixture: &GitFixture) -> std::collections::BTreeMap<std::path::PathBuf, (char, Vec<u8>)> {
    let mut expected = tree_contents(&fixture.top);
    expected.remove(Path::new("gone.txt"));
    expected.insert("a.txt".into(), ('f', b"changed\n".to_vec()));
    expected.insert("new/file.txt".into(), ('f', b"n\n".to_vec()));
    expected
}

/// Not a test of its own: the process that the tests kill.
#[test]
fn victim_process() {
    let Ok(scenario) = std::env::var(SCENARIO) else { return };
    let scenario = SCENARIOS.iter().find(|known| known.name == scenario).unwrap();
    let top = std::env::current_dir().unwrap();
    let host = TestHost(EnvironmentVariables::inherit_sanitized());
    let repository = Repository::discover(&Git::find_installed(host).unwrap(), &top).unwrap();
    (scenario.act)(&repository, &ScenarioPaths::new(&repository, top.parent().unwrap()));
}

/// Installs a wrapper of `git` that kills its caller before or after the command with this number.
fn install_killing_git(fixture: &GitFixture, number: u32, is_after: bool) -> std::ffi::OsString {
    let real = fixture.environment().find_program("git").unwrap();
    let bin = fixture.beside("killing");
    let count = fixture.beside("count");
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
    path.push(fixture.environment().get("PATH").unwrap());
    path
}

/// Runs the victim; returns whether it survived.
fn run_victim(fixture: &GitFixture, scenario: &CrashScenario, path: &std::ffi::OsStr) -> bool {
    let mut victim = Command::new(std::env::current_exe().unwrap());
    victim.args(["--exact", "crash::victim_process", "--test-threads=1"]).env_clear();
    for name in ["HOME", "XDG_CONFIG_HOME"] {
        victim.env(name, fixture.environment().get(name).unwrap());
    }
    let output = victim
        .env("PATH", path)
        .env(SCENARIO, scenario.name)
        .current_dir(&fixture.top)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let killed = std::os::unix::process::ExitStatusExt::signal(&output.status) == Some(9);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(killed || output.status.success(), "{}: {stdout}", scenario.name);
    !killed
}

fn run_scenario(scenario: &CrashScenario) {
    let mut deaths = 0;
    for number in 1..=COMMANDS_MAX {
        let mut has_lived = false;
        for is_after in [false, true] {
            let fixture = GitFixture::new();
            (scenario.prepare)(&fixture);
            let path = install_killing_git(&fixture, number, is_after);
            has_lived = run_victim(&fixture, scenario, &path);
            deaths += u32::from(!has_lived);
            let repository = fixture.repository();
            let place = ScenarioPaths::new(&repository, &fixture.beside(""));
            (scenario.act)(&repository, &place);
            (scenario.check)(&fixture, &repository);
            fixture.check_integrity();
        }
        if has_lived {
            assert!(deaths > 5, "{} was killed {deaths} times only", scenario.name);
            return;
        }
    }
    panic!("{} runs more than {COMMANDS_MAX} commands", scenario.name);
}

#[test]
fn creating_a_worktree_recovers_from_crashes() {
    run_scenario(&SCENARIOS[0]);
}

#[test]
fn a_snapshot_recovers_from_crashes() {
    run_scenario(&SCENARIOS[1]);
}

#[test]
fn removing_a_worktree_recovers_from_crashes() {
    run_scenario(&SCENARIOS[2]);
}

#[test]
fn restoring_a_worktree_recovers_from_crashes() {
    run_scenario(&SCENARIOS[3]);
}

#[test]
fn reusing_a_worktree_recovers_from_crashes() {
    run_scenario(&SCENARIOS[4]);
}

#[test]
fn moving_a_branch_recovers_from_crashes() {
    run_scenario(&SCENARIOS[5]);
}
