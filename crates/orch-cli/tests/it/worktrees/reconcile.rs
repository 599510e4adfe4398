//! What `orch reconcile` finds in the repository.

use serde_json::{Value, json};

use super::fixture::WorktreeFixture;

#[test]
fn a_sound_repository_has_nothing_to_tell() {
    let orchard = WorktreeFixture::new();
    orchard.add_tasks(&["a", "b", "c"]);
    orchard.report_task("a");
    orchard.integrate_run();
    orchard.fail_task("b");
    orchard.orch(&["worktree", "prune"]).ok();
    orchard.dispatch_task("c");
    for dry in [true, false] {
        let words: &[&str] = if dry { &["reconcile", "--dry-run"] } else { &["reconcile"] };
        let nothing = json!({ "changes": [], "finished": [], "swept": [], "locks": [], "orphans": [] });
        assert_eq!(orchard.orch(words).ok(), nothing);
    }
}

#[test]
fn what_the_store_does_not_know_is_named_and_stays() {
    let orchard = WorktreeFixture::new();
    orchard.add_tasks(&["a"]);
    orchard.dispatch_task("a");
    let yard = &orchard.yard;
    let (stray, other) = (yard.sibling_path("repo.orch/r/stray"), yard.sibling_path("repo.orch/old/a.1"));
    for (path, branch) in [(&stray, "orch/r/stray"), (&other, "orch/old/a.1")] {
        yard.run_git(["worktree", "add", "--quiet", "-b", branch, path.to_str().unwrap()]);
    }
    yard.run_git(["worktree", "add", "--quiet", "--detach", "../elsewhere"]);
    yard.run_git(["branch", "mine"]);
    for name in ["salvage/r/a.9", "kept/old/a.1", "salvage/r/a.1"] {
        yard.run_git(["update-ref", &format!("refs/orch/{name}"), "HEAD"]);
    }
    let names = |answer: &Value| -> Vec<String> {
        let orphans = answer["orphans"].as_array().unwrap().iter();
        orphans
            .map(|one| format!("{} {}", one["kind"].as_str().unwrap(), one["name"].as_str().unwrap()))
            .collect()
    };
    let all = [
        format!("worktree {}", other.display()),
        format!("worktree {}", stray.display()),
        "branch orch/old/a.1".to_owned(),
        "branch orch/r/stray".to_owned(),
        "reference refs/orch/salvage/r/a.9".to_owned(),
        "reference refs/orch/kept/old/a.1".to_owned(),
    ];
    let found = orchard.orch(&["reconcile"]).ok();
    let (mut told, mut expected) = (names(&found), all.to_vec());
    told.sort();
    expected.sort();
    assert_eq!(told, expected);
    let of_run = names(&orchard.orch(&["reconcile", "--run", "r"]).ok());
    assert_eq!(of_run, [all[1].clone(), all[3].clone(), all[4].clone()]);
    assert_eq!(
        found["orphans"][0]["next"],
        format!("git -C {} status", found["orphans"][0]["name"].as_str().unwrap())
    );
    assert!(stray.exists() && other.exists());
    let text = orchard.orch(&["reconcile"]).text();
    assert!(text.contains("6 things unknown to the store:"), "{text}");
}

#[test]
fn a_repeated_request_is_told_what_the_first_was() {
    let orchard = WorktreeFixture::with_run_options(&["--done-when", "reported"]);
    orchard.add_tasks(&["a"]);
    orchard.report_task("a");
    let words = ["reconcile", "--request-id", "k"];
    let first = orchard.orch(&words).run().ok_document();
    assert_eq!(first["data"]["changes"].as_array().unwrap().len(), 2, "{first}");
    let again = orchard.orch(&words).run().ok_document();
    assert_eq!((&again["data"], &again["replayed"]), (&first["data"], &true.into()));
    orchard.orch(&["reconcile", "--dry-run", "--request-id", "k"]).fails("request_conflict");
}

#[test]
fn a_repository_that_is_gone_is_a_warning() {
    let orchard = WorktreeFixture::new();
    let store = format!("sqlite:{}", orchard.yard.sibling_path("other.db").display());
    orchard.orch(&["run", "init", "Other", "--store", &store]).ok();
    let aside = orchard.yard.sibling_path("aside");
    std::fs::rename(orchard.yard.repository_path().join(".git"), &aside).unwrap();
    let document = orchard.orch(&["reconcile", "--store", &store]).run().ok_document();
    assert_eq!(document["data"]["orphans"], json!([]));
    assert!(document["warnings"][0].as_str().is_some_and(|warning| warning.contains("repo")), "{document}");
}
