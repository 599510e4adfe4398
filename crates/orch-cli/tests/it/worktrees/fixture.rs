//! A repository with a run, and what its lead and workers do there.

use std::path::PathBuf;

use orch_testkit::Yard;
use orch_testkit::yard::write;
use serde_json::Value;

use crate::place::{Call, Held, Place};

/// A repository and the programs in it.
pub(super) struct Orchard {
    pub(super) place: Place,
    pub(super) yard: Yard,
}

impl Orchard {
    /// A repository with the run `r`.
    pub(super) fn new() -> Self {
        Self::with(&[])
    }

    /// The same with more said about the run.
    pub(super) fn with(more: &[&str]) -> Self {
        Self::in_yard(Yard::new(), more)
    }

    /// A run `r` in a repository that is there.
    pub(super) fn in_yard(yard: Yard, more: &[&str]) -> Self {
        let orchard = Self { place: Place::empty(), yard };
        let run = ["run", "init", "A goal", "--name", "r", "--retry-delay", "0s"];
        orchard.orch(&[&run[..], more].concat()).ok();
        orchard
    }

    pub(super) fn orch(&self, arguments: &[&str]) -> Call {
        self.prepared(self.place.orch(arguments))
    }

    pub(super) fn inbox(&self, arguments: &[&str]) -> Call {
        self.prepared(self.place.inbox(arguments))
    }

    fn prepared(&self, call: Call) -> Call {
        let call = call.within(&self.yard.top());
        self.yard
            .variables()
            .into_iter()
            .fold(call, |call, (name, value)| call.env(name, value.to_str().unwrap()))
    }

    /// Adds tasks of these keys.
    pub(super) fn add(&self, keys: &[&str]) {
        for key in keys {
            self.orch(&["task", "add", &format!("Do {key}"), "--key", key]).ok();
        }
    }

    /// Dispatches a task to a worker of its own; returns its worktree.
    pub(super) fn dispatch(&self, key: &str) -> PathBuf {
        let dispatched = self.orch(&["dispatch", key, "--to", &format!("w-{key}")]).ok();
        PathBuf::from(dispatched["attempt"]["worktree"]["path"].as_str().unwrap())
    }

    /// Claims the work of a task.
    pub(super) fn claim(&self, key: &str) -> Held {
        let agent = format!("w-{key}");
        Held::of(&self.inbox(&["claim", "--for", &agent, "--as", &agent]).ok())
    }

    /// Dispatches a task, does its work in a file of its name, and reports; returns its worktree.
    pub(super) fn report(&self, key: &str) -> PathBuf {
        let tree = self.dispatch(key);
        let held = self.claim(key);
        write(&tree.join(format!("{key}.txt")), format!("{key}\n"));
        self.yard.commit_in(&tree, &format!("Do {key}"));
        self.inbox(&["done", &held.thread, "--token", &held.token, "--result", "It is done."]).ok();
        tree
    }

    /// Dispatches a task whose worker gives up with its work lying about; returns its worktree.
    pub(super) fn give_up(&self, key: &str) -> PathBuf {
        let tree = self.dispatch(key);
        let held = self.claim(key);
        write(&tree.join("a.txt"), "changed\n");
        write(&tree.join("new/file.txt"), "new\n");
        self.yard.git_in(&tree, ["add", "a.txt"]);
        write(&tree.join("a.txt"), "changed again\n");
        let (thread, token) = (held.thread.as_str(), held.token.as_str());
        self.inbox(&["fail", thread, "--token", token, "--reason", "It cannot be done.", "--final"]).ok();
        tree
    }

    pub(super) fn integrate(&self) -> Value {
        self.orch(&["integrate"]).ok()
    }

    /// The worktrees as `orch worktree list` tells them.
    pub(super) fn list(&self) -> Vec<Value> {
        self.orch(&["worktree", "list", "r"]).ok()["worktrees"].as_array().unwrap().clone()
    }

    /// What the store and the disk say of each worktree: `KEY@N state found`.
    pub(super) fn states(&self) -> Vec<String> {
        let told = |tree: &Value| {
            let text = |name: &str| tree[name].as_str().unwrap().to_owned();
            let name = text("attempt").split('/').next_back().unwrap().to_owned();
            format!("{name} {} {}", text("state"), text("found"))
        };
        self.list().iter().map(told).collect()
    }

    /// The run's spares.
    pub(super) fn spares(&self) -> Vec<PathBuf> {
        let listed = self.orch(&["worktree", "list", "r"]).ok();
        listed["spares"].as_array().unwrap().iter().map(|path| path.as_str().unwrap().into()).collect()
    }

    /// The folder that the run's worktrees lie in.
    pub(super) fn root(&self) -> PathBuf {
        self.yard.beside("repo.orch/r")
    }

    /// The doctor finds nothing.
    pub(super) fn is_sound(&self) {
        let doctor = self.orch(&["doctor"]).ok();
        assert_eq!(doctor["verdict"], "ok", "{doctor}");
    }
}
