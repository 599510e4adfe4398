//! What is begun and dies, and what must hold once it was healed.

use orch_testkit::yard::files;
use serde_json::Value;

use super::site::Site;

/// A command that dies.
pub(super) struct Story {
    pub(super) name: &'static str,
    /// What the run is made with; `JUDGE` is a program that finds everything good.
    pub(super) run: &'static [&'static str],
    /// Brings everything to where the command begins.
    pub(super) prepare: fn(&Site),
    pub(super) act: &'static [&'static str],
    /// Whether it was done.
    pub(super) is_done: fn(&Site) -> bool,
    /// What holds then.
    pub(super) check: fn(&Site),
    /// A moment that it must be seen to die in at least once.
    pub(super) moment: Option<fn(&Site) -> bool>,
    /// How many git commands it runs at least.
    pub(super) commands_min: u32,
}

pub(super) const STORIES: [Story; 7] = [
    Story {
        name: "prepare",
        run: &["--setup", "JUDGE", "--verify", "true"],
        prepare: |site| site.add(&["a", "b"]),
        act: &["dispatch", "a", "--to", "w"],
        is_done: |site| sent(site, "a"),
        check: |site| {
            is_fresh(site, "a");
            assert_eq!(site.events("dispatched"), 1, "it was dispatched once");
        },
        moment: None,
        commands_min: 10,
    },
    Story {
        name: "reuse",
        run: &["--setup", "true"],
        prepare: |site| {
            site.add(&["a", "b"]);
            site.report("a");
            site.data(&["integrate"]);
        },
        act: &["dispatch", "--all", "--to", "w"],
        is_done: |site| sent(site, "b"),
        check: |site| {
            is_fresh(site, "b");
            assert_eq!(site.events("dispatched"), 2);
            assert_eq!(site.yard.worktrees(), [site.tree("b")], "no spare is left that nobody needs");
        },
        moment: None,
        commands_min: 10,
    },
    Story {
        name: "verify",
        run: &["--verify", "JUDGE", "--setup", "true"],
        prepare: |site| {
            site.add(&["a"]);
            site.report("a");
            // Not what was reported any more, so the checks get a tree of their own.
            orch_testkit::yard::write(&site.tree("a").join("src/0.txt"), "changed\n");
        },
        act: &["verify", "a"],
        is_done: |site| site.task("a")["task"]["checks"] == "passed",
        check: |site| {
            assert_eq!(site.task("a")["task"]["state"], "reported");
            assert_eq!(site.yard.worktrees(), [site.tree("a")]);
            assert_eq!(std::fs::read_to_string(site.tree("a").join("src/0.txt")).unwrap(), "changed\n");
        },
        moment: None,
        commands_min: 5,
    },
    Story {
        name: "integrate",
        run: &["--verify", "JUDGE"],
        prepare: |site| {
            site.add(&["a", "b", "c"]);
            site.report("a");
            site.report("b");
        },
        act: &["integrate"],
        is_done: |site| ["a", "b"].iter().all(|key| site.task(key)["task"]["state"] == "done"),
        check: are_merged,
        moment: Some(has_moved_unrecorded),
        commands_min: 30,
    },
    Story {
        name: "remove",
        run: &[],
        prepare: |site| {
            site.add(&["a"]);
            site.give_up("a");
        },
        act: &["worktree", "remove", "a"],
        is_done: |site| site.tree_state("a") == "removed",
        check: |site| {
            let references = ["refs/orch/kept/r/a.1", "refs/orch/salvage/r/a.1"];
            assert_eq!(site.yard.references("refs/orch/"), references);
            assert_eq!(site.yard.references("refs/heads/orch/"), ["refs/heads/orch/r/main"]);
            assert_eq!(site.events("worktree_removed"), 1);
            site.data(&["worktree", "restore", "a"]);
            is_disordered(site);
        },
        moment: None,
        commands_min: 10,
    },
    Story {
        name: "restore",
        run: &[],
        prepare: |site| {
            site.add(&["a"]);
            site.give_up("a");
            site.data(&["worktree", "remove", "a"]);
        },
        act: &["worktree", "restore", "a"],
        is_done: |site| site.tree_state("a") == "present",
        check: |site| {
            is_disordered(site);
            assert_eq!(site.events("worktree_restored"), 1);
            let branches = ["refs/heads/orch/r/a.1", "refs/heads/orch/r/main"];
            assert_eq!(site.yard.references("refs/heads/orch/"), branches);
        },
        moment: None,
        commands_min: 10,
    },
    Story {
        name: "prune",
        run: &[],
        prepare: |site| {
            site.add(&["a", "b", "c"]);
            site.report("a");
            site.data(&["integrate"]);
            site.give_up("b");
        },
        act: &["worktree", "prune"],
        is_done: |site| site.tree_state("b") == "removed" && site.yard.worktrees().is_empty(),
        check: |site| {
            site.data(&["worktree", "restore", "b"]);
            assert_eq!(std::fs::read_to_string(site.tree("b").join("src/0.txt")).unwrap(), "changed\n");
        },
        moment: None,
        commands_min: 10,
    },
];

/// Whether the task's first attempt was sent.
fn sent(site: &Site, key: &str) -> bool {
    let shown = site.task(key);
    let attempts = shown["attempts"].as_array().unwrap();
    assert!(attempts.len() <= 1, "{shown}");
    attempts.first().is_some_and(|attempt| attempt["thread"].is_string())
}

/// The worktree of the task's attempt is as a worker finds it.
fn is_fresh(site: &Site, key: &str) {
    let shown = site.task(key);
    let attempt = &shown["attempts"][0];
    assert_eq!((&attempt["state"], &attempt["number"]), (&"dispatched".into(), &1.into()), "{attempt}");
    let tree = site.tree(key);
    let base = attempt["worktree"]["base_commit"].as_str().unwrap();
    assert_eq!(base, site.yard.git(["rev-parse", "orch/r/main"]));
    assert_eq!(site.yard.git_in(&tree, ["rev-parse", "HEAD"]), base);
    let branch = format!("orch/r/{key}.1");
    assert_eq!(site.yard.git_in(&tree, ["symbolic-ref", "--short", "HEAD"]), branch);
    assert_eq!(site.yard.git_in(&tree, ["status", "--porcelain", "--ignored"]), "");
    let lock = site.yard.git(["worktree", "list", "--porcelain"]);
    assert!(lock.contains(&format!("locked orch: r/{key}@1")), "{lock}");
}

/// Whether the run's branch has an attempt that the store does not know to be merged.
fn has_moved_unrecorded(site: &Site) -> bool {
    let steps = site.yard.git(["rev-list", "--count", "--first-parent", "main..orch/r/main"]);
    steps.parse::<usize>().unwrap() > site.events("integrated")
}

/// Both attempts are on the run's branch, once.
fn are_merged(site: &Site) {
    for key in ["a", "b"] {
        assert_eq!(site.yard.git(["show", &format!("orch/r/main:work/{key}")]), key);
        let shown = site.task(key);
        assert_eq!(shown["attempts"].as_array().unwrap().len(), 1);
        let (attempt, tree) = (&shown["attempts"][0], &shown["attempts"][0]["worktree"]);
        assert_eq!(
            (&attempt["state"], &attempt["checks"]),
            (&"accepted".into(), &"passed".into()),
            "{shown}"
        );
        let merged = tree["merged_commit"].as_str().unwrap();
        let head = tree["head_commit"].as_str().unwrap();
        site.yard.git(["merge-base", "--is-ancestor", merged, "orch/r/main"]);
        site.yard.git(["merge-base", "--is-ancestor", head, merged]);
        assert_eq!((&tree["state"], site.tree(key).exists()), (&"removed".into(), false));
    }
    // One commit of each, and the merge of the second.
    assert_eq!(site.yard.git(["rev-list", "--count", "main..orch/r/main"]), "3");
    assert_eq!((site.events("integrated"), site.events("rejected")), (2, 0));
    assert_eq!(site.yard.references("refs/heads/orch/"), ["refs/heads/orch/r/main"]);
    let references: Vec<String> = ["kept", "salvage"]
        .iter()
        .flat_map(|kind| ["a", "b"].map(|key| format!("refs/orch/{kind}/r/{key}.1")))
        .collect();
    assert_eq!(site.yard.references("refs/orch/"), references);
    // Whether there is a spare depends on where it died; the next attempt begins as it would anyway.
    site.data(&["dispatch", "c", "--to", "w"]);
    is_fresh(site, "c");
    let state: Value = site.task("c")["task"]["state"].clone();
    assert_eq!(state, "dispatched");
}

/// The worktree of `a` holds what its worker left.
fn is_disordered(site: &Site) {
    let there = files(&site.tree("a"));
    let text = |name: &str| String::from_utf8(there[std::path::Path::new(name)].1.clone()).unwrap();
    assert_eq!(
        (text("src/0.txt"), text("work/new"), text("src/1.txt")),
        ("changed\n".into(), "new\n".into(), "1\n".into())
    );
    assert_eq!(there.len(), 8);
    assert_eq!(site.yard.git_in(&site.tree("a"), ["show", ":src/0.txt"]), "staged");
    assert_eq!(site.yard.git_in(&site.tree("a"), ["symbolic-ref", "--short", "HEAD"]), "orch/r/a.1");
}
