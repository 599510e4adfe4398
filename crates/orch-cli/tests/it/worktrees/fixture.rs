//! A repository with a run, and what its lead and workers do there.

use std::path::PathBuf;

use orch_testkit::TestRepo;
use orch_testkit::test_repo::write_file_at;
use serde_json::Value;

use crate::test_environment::{ClaimedThread, CliInvocation, TestEnvironment};

/// A repository and the programs in it.
pub(super) struct WorktreeFixture {
    pub(super) place: TestEnvironment,
    pub(super) yard: TestRepo,
}

impl WorktreeFixture {
    /// A repository with the run `r`.
    pub(super) fn new() -> Self {
        Self::with_run_options(&[])
    }

    /// The same with more said about the run.
    pub(super) fn with_run_options(more: &[&str]) -> Self {
        Self::in_repository(TestRepo::new(), more)
    }

    /// A run `r` in a repository that is there.
    pub(super) fn in_repository(yard: TestRepo, more: &[&str]) -> Self {
        let orchard = Self { place: TestEnvironment::without_store(), yard };
        let run = ["run", "init", "A goal", "--name", "r", "--retry-delay", "0s"];
        orchard.orch(&[&run[..], more].concat()).ok();
        orchard
    }

    pub(super) fn orch(&self, arguments: &[&str]) -> CliInvocation {
        self.with_environment(self.place.orch(arguments))
    }

    pub(super) fn inbox(&self, arguments: &[&str]) -> CliInvocation {
        self.with_environment(self.place.inbox(arguments))
    }

    fn with_environment(&self, call: CliInvocation) -> CliInvocation {
        let call = call.in_folder(&self.yard.repository_path());
        self.yard
            .environment_variables()
            .into_iter()
            .fold(call, |call, (name, value)| call.env(name, value.to_str().unwrap()))
    }

    /// Adds tasks of these keys.
    pub(super) fn add_tasks(&self, keys: &[&str]) {
        for key in keys {
            self.orch(&["task", "add", &format!("Do {key}"), "--key", key]).ok();
        }
    }

    /// Dispatches a task to a worker of its own; returns its worktree.
    pub(super) fn dispatch_task(&self, key: &str) -> PathBuf {
        let dispatched = self.orch(&["dispatch", key, "--to", &format!("w-{key}")]).ok();
        PathBuf::from(dispatched["attempt"]["worktree"]["path"].as_str().unwrap())
    }

    /// Claims the work of a task.
    pub(super) fn claim_task(&self, key: &str) -> ClaimedThread {
        let agent = format!("w-{key}");
        ClaimedThread::from_claim(&self.inbox(&["claim", "--for", &agent, "--as", &agent]).ok())
    }

    /// Dispatches a task, does its work in a file of its name, and reports; returns its worktree.
    pub(super) fn report_task(&self, key: &str) -> PathBuf {
        let tree = self.dispatch_task(key);
        let held = self.claim_task(key);
        write_file_at(&tree.join(format!("{key}.txt")), format!("{key}\n"));
        self.yard.commit_all_in(&tree, &format!("Do {key}"));
        self.inbox(&["done", &held.thread, "--token", &held.token, "--result", "It is done."]).ok();
        tree
    }

    /// Dispatches a task whose worker gives up with its work lying about; returns its worktree.
    pub(super) fn fail_task(&self, key: &str) -> PathBuf {
        let tree = self.dispatch_task(key);
        let held = self.claim_task(key);
        write_file_at(&tree.join("a.txt"), "changed\n");
        write_file_at(&tree.join("new/file.txt"), "new\n");
        self.yard.run_git_in(&tree, ["add", "a.txt"]);
        write_file_at(&tree.join("a.txt"), "changed again\n");
        let (thread, token) = (held.thread.as_str(), held.token.as_str());
        self.inbox(&["fail", thread, "--token", token, "--reason", "It cannot be done.", "--final"]).ok();
        tree
    }

    pub(super) fn integrate_run(&self) -> Value {
        self.orch(&["integrate"]).ok()
    }

    /// The worktrees as `orch worktree list` tells them.
    pub(super) fn list_worktrees(&self) -> Vec<Value> {
        self.orch(&["worktree", "list", "r"]).ok()["worktrees"].as_array().unwrap().clone()
    }

    /// What the store and the disk say of each worktree: `KEY@N state found`.
    pub(super) fn worktree_states(&self) -> Vec<String> {
        let told = |tree: &Value| {
            let text = |name: &str| tree[name].as_str().unwrap().to_owned();
            let name = text("attempt").split('/').next_back().unwrap().to_owned();
            format!("{name} {} {}", text("state"), text("found"))
        };
        self.list_worktrees().iter().map(told).collect()
    }

    /// The run's spares.
    pub(super) fn spare_paths(&self) -> Vec<PathBuf> {
        let listed = self.orch(&["worktree", "list", "r"]).ok();
        listed["spares"].as_array().unwrap().iter().map(|path| path.as_str().unwrap().into()).collect()
    }

    /// The folder that the run's worktrees lie in.
    pub(super) fn worktree_root(&self) -> PathBuf {
        self.yard.sibling_path("repo.orch/r")
    }

    /// The doctor finds nothing.
    pub(super) fn check_sound(&self) {
        let doctor = self.orch(&["doctor"]).ok();
        assert_eq!(doctor["verdict"], "ok", "{doctor}");
    }
}
