//! Trailers of the commits that orch makes: snapshots, merged bases and landings.

use crate::test_environment::TestEnvironment;

impl TestEnvironment {
    /// The trailers of a commit.
    fn trailers_of(&self, revision: &str) -> String {
        self.run_git(["log", "-1", "--format=%(trailers)", revision]).trim().to_owned()
    }
}

/// A merge onto another branch names each attempt that it lands.
#[test]
fn a_landing_names_its_attempts() {
    for (option, expected) in [
        (None, "Orch-Task: r/a@1\nOrch-Task: r/b@1\nOrch-Checks: none\nOrch-Accepted-By: lead"),
        (Some("--no-trailers"), ""),
    ] {
        let place = TestEnvironment::with_tree_run(&option.into_iter().collect::<Vec<_>>());
        place.add_task("b", &[]);
        place.report_task("a", &[("a", "a")]);
        place.report_task("b", &[("b", "b")]);
        place.orch(&["integrate"]).ok();
        place.commit_all("other.txt", "another text");
        place.orch(&["land", "r", "--onto", "main"]).ok();
        assert_eq!(place.trailers_of("main"), expected);
    }
}

/// What a worker left uncommitted is committed for its attempt; the profile is that of its wrapper.
#[test]
fn a_snapshot_names_its_attempt() {
    for (option, expected) in
        [(None, "Orch-Task: r/a@1\nOrch-Profile: files\nOrch-Checks: none"), (Some("--no-trailers"), "")]
    {
        let place = TestEnvironment::with_scripts(&option.into_iter().collect::<Vec<_>>());
        place.write_profile("files", "report = \"tool\"\ncommit = \"tool\"");
        place.add_script_task("a", "echo a > a.txt", &[]);
        let printed = place.orch(&["drive", "r", "--profile", "files"]).run();
        assert_eq!(printed.exit, 0, "{printed:?}");
        assert_eq!(place.trailers_of("orch/r/main"), expected);
    }
}

/// A base that has to be merged before a task can begin names what it merges.
#[test]
fn a_merged_base_names_what_it_merges() {
    let place = TestEnvironment::with_tree_run(&["--done-when", "verified"]);
    place.add_task("b", &[]);
    place.add_task("c", &["a", "b"]);
    place.report_task("a", &[("a", "a")]);
    place.report_task("b", &[("b", "b")]);
    let work = place.start_tree_task("c", "w");
    assert_eq!(place.trailers_of(&work.base), "Orch-Task: r/a@1\nOrch-Task: r/b@1\nOrch-Checks: none");
}

/// What is kept of a removed worktree names its attempt.
#[test]
fn a_salvage_names_its_attempt() {
    for (option, expected) in [(None, "Orch-Task: r/a@1\nOrch-Checks: none\n"), (Some("--no-trailers"), "")] {
        let place = TestEnvironment::with_tree_run(&option.into_iter().collect::<Vec<_>>());
        place.report_task("a", &[("a", "a")]);
        place.orch(&["integrate"]).ok();
        let trailers = place.trailers_of("refs/orch/salvage/r/a.1");
        let before = trailers.split("Salvage-Head: ").next();
        assert_eq!(before, Some(expected), "{trailers}");
    }
}
