//! Runs that are driven to their end.

use crate::test_environment::TestEnvironment;

/// Dependencies, retries, rejections and conflicts are all on one way.
#[test]
fn a_run_is_driven_from_its_tasks_to_its_branch() {
    let place = TestEnvironment::with_scripts(&["--verify", "test -f base.txt"]);
    let main = place.resolve_commit("main");
    let flag = place.sibling_path("flag");
    place.make_gate("meet");
    let commit = |name: &str| format!("git add . && git commit -qm {name}");
    place.add_script_task("a", &format!("echo a > a.txt; {}", commit("a")), &[]);
    place.add_script_task("b", &format!("test -f a.txt; echo b > b.txt; {}", commit("b")), &["--after", "a"]);
    let flag = flag.display();
    place.add_script_task(
        "c",
        &format!("test -e '{flag}' || {{ : > '{flag}'; exit 3; }}; echo c > c.txt; {}", commit("c")),
        &[],
    );
    let second = "case $ORCH_ATTEMPT in *@1) echo bad;; *) echo good;; esac > d.txt";
    place.add_script_task("d", &format!("{second}; {}", commit("d")), &["--verify", "grep -q good d.txt"]);
    // Both begin from one commit and write one file: they go on only once both are there.
    let pipe = place.sibling_path("meet").display().to_string();
    for (key, meeting) in [("e", format!("echo x > '{pipe}'")), ("f", format!("read line < '{pipe}'"))] {
        let meets = format!("case $ORCH_ATTEMPT in *@1) {meeting};; esac");
        place.add_script_task(
            key,
            &format!("{meets}; echo {key} >> both.txt; {}", commit(key)),
            &["--priority", "0"],
        );
    }

    let printed = place.drive_call(&["--workers", "3"]).run();
    assert_eq!(printed.exit, 0, "{printed:?}");
    let end = printed.documents().pop().unwrap()["data"].clone();
    assert_eq!((&end["complete"], &end["runs"][0]["outcome"]), (&true.into(), &"succeeded".into()), "{end}");
    for (task, states) in
        [("a", &["accepted"][..]), ("c", &["failed", "accepted"]), ("d", &["rejected", "accepted"])]
    {
        assert_eq!(place.attempt_states(task), states, "{task}");
    }
    let mut both = [place.attempt_states("e"), place.attempt_states("f")];
    both.sort_by_key(Vec::len);
    assert_eq!(both, [vec!["accepted"], vec!["rejected", "accepted"]], "one of them had to give way");
    assert_eq!(place.commit_subjects(), ["a", "b", "base.txt", "c", "d", "e", "f"]);
    let mut lines: Vec<String> =
        place.file_on_branch("both.txt").unwrap().lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, ["e", "f"]);
    assert_eq!(place.file_on_branch("d.txt").as_deref(), Some("good"));
    assert_eq!(place.resolve_commit("main"), main, "nobody touches the base");
    place.check_tidy();
}

/// A plan file is all that is needed, and giving it again goes on with the same run.
#[test]
fn a_plan_is_driven_to_its_end() {
    let place = TestEnvironment::with_repository();
    let plan = place.write_file(
        "plan.toml",
        "[run]\ntitle = \"R\"\n[[tasks]]\nkey = \"a\"\ntitle = \"A\"\nagent = \"shell\"\n\
        spec = \"echo a > a.txt; git add .; git commit -qm a\"\n\
        [[tasks]]\nkey = \"b\"\ntitle = \"B\"\nagent = \"shell\"\nafter = [\"a\"]\n\
        spec = \"test -f a.txt; echo b > b.txt; git add .; git commit -qm b\"\n",
    );
    let plan = plan.to_str().unwrap();
    for _ in 0..2 {
        let printed = place.orch(&["drive", "--plan", plan]).run();
        assert_eq!(printed.exit, 0, "{printed:?}");
        assert_eq!(printed.documents().pop().unwrap()["data"]["complete"], true);
    }
    assert_eq!(place.commit_subjects(), ["a", "b", "base.txt"]);
    assert_eq!((place.attempt_states("a").len(), place.attempt_states("b").len()), (1, 1));
    place.check_tidy();
}

/// What is not done in the end is said by the exit status.
#[test]
fn a_run_that_fails_is_incomplete() {
    let place = TestEnvironment::with_scripts(&["--max-attempts", "2"]);
    place.add_script_task("a", "echo why; exit 7", &[]);
    place.add_script_task("b", "exit 0", &["--after", "a"]);
    let printed = place.drive_call(&[]).run();
    assert_eq!(printed.exit, 4, "{printed:?}");
    let last = printed.documents().pop().unwrap();
    assert_eq!((&last["error"]["code"], &last["ok"]), (&"run_incomplete".into(), &false.into()));
    assert_eq!(place.attempt_states("a"), ["failed", "failed"]);
    assert_eq!((place.task_state("a"), place.task_state("b")), ("failed".to_owned(), "skipped".to_owned()));
    let told = place.orch(&["events", "--task", "a"]).ok().to_string();
    assert!(told.contains("exit status 7") && told.contains("why"), "{told}");
    assert_eq!(place.remaining_processes(), Vec::<String>::new());
    place.check_sound();
}
