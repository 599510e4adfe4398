//! Taking the worktrees of all ended attempts away.

use serde_json::json;

use super::fixture::Orchard;

#[test]
fn all_that_ended_go_and_the_live_stay() {
    let orchard = Orchard::new();
    orchard.add(&["a", "b", "c"]);
    let (failed, live) = (orchard.give_up("a"), orchard.dispatch("b"));
    let recalled = orchard.dispatch("c");
    orchard.orch(&["recall", "c"]).ok();
    let planned = orchard.orch(&["worktree", "prune", "--dry-run"]).ok();
    assert_eq!(planned["dry_run"], true);
    assert_eq!(orchard.states(), ["a@1 present there", "b@1 present there", "c@1 present there"]);
    let pruned = orchard.orch(&["worktree", "prune"]).ok();
    for answer in [&planned, &pruned] {
        let names = |list: &str| {
            let list = answer[list].as_array().unwrap().iter();
            list.map(|one| one["attempt"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(
            (names("removed"), names("stayed")),
            (vec!["r/a@1".into(), "r/c@1".into()], vec!["r/b@1".into()])
        );
        assert_eq!(answer["stayed"][0]["code"], "attempt_live");
        assert!(answer["stayed"][0]["reason"].as_str().unwrap().contains("r/b@1 is under way"), "{answer}");
    }
    assert_eq!(pruned["removed"][0]["salvage"], "refs/orch/salvage/r/a.1");
    assert!(!failed.exists() && !recalled.exists() && live.exists());
    let again = orchard.orch(&["worktree", "prune", "r"]).ok();
    assert_eq!(again["removed"], json!([]));
    orchard.is_sound();
}

#[test]
fn what_cannot_be_kept_stays() {
    let orchard = Orchard::new();
    orchard.add(&["a", "b"]);
    let tree = orchard.give_up("a");
    let inner = tree.join("inner");
    std::fs::create_dir(&inner).unwrap();
    orchard.yard.git_in(&inner, ["init", "--quiet"]);
    orchard.yard.commit_in(&inner, "of somebody else");
    orchard.give_up("b");
    let text = orchard.orch(&["worktree", "prune"]).text();
    assert!(text.contains("r/b@1 was taken away") && text.contains("r/a@1 stays:"), "{text}");
    assert!(inner.exists());
    assert_eq!(orchard.states(), ["a@1 present there", "b@1 removed nothing"]);
    orchard.is_sound();
}

#[test]
fn the_trees_of_a_finished_run_go_too() {
    let orchard = Orchard::new();
    orchard.add(&["a", "b"]);
    orchard.give_up("a");
    orchard.report("b");
    assert_eq!(orchard.integrate()["integrated"].as_array().unwrap().len(), 1);
    let run = orchard.orch(&["run", "show", "r"]).ok();
    assert_eq!(run["run"]["state"], "finished");
    assert_eq!(orchard.states(), ["a@1 present there", "b@1 removed nothing"]);
    orchard.orch(&["worktree", "prune"]).ok();
    assert_eq!(orchard.yard.worktrees(), Vec::<std::path::PathBuf>::new());
    let left: Vec<_> = std::fs::read_dir(orchard.root()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    orchard.is_sound();
}
