//! What is begun and dies, and what must hold once it was healed.

use orch_testkit::test_repo::folder_contents;
use serde_json::Value;

use super::fixture::CrashFixture;

/// A command that dies.
pub(super) struct KilledCommand {
    pub(super) name: &'static str,
    /// What the run is made with; `JUDGE` is a program that finds everything good.
    pub(super) run: &'static [&'static str],
    /// Brings everything to where the command begins.
    pub(super) prepare: fn(&CrashFixture),
    pub(super) act: &'static [&'static str],
    /// Whether it was done.
    pub(super) is_done: fn(&CrashFixture) -> bool,
    /// What holds then.
    pub(super) check: fn(&CrashFixture),
    /// A moment after a reference moved that it must be seen to die in.
    pub(super) moment: Option<fn(&CrashFixture) -> bool>,
    /// How many git commands it runs at least.
    pub(super) commands_min: u32,
}

pub(super) const STORIES: [KilledCommand; 11] = [
    KilledCommand {
        name: "prepare",
        run: &["--setup", "JUDGE", "--verify", "true"],
        prepare: |site| site.add_tasks(&["a", "b"]),
        act: &["dispatch", "a", "--to", "w"],
        is_done: |site| is_sent(site, "a"),
        check: |site| {
            check_fresh(site, "a");
            assert_eq!(site.count_events("dispatched"), 1, "it was dispatched once");
        },
        moment: None,
        commands_min: 10,
    },
    KilledCommand {
        name: "reuse",
        run: &["--setup", "true"],
        prepare: |site| {
            site.add_tasks(&["a", "b"]);
            site.report_task("a");
            site.run_orch_data(&["integrate"]);
        },
        act: &["dispatch", "--all", "--to", "w"],
        is_done: |site| is_sent(site, "b"),
        check: |site| {
            check_fresh(site, "b");
            assert_eq!(site.count_events("dispatched"), 2);
            assert_eq!(
                site.yard.list_worktrees(),
                [site.worktree_path("b")],
                "no spare is left that nobody needs"
            );
        },
        moment: None,
        commands_min: 10,
    },
    KilledCommand {
        name: "verify",
        run: &["--verify", "JUDGE", "--setup", "true"],
        prepare: |site| {
            site.add_tasks(&["a"]);
            site.report_task("a");
            // Not what was reported any more, so the checks get a tree of their own.
            orch_testkit::test_repo::write_file_at(&site.worktree_path("a").join("src/0.txt"), "changed\n");
        },
        act: &["verify", "a"],
        is_done: |site| site.show_task("a")["task"]["checks"] == "passed",
        check: |site| {
            assert_eq!(site.show_task("a")["task"]["state"], "reported");
            assert_eq!(site.yard.list_worktrees(), [site.worktree_path("a")]);
            assert_eq!(
                std::fs::read_to_string(site.worktree_path("a").join("src/0.txt")).unwrap(),
                "changed\n"
            );
        },
        moment: None,
        commands_min: 5,
    },
    KilledCommand {
        name: "integrate",
        run: &["--verify", "JUDGE"],
        prepare: |site| {
            site.add_tasks(&["a", "b", "c"]);
            site.report_task("a");
            site.report_task("b");
        },
        act: &["integrate"],
        is_done: |site| ["a", "b"].iter().all(|key| site.show_task(key)["task"]["state"] == "done"),
        check: check_merged_once,
        moment: Some(has_moved_unrecorded),
        commands_min: 30,
    },
    KilledCommand {
        name: "remove",
        run: &[],
        prepare: |site| {
            site.add_tasks(&["a"]);
            site.fail_task("a");
        },
        act: &["worktree", "remove", "a"],
        is_done: |site| site.tree_state("a") == "removed",
        check: |site| {
            let references = ["refs/orch/kept/r/a.1", "refs/orch/salvage/r/a.1"];
            assert_eq!(site.yard.list_references("refs/orch/"), references);
            assert_eq!(site.yard.list_references("refs/heads/orch/"), ["refs/heads/orch/r/main"]);
            assert_eq!(site.count_events("worktree_removed"), 1);
            site.run_orch_data(&["worktree", "restore", "a"]);
            check_leftovers_kept(site);
        },
        moment: None,
        commands_min: 10,
    },
    KilledCommand {
        name: "restore",
        run: &[],
        prepare: |site| {
            site.add_tasks(&["a"]);
            site.fail_task("a");
            site.run_orch_data(&["worktree", "remove", "a"]);
        },
        act: &["worktree", "restore", "a"],
        is_done: |site| site.tree_state("a") == "present",
        check: |site| {
            check_leftovers_kept(site);
            assert_eq!(site.count_events("worktree_restored"), 1);
            let branches = ["refs/heads/orch/r/a.1", "refs/heads/orch/r/main"];
            assert_eq!(site.yard.list_references("refs/heads/orch/"), branches);
        },
        moment: None,
        commands_min: 10,
    },
    KilledCommand {
        name: "prune",
        run: &[],
        prepare: |site| {
            site.add_tasks(&["a", "b", "c"]);
            site.report_task("a");
            site.run_orch_data(&["integrate"]);
            site.fail_task("b");
        },
        act: &["worktree", "prune"],
        is_done: |site| site.tree_state("b") == "removed" && site.yard.list_worktrees().is_empty(),
        check: |site| {
            site.run_orch_data(&["worktree", "restore", "b"]);
            assert_eq!(
                std::fs::read_to_string(site.worktree_path("b").join("src/0.txt")).unwrap(),
                "changed\n"
            );
        },
        moment: None,
        commands_min: 10,
    },
    KilledCommand {
        name: "land",
        run: &[],
        prepare: |site| {
            site.add_tasks(&["a"]);
            site.report_task("a");
            site.run_orch_data(&["integrate"]);
        },
        act: &["land", "r", "--onto", "main"],
        is_done: |site| {
            site.yard.run_git(["rev-parse", "main"]) == site.yard.run_git(["rev-parse", "orch/r/main"])
        },
        check: |site| {
            assert_eq!(site.count_events("landed"), 1);
            assert_eq!(std::fs::read_to_string(site.yard.repository_path().join("work/a")).unwrap(), "a\n");
            assert_eq!(site.yard.run_git(["status", "--porcelain"]), "");
            assert_eq!(site.run_orch_data(&["land", "r", "--onto", "main"])["already"], true);
        },
        moment: Some(|site| {
            site.yard.run_git(["rev-parse", "main"]) == site.yard.run_git(["rev-parse", "orch/r/main"])
                && site.count_events("landed") == 0
        }),
        commands_min: 5,
    },
    KilledCommand {
        name: "land on a branch that went on",
        run: &["--verify", "JUDGE", "--done-when", "verified"],
        prepare: |site| {
            site.add_tasks(&["a"]);
            site.report_task("a");
            site.run_orch_data(&["verify", "a"]);
            site.yard.write_file("theirs", "theirs\n");
            site.yard.commit_all("theirs");
        },
        act: &["land", "r", "--onto", "main"],
        is_done: |site| {
            site.yard.run_git(["log", "-1", "--format=%s", "main"]).starts_with("Merge orch/r/main")
        },
        check: |site| {
            assert_eq!((site.count_events("landed"), site.count_events("integrated")), (1, 1));
            for file in ["work/a", "theirs"] {
                assert!(site.yard.repository_path().join(file).exists(), "{file}");
            }
            assert_eq!(site.yard.run_git(["status", "--porcelain"]), "");
            // Nothing was merged twice.
            assert_eq!(site.yard.run_git(["rev-list", "--count", "--first-parent", "main"]), "4");
        },
        moment: None,
        commands_min: 20,
    },
    KilledCommand {
        name: "sync",
        run: &["--verify", "JUDGE"],
        prepare: |site| {
            site.add_tasks(&["a", "b"]);
            site.report_task("a");
            site.run_orch_data(&["integrate"]);
            site.yard.write_file("theirs", "theirs\n");
            site.yard.commit_all("theirs");
        },
        act: &["run", "sync", "r"],
        is_done: |site| has_base(site) && site.count_events("synced") == 1,
        check: |site| {
            let again = site.run_orch_data(&["run", "sync", "r"]);
            assert_eq!(again["changed"], false);
            assert_eq!(site.count_events("synced") + site.count_events("branch_advanced"), 1);
            assert_eq!(site.yard.run_git(["show", "orch/r/main:theirs"]), "theirs");
            assert_eq!(site.yard.run_git(["show", "orch/r/main:work/a"]), "a");
            // Nothing was merged twice.
            assert_eq!(site.yard.run_git(["rev-list", "--count", "main..orch/r/main"]), "2");
            site.run_orch_data(&["dispatch", "b", "--to", "w"]);
            check_fresh(site, "b");
        },
        moment: Some(|site| has_base(site) && site.count_events("synced") == 0),
        commands_min: 10,
    },
    KilledCommand {
        name: "rm",
        run: &[],
        prepare: |site| {
            site.add_tasks(&["a", "b", "c"]);
            site.start_task("c");
            site.report_task("a");
            site.fail_task("b");
            site.run_orch_data(&["integrate"]);
            site.run_orch_data(&["recall", "c"]);
            // Another run goes on in the same repository and the same store.
            site.run_orch_data(&["run", "init", "Other", "--name", "other"]);
        },
        act: &["run", "rm", "r"],
        is_done: |site| site.run_orch_data(&["run", "list"])["total"] == 1,
        check: |site| {
            assert_eq!(site.count_events("run_removed"), 1);
            let salvage = ["a.1", "b.1", "c.1"].map(|leaf| format!("refs/orch/salvage/r/{leaf}"));
            assert_eq!(site.yard.list_references("refs/orch/"), salvage);
            assert_eq!(site.yard.list_references("refs/heads/orch/"), ["refs/heads/orch/other/main"]);
            assert_eq!(site.yard.run_git(["show", "refs/orch/salvage/r/b.1:src/0.txt"]), "changed");
            assert_eq!(site.yard.run_git(["show", "refs/orch/salvage/r/a.1:work/a"]), "a");
            assert!(!site.sibling_path("repo.orch").exists());
        },
        moment: None,
        commands_min: 20,
    },
];

/// Whether the run's branch has the commits of the main branch.
fn has_base(site: &CrashFixture) -> bool {
    site.yard.run_git(["merge-base", "main", "orch/r/main"]) == site.yard.run_git(["rev-parse", "main"])
}

/// Whether the task's first attempt was sent.
fn is_sent(site: &CrashFixture, key: &str) -> bool {
    let shown = site.show_task(key);
    let attempts = shown["attempts"].as_array().unwrap();
    assert!(attempts.len() <= 1, "{shown}");
    attempts.first().is_some_and(|attempt| attempt["thread"].is_string())
}

/// The worktree of the task's attempt is as a worker finds it.
fn check_fresh(site: &CrashFixture, key: &str) {
    let shown = site.show_task(key);
    let attempt = &shown["attempts"][0];
    assert_eq!((&attempt["state"], &attempt["number"]), (&"dispatched".into(), &1.into()), "{attempt}");
    let tree = site.worktree_path(key);
    let base = attempt["worktree"]["base_commit"].as_str().unwrap();
    assert_eq!(base, site.yard.run_git(["rev-parse", "orch/r/main"]));
    assert_eq!(site.yard.run_git_in(&tree, ["rev-parse", "HEAD"]), base);
    let branch = format!("orch/r/{key}.1");
    assert_eq!(site.yard.run_git_in(&tree, ["symbolic-ref", "--short", "HEAD"]), branch);
    assert_eq!(site.yard.run_git_in(&tree, ["status", "--porcelain", "--ignored"]), "");
    let lock = site.yard.run_git(["worktree", "list", "--porcelain"]);
    assert!(lock.contains(&format!("locked orch: r/{key}@1")), "{lock}");
}

/// Whether the run's branch has an attempt that the store does not know to be merged.
fn has_moved_unrecorded(site: &CrashFixture) -> bool {
    let steps = site.yard.run_git(["rev-list", "--count", "--first-parent", "main..orch/r/main"]);
    steps.parse::<usize>().unwrap() > site.count_events("integrated")
}

/// Both attempts are on the run's branch, once.
fn check_merged_once(site: &CrashFixture) {
    for key in ["a", "b"] {
        assert_eq!(site.yard.run_git(["show", &format!("orch/r/main:work/{key}")]), key);
        let shown = site.show_task(key);
        assert_eq!(shown["attempts"].as_array().unwrap().len(), 1);
        let (attempt, tree) = (&shown["attempts"][0], &shown["attempts"][0]["worktree"]);
        assert_eq!(
            (&attempt["state"], &attempt["checks_status"]),
            (&"accepted".into(), &"passed".into()),
            "{shown}"
        );
        let merged = tree["merged_commit"].as_str().unwrap();
        let head = tree["head_commit"].as_str().unwrap();
        site.yard.run_git(["merge-base", "--is-ancestor", merged, "orch/r/main"]);
        site.yard.run_git(["merge-base", "--is-ancestor", head, merged]);
        assert_eq!((&tree["state"], site.worktree_path(key).exists()), (&"removed".into(), false));
    }
    // One commit of each, and the merge of the second.
    assert_eq!(site.yard.run_git(["rev-list", "--count", "main..orch/r/main"]), "3");
    assert_eq!((site.count_events("integrated"), site.count_events("rejected")), (2, 0));
    assert_eq!(site.yard.list_references("refs/heads/orch/"), ["refs/heads/orch/r/main"]);
    let references: Vec<String> = ["kept", "salvage"]
        .iter()
        .flat_map(|kind| ["a", "b"].map(|key| format!("refs/orch/{kind}/r/{key}.1")))
        .collect();
    assert_eq!(site.yard.list_references("refs/orch/"), references);
    // Whether there is a spare depends on where it died; the next attempt begins as it would anyway.
    site.run_orch_data(&["dispatch", "c", "--to", "w"]);
    check_fresh(site, "c");
    let state: Value = site.show_task("c")["task"]["state"].clone();
    assert_eq!(state, "dispatched");
}

/// The worktree of `a` holds what its worker left.
fn check_leftovers_kept(site: &CrashFixture) {
    let there = folder_contents(&site.worktree_path("a"));
    let text = |name: &str| String::from_utf8(there[std::path::Path::new(name)].1.clone()).unwrap();
    assert_eq!(
        (text("src/0.txt"), text("work/new"), text("src/1.txt")),
        ("changed\n".into(), "new\n".into(), "1\n".into())
    );
    assert_eq!(there.len(), 8);
    assert_eq!(site.yard.run_git_in(&site.worktree_path("a"), ["show", ":src/0.txt"]), "staged");
    assert_eq!(
        site.yard.run_git_in(&site.worktree_path("a"), ["symbolic-ref", "--short", "HEAD"]),
        "orch/r/a.1"
    );
}
