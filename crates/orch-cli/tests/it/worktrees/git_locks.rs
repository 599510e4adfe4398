//! Lock files that killed git processes left behind, and lock files that are in use.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::fixture::WorktreeFixture;
use orch_testkit::test_repo::write_file_at;

/// Makes a lock file, or an existing one, as old as an hour.
#[expect(clippy::disallowed_methods, reason = "the age of a file is what the system's clock says")]
fn leave_lock(path: &Path) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file = File::options().create(true).append(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(3_600)).unwrap();
}

impl WorktreeFixture {
    fn git_path(&self, name: &str) -> PathBuf {
        self.yard.repository_path().join(".git").join(name)
    }

    /// The git directory of a worktree.
    fn git_dir(&self, tree: &Path) -> PathBuf {
        self.yard.run_git_in(tree, ["rev-parse", "--absolute-git-dir"]).into()
    }

    /// What reconcile says about locks: the paths, and whether they were removed.
    fn reconciled_locks(&self, words: &[&str]) -> Vec<(PathBuf, bool)> {
        let found = self.orch(words).ok();
        let locks = found["locks"].as_array().unwrap().iter();
        locks.map(|lock| (lock["path"].as_str().unwrap().into(), lock["removed"] == true)).collect()
    }
}

#[test]
fn merging_continues_in_spite_of_a_stale_lock() {
    let orchard = WorktreeFixture::new();
    orchard.add_tasks(&["a"]);
    orchard.report_task("a");
    for name in ["refs/heads/orch/r/main.lock", "refs/orch/kept/r/a.1.lock", "refs/heads/orch/r/a.1.lock"] {
        leave_lock(&orchard.git_path(name));
    }
    assert_eq!(orchard.integrate_run()["integrated"].as_array().unwrap().len(), 1);
    assert_eq!(orchard.reconciled_locks(&["reconcile"]), []);
}

#[test]
fn reconcile_removes_the_locks_that_orch_manages_and_reports_all_others() {
    let orchard = WorktreeFixture::new();
    orchard.add_tasks(&["a", "b"]);
    let (live, ended) = (orchard.dispatch_task("a"), orchard.fail_task("b"));
    let own = [orchard.git_path("refs/orch/salvage/r/x.lock"), orchard.git_dir(&ended).join("index.lock")];
    let of_people = [
        orchard.git_path("config.lock"),
        orchard.git_path("index.lock"),
        orchard.git_path("packed-refs.lock"),
        orchard.git_path("refs/heads/main.lock"),
        orchard.git_dir(&live).join("index.lock"),
    ];
    for path in own.iter().chain(&of_people) {
        leave_lock(path);
    }
    let listed = |removed: bool| {
        let own = own.iter().map(|path| (path.clone(), removed));
        let mut all: Vec<_> = own.chain(of_people.iter().map(|path| (path.clone(), false))).collect();
        all.sort();
        all
    };
    assert_eq!(orchard.reconciled_locks(&["reconcile", "--dry-run"]), listed(false));
    let findings = orchard.orch(&["doctor"]).ok();
    let said: Vec<&Value> = findings["findings"].as_array().unwrap().iter().collect();
    let said: Vec<&str> = said
        .iter()
        .filter(|finding| finding["check"] == "git_locks" && finding["level"] == "warning")
        .map(|finding| finding["message"].as_str().unwrap())
        .collect();
    assert_eq!(said.len(), own.len() + of_people.len(), "{findings}");
    for path in &of_people {
        let removal = format!("remove it with `rm {}`", path.display());
        assert!(said.iter().any(|message| message.contains(&removal)), "{said:?}");
    }
    assert_eq!(orchard.reconciled_locks(&["reconcile"]), listed(true));
    assert!(own.iter().all(|path| !path.exists()) && of_people.iter().all(|path| path.exists()));
    let text = orchard.orch(&["reconcile"]).text();
    assert!(text.contains("3600 s old") && text.contains("packed-refs.lock: stays"), "{text}");
}

#[test]
fn a_lock_that_orch_may_not_remove_is_named_by_the_error() {
    let orchard = WorktreeFixture::new();
    orchard.add_tasks(&["a"]);
    orchard.report_task("a");
    orchard.integrate_run();
    let lock = orchard.git_path("index.lock");
    leave_lock(&lock);
    let refused = orchard.orch(&["land", "r", "--onto", "main"]).fails("worktree_conflict");
    assert_eq!(refused["details"]["paths"], serde_json::json!([lock]), "{refused}");
    assert!(refused["details"]["next"].to_string().contains(&format!("rm {}", lock.display())), "{refused}");
    std::fs::remove_file(&lock).unwrap();
    orchard.orch(&["land", "r", "--onto", "main"]).ok();
}

/// A commit whose hook waits until it is released.
struct HeldCommit {
    child: Child,
    gate: PathBuf,
}

impl HeldCommit {
    /// Begins a commit in a folder, and returns when its hook holds git's locks.
    fn begin(orchard: &WorktreeFixture, folder: &Path, hook: &str) -> Self {
        let gate = orchard.yard.sibling_path(format!("gate-{hook}"));
        let hooks = orchard.yard.sibling_path(format!("hooks-{hook}"));
        let (began, script) = (gate.with_extension("began"), hooks.join(hook));
        for path in [&gate, &began] {
            let made = Command::new("mkfifo").arg(path).status().unwrap();
            assert!(made.success());
        }
        write_file_at(
            &script,
            format!(
                "#!/bin/sh\n[ \"$1\" = committed ] && exit 0\n[ -p {gate} ] || exit 0\necho >{began}\nread line <{gate}\nrm -f {gate}\n",
                gate = gate.display(),
                began = began.display()
            ),
        );
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut command = Command::new("git");
        command.env_clear().envs(orchard.yard.environment_variables()).current_dir(folder);
        command.arg("-c").arg(format!("core.hooksPath={}", hooks.display()));
        // With `--all` git holds the lock on the index while `pre-commit` runs.
        write_file_at(&folder.join("a.txt"), format!("changed before {hook}\n"));
        command.args(["commit", "--quiet", "--all", "-m", "held by its hook"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap();
        // Opening it waits for the hook.
        assert_eq!(std::fs::read(&began).unwrap(), b"\n");
        Self { child, gate }
    }

    /// Lets the hook end; the commit must succeed.
    fn finish(mut self) {
        self.open_gate();
        assert!(self.child.wait().unwrap().success());
    }

    fn open_gate(&self) {
        // Opened for both, a named pipe has a reader.
        let gate = File::options().read(true).write(true).open(&self.gate);
        // Git removes it at the end of the commit.
        let _ = gate.and_then(|mut gate| gate.write_all(b"\n"));
    }
}

impl Drop for HeldCommit {
    fn drop(&mut self) {
        self.open_gate();
        let _ = self.child.wait();
    }
}

/// A commit holds its locks as long as its hooks run, however long that is.
#[test]
fn no_lock_of_a_commit_is_broken_while_its_hook_runs() {
    for hook in ["pre-commit", "reference-transaction"] {
        let orchard = WorktreeFixture::new();
        orchard.add_tasks(&["a", "b"]);
        let (live, ended) = (orchard.dispatch_task("a"), orchard.fail_task("b"));
        // In an ended attempt's worktree, a live one's, and the user's own checkout.
        for folder in [&ended, &live, &orchard.yard.repository_path()] {
            let held = HeldCommit::begin(&orchard, folder, hook);
            let locks: Vec<PathBuf> = ["index.lock", "HEAD.lock"]
                .iter()
                .map(|name| orchard.git_dir(folder).join(name))
                .chain(["a.1", "b.1"].map(|name| orchard.git_path(&format!("refs/heads/orch/r/{name}.lock"))))
                .chain([orchard.git_path("refs/heads/main.lock")])
                .filter(|path| path.exists())
                .collect();
            assert!(!locks.is_empty(), "{hook} in {}", folder.display());
            for lock in &locks {
                leave_lock(lock);
            }
            assert_eq!(orchard.reconciled_locks(&["reconcile"]), [], "{hook} in {}", folder.display());
            assert!(locks.iter().all(|path| path.exists()), "{hook} in {}", folder.display());
            held.finish();
            assert_eq!(orchard.yard.run_git_in(folder, ["log", "-1", "--format=%s"]), "held by its hook");
            std::fs::remove_dir_all(orchard.yard.sibling_path(format!("hooks-{hook}"))).unwrap();
            std::fs::remove_file(orchard.yard.sibling_path(format!("gate-{hook}.began"))).unwrap();
        }
    }
}
