//! The run's branch after a power loss that took its reference.

use std::path::PathBuf;

use super::fixture::WorktreeFixture;

impl WorktreeFixture {
    fn branch_file(&self) -> PathBuf {
        self.yard.repository_path().join(".git/refs/heads/orch/r/main")
    }

    /// Forgets that the branch was seen since the host started, as after another boot.
    fn forget_boot(&self) {
        let seen = self.yard.repository_path().join(".git/orch/seen");
        std::fs::write(seen.join("refs:heads:orch:r:main"), "another boot").unwrap();
    }

    fn reference_finding(&self) -> (String, String) {
        let doctor = self.orch(&["doctor"]).ok();
        let findings = doctor["findings"].as_array().unwrap();
        let found = findings.iter().find(|finding| finding["check"] == "references").unwrap();
        (found["level"].as_str().unwrap().to_owned(), found["message"].as_str().unwrap().to_owned())
    }
}

#[test]
fn reconcile_puts_a_lost_branch_back() {
    let orchard = WorktreeFixture::new();
    orchard.add_tasks(&["a", "b"]);
    orchard.report_task("a");
    orchard.integrate_run();
    let tip = orchard.yard.run_git(["rev-parse", "refs/heads/orch/r/main"]);
    let file = orchard.branch_file();
    let missing = format!("{}\n", "1".repeat(40));
    for content in [None, Some(""), Some("\0\0\0"), Some(missing.as_str())] {
        orchard.forget_boot();
        match content {
            None => std::fs::remove_file(&file).unwrap(),
            Some(text) => std::fs::write(&file, text).unwrap(),
        }
        let (level, message) = orchard.reference_finding();
        assert_eq!(level, "warning", "{content:?}");
        assert!(message.contains("orch/r/main"), "{content:?}: {message}");
        orchard.orch(&["reconcile"]).ok();
        assert_eq!(orchard.yard.run_git(["rev-parse", "refs/heads/orch/r/main"]), tip, "{content:?}");
        assert_eq!(orchard.reference_finding().0, "ok");
    }
    orchard.report_task("b");
    assert_eq!(orchard.integrate_run()["integrated"].as_array().unwrap().len(), 1);
}

#[test]
fn a_branch_that_is_deleted_while_the_host_runs_is_not_put_back() {
    let orchard = WorktreeFixture::new();
    orchard.add_tasks(&["a"]);
    orchard.report_task("a");
    orchard.integrate_run();
    orchard.orch(&["status"]).ok();
    std::fs::remove_file(orchard.branch_file()).unwrap();
    orchard.orch(&["reconcile"]).ok();
    assert!(!orchard.branch_file().exists());
    assert_eq!(orchard.orch(&["run", "show", "r"]).ok()["run"]["state"], "paused");
}
