//! Rejected attempts that continue in their session and their worktree.

use crate::test_environment::TestEnvironment;

/// A client whose first script is `begin`, and that is resumed with `resume`; it tells its session.
fn client_place(more: &[&str], begin: &str, resume: &str) -> TestEnvironment {
    let place = TestEnvironment::with_scripts(more);
    let folder = place.repository_path().join(".git/orch/profiles");
    std::fs::create_dir_all(&folder).unwrap();
    let told = place.sibling_path("told");
    let mut profile = String::from("name = \"client\"\nbrief = \"stdin\"\n");
    for (field, script, words) in [("command", begin, ""), ("resume", resume, ", \"{session}\"")] {
        let program = place.sibling_path(field);
        let text = format!(
            "echo \"== {field} $1\" >> '{0}'\ncat >> '{0}'\necho '{{\"session\":\"s-1\"}}'\n{script}\n",
            told.display()
        );
        std::fs::write(&program, text).unwrap();
        profile.push_str(&format!("{field} = [\"sh\", \"{}\"{words}]\n", program.display()));
    }
    let events = "[events]\nformat = \"json-lines\"\n[[events.session]]\npath = \"session\"\n";
    std::fs::write(folder.join("client.toml"), profile + events).unwrap();
    place
}

fn told(place: &TestEnvironment) -> String {
    std::fs::read_to_string(place.sibling_path("told")).unwrap()
}

fn starts(place: &TestEnvironment) -> Vec<String> {
    told(place)
        .lines()
        .filter_map(|line| line.strip_prefix("== "))
        .map(|line| line.trim().to_owned())
        .collect()
}

fn attempt(place: &TestEnvironment, number: usize) -> serde_json::Value {
    let shown = place.orch(&["task", "show", "a"]).ok();
    let attempts = shown["attempts"].as_array().unwrap().clone();
    let found = attempts.iter().find(|attempt| attempt["number"] == number).cloned();
    found.unwrap_or_else(|| panic!("there is no attempt {number}: {shown}"))
}

const BAD: &str = "echo bad > a.txt; git add .; git commit -qm bad; inbox done --result bad > /dev/null";
const GOOD: &str = "echo good > a.txt; git add .; git commit -qm good; inbox done --result good > /dev/null";

#[test]
fn a_rejected_attempt_continues_in_its_session_and_its_worktree() {
    let place = client_place(&[], BAD, GOOD);
    place.add_script_task("a", "Make it.", &["--verify", "grep good a.txt || { echo it is bad; exit 1; }"]);
    let printed = place.orch(&["drive", "r", "--profile", "client"]).run();
    assert_eq!(printed.exit, 0, "{printed:?}");
    assert_eq!(place.attempt_states("a"), ["rejected", "accepted"]);
    assert_eq!(starts(&place), ["command", "resume s-1"]);
    let (first, second) = (attempt(&place, 1), attempt(&place, 2));
    assert_eq!((&first["continues"], &second["continues"]), (&serde_json::Value::Null, &"r/a@1".into()));
    assert_eq!(first["worktree"]["path"], second["worktree"]["path"]);
    assert_eq!(second["worktree"]["branch"], "orch/r/a.2");
    assert_ne!(first["thread"], second["thread"]);
    let asked = told(&place);
    let asked = asked.rsplit("== resume").next().unwrap();
    assert!(asked.contains("Your report of r/a@1 was rejected") && asked.contains("| it is bad"), "{asked}");
    assert!(asked.contains(&format!("done {}", second["thread"].as_str().unwrap())), "{asked}");
    let head = second["worktree"]["head_commit"].as_str().unwrap();
    let parent = place.run_git(["rev-parse", &format!("{head}^")]);
    assert_eq!(parent.trim(), first["worktree"]["head_commit"].as_str().unwrap());
    assert_eq!(place.file_on_branch("a.txt").as_deref(), Some("good"));
    place.check_tidy();
}

#[test]
fn rework_is_limited_per_task_and_can_be_switched_off() {
    for (option, expected) in [
        ("0", &["command", "command", "command"][..]),
        ("1", &["command", "resume s-1", "command"]),
        ("2", &["command", "resume s-1", "resume s-1"]),
    ] {
        let again = "inbox done --result again > /dev/null";
        let worse = format!("echo worse >> a.txt; git add .; git commit -qm worse; {again}");
        let place = client_place(&["--rework", option], BAD, &worse);
        place.add_script_task("a", "Make it.", &["--verify", "grep good a.txt"]);
        assert_eq!(place.orch(&["drive", "r", "--profile", "client"]).run().exit, 4, "{option}");
        assert_eq!(place.attempt_states("a"), ["rejected", "rejected", "rejected"], "{option}");
        assert_eq!(starts(&place), expected, "{option}");
        let last = told(&place);
        let last = last.rsplit("== ").next().unwrap();
        if option == "1" {
            assert!(last.contains("on branch orch/r/a.1") && last.contains("on branch orch/r/a.2"), "{last}");
        }
        place.check_tidy();
    }
}

/// After a conflict the run's branch is merged into the rejected commit, and its conflicts are left to the worker.
#[test]
fn a_conflict_is_left_in_the_files_of_the_attempt_that_continues() {
    let ready = "../b-is-merged";
    let begin = format!(
        "case $ORCH_TASK in */b) echo b > a.txt; git add .; git commit -qm b; inbox done --result b >/dev/null;;\n\
        *) until [ -e {ready} ]; do sleep 0.05; done; {BAD};; esac"
    );
    let resume = format!("grep -q '<<<<<<<' a.txt || exit 7\n{GOOD}");
    let place = client_place(&[], &begin, &resume);
    place.add_script_task("a", "Make it.", &[]);
    place.add_script_task("b", "Make it.", &[]);
    let drive =
        crate::supervised::fixture::RunningDrive::start(place.orch(&["drive", "r", "--profile", "client=2"]));
    crate::supervised::fixture::wait_until("b is done", || {
        place.orch(&["task", "show", "b"]).ok()["task"]["state"] == "done"
    });
    let tree = attempt(&place, 1)["worktree"]["path"].as_str().unwrap().to_owned();
    std::fs::write(std::path::Path::new(&tree).with_file_name("b-is-merged"), "").unwrap();
    let printed = drive.wait_output();
    assert_eq!(printed.exit, 0, "{printed:?} {}", told(&place));
    assert_eq!(place.attempt_states("a"), ["rejected", "accepted"]);
    let asked = told(&place);
    let asked = asked.rsplit("== resume").next().unwrap();
    assert!(asked.contains("the merge stopped at conflicts") && asked.contains("- a.txt"), "{asked}");
    assert_eq!(attempt(&place, 2)["continues"], "r/a@1");
    assert_eq!(place.file_on_branch("a.txt").as_deref(), Some("good"));
    std::fs::remove_file(std::path::Path::new(&tree).with_file_name("b-is-merged")).unwrap();
    place.check_tidy();
}

/// After a limit is raised the work continues in its session and its files; without that a new attempt starts from the base.
#[test]
fn an_attempt_that_reached_a_limit_continues_once_the_limit_is_raised() {
    let used = "echo '{\"type\":\"used\",\"tokens\":60}'";
    for (limit, ended) in
        [("--attempt-max-tokens", "failed"), ("--task-max-tokens", "failed"), ("--max-tokens", "recalled")]
    {
        let begin = format!("echo begun > a.txt; {used}; {used}; sleep 300");
        let resume = "grep -q begun a.txt || exit 7\necho end >> a.txt; git add .; git commit -qm end; inbox done --result end > /dev/null";
        let more = [limit, "100", "--rework", "0"];
        let place = client_place(&more, &begin, resume);
        let profile = place.repository_path().join(".git/orch/profiles/client.toml");
        let mut text = std::fs::read_to_string(&profile).unwrap();
        text.push_str("[events.tokens]\nwhen = { type = \"used\" }\ncounts = \"each\"\ninput = \"tokens\"\noutput = \"none\"\n");
        std::fs::write(&profile, text).unwrap();
        place.add_script_task("a", "Make it.", &[]);
        place.orch(&["run", "edit", "r", "--retry-delay", "6s"]).ok();
        let drive = place.orch(&["drive", "r", "--profile", "client"]);
        let drive = crate::supervised::fixture::RunningDrive::start(drive);
        crate::supervised::fixture::wait_until("the worker was ended", || {
            place.attempt_states("a") == [ended]
        });
        let raise = || place.orch(&["run", "edit", "r", limit, "1000"]).ok();
        let printed = if limit == "--attempt-max-tokens" {
            // The same drive tries the task again, after its delay.
            raise();
            drive.wait_output()
        } else {
            assert_eq!(drive.wait_output().exit, 4);
            raise();
            place.orch(&["drive", "r", "--profile", "client"]).run()
        };
        assert_eq!(printed.exit, 0, "{limit} {printed:?} {}", told(&place));
        assert_eq!(place.attempt_states("a"), [ended, "accepted"]);
        assert_eq!(starts(&place), ["command", "resume s-1"]);
        let (first, second) = (attempt(&place, 1), attempt(&place, 2));
        assert_eq!(second["continues"], "r/a@1");
        assert_eq!(first["worktree"]["path"], second["worktree"]["path"]);
        let asked = told(&place);
        let asked = asked.rsplit("== resume").next().unwrap();
        assert!(asked.contains("The limit was raised") && asked.contains("budget: "), "{asked}");
        assert_eq!(place.file_on_branch("a.txt").as_deref(), Some("begun\nend"));
        place.check_tidy();
    }
}

#[test]
fn an_attempt_starts_from_its_base_while_its_limit_is_not_raised() {
    let used =
        "echo '{\"type\":\"used\",\"tokens\":60}'; echo '{\"type\":\"used\",\"tokens\":60}'; sleep 300";
    let place = client_place(&["--attempt-max-tokens", "100", "--max-attempts", "2"], used, used);
    let profile = place.repository_path().join(".git/orch/profiles/client.toml");
    let mut text = std::fs::read_to_string(&profile).unwrap();
    text.push_str("[events.tokens]\nwhen = { type = \"used\" }\ncounts = \"each\"\ninput = \"tokens\"\noutput = \"none\"\n");
    std::fs::write(&profile, text).unwrap();
    place.add_script_task("a", "Make it.", &[]);
    assert_eq!(place.orch(&["drive", "r", "--profile", "client"]).run().exit, 4);
    assert_eq!(place.attempt_states("a"), ["failed", "failed"]);
    assert_eq!(starts(&place), ["command", "command"]);
    assert_eq!(attempt(&place, 2)["continues"], serde_json::Value::Null);
    place.check_tidy();
}
