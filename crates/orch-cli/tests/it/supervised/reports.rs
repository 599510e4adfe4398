//! Reports that are left to the wrapper, that are missing, and that are asked for.

use crate::supervised::fixture::RunningDrive;
use crate::test_environment::TestEnvironment;

/// The rules of a client whose events name its session and its last words.
const EVENTS: &str = "[events]\nformat = \"json-lines\"\n[[events.session]]\npath = \"session\"\n\
    [[events.result]]\npath = \"words\"\n";

/// What a client prints first.
const SESSION: &str = r#"echo '{"session":"s-1"}'"#;

/// A place with a profile `client` that runs one script to begin and another to resume.
struct ClientPlace {
    place: TestEnvironment,
}

impl ClientPlace {
    fn new(fields: &str, begin: &str, resume: Option<&str>) -> Self {
        let place = TestEnvironment::with_scripts(&["--max-attempts", "1"]);
        let folder = place.repository_path().join(".git/orch/profiles");
        std::fs::create_dir_all(&folder).unwrap();
        let mut profile = String::from("name = \"client\"\nbrief = \"stdin\"\n");
        let told = place.sibling_path("told");
        for (field, script, session) in [("command", Some(begin), ""), ("resume", resume, ", \"{session}\"")]
        {
            let Some(script) = script else { continue };
            let program = place.sibling_path(field);
            let keep = format!("echo \"== {field}\" >> '{0}'\ncat >> '{0}'\n{SESSION}\n", told.display());
            std::fs::write(&program, format!("{keep}{script}\n")).unwrap();
            profile.push_str(&format!("{field} = [\"sh\", \"{}\"{session}]\n", program.display()));
        }
        std::fs::write(folder.join("client.toml"), format!("{profile}{fields}\n{EVENTS}")).unwrap();
        place.add_script_task("a", "Make it.", &[]);
        Self { place }
    }

    fn drive(&self) -> crate::test_environment::CliInvocation {
        self.place.orch(&["drive", "r", "--profile", "client"])
    }

    /// What the client was told over all its starts.
    fn told(&self) -> String {
        std::fs::read_to_string(self.place.sibling_path("told")).unwrap()
    }

    fn starts(&self) -> Vec<String> {
        let starts = self.told();
        let starts = starts.lines().filter_map(|line| line.strip_prefix("== "));
        starts.map(str::to_owned).collect()
    }

    /// The reason of the only attempt.
    fn reason(&self) -> String {
        let shown = self.place.orch(&["task", "show", "a"]).ok();
        let attempt = &shown["attempts"][0];
        attempt["reason"].as_str().or(attempt["result"].as_str()).unwrap_or_default().to_owned()
    }

    fn thread(&self) -> String {
        let shown = self.place.orch(&["task", "show", "a"]).ok();
        shown["attempts"][0]["thread"].as_str().unwrap().to_owned()
    }
}

/// `done` withdraws the question of a worker that did not wait for an answer, also where the tool commits.
#[test]
fn done_withdraws_the_question_whoever_commits() {
    for (fields, commit) in [("commit = \"tool\"", ""), ("", "git add .; git commit -qm a;")] {
        let script = format!("echo a > a.txt; {commit} inbox ask Which >/dev/null; inbox done --result made");
        let client = ClientPlace::new(fields, &script, Some("exit 9"));
        let printed = client.drive().run();
        assert_eq!(printed.exit, 0, "{fields}: {printed:?}");
        assert_eq!(client.place.attempt_states("a"), ["accepted"], "{fields}");
        assert_eq!(client.starts(), ["command"], "{fields}");
        client.place.check_tidy();
    }
}

/// `done` is judged at once, also where the tool commits: the worker can act on the refusal.
#[test]
fn done_without_a_change_is_refused_at_once_whoever_commits() {
    for (fields, commit) in [("commit = \"tool\"", "true"), ("", "git add . && git commit -qm a")] {
        let script = format!(
            "inbox done --result nothing > ../refusal.json\n\
            echo a > a.txt; {commit}; inbox done --result made"
        );
        let client = ClientPlace::new(fields, &script, None);
        let printed = client.drive().run();
        assert_eq!(printed.exit, 0, "{fields}: {printed:?}");
        let root = client.place.orch(&["worktree", "list"]).ok();
        let tree = root["worktrees"][0]["path"].as_str().unwrap().to_owned();
        let refusal = std::path::Path::new(&tree).with_file_name("refusal.json");
        let refusal = std::fs::read_to_string(refusal).unwrap();
        assert!(refusal.contains("\"no_changes\""), "{fields}: {refusal}");
        assert_eq!(client.place.attempt_states("a"), ["accepted"], "{fields}");
    }
}

/// A client that cannot resume its session is told the answer when it is started again.
#[test]
fn an_answer_is_in_the_next_brief_of_a_client_that_cannot_resume() {
    let script = "if [ -e ../asked ]; then echo a > a.txt; git add .; git commit -qm a; inbox done --result a\n\
        else touch ../asked; inbox ask 'Which port?' > /dev/null; fi";
    let client = ClientPlace::new("", script, None);
    let mut drive = RunningDrive::start(client.drive());
    drive.read_until_event("question");
    client.place.orch(&["answer", "a", "8080, of course"]).ok();
    assert_eq!(drive.wait_output().exit, 0);
    assert_eq!(client.starts(), ["command", "command"]);
    let told = client.told();
    let last = told.rsplit("== command").next().unwrap();
    assert!(last.contains("- Which port?") && last.contains("8080, of course"), "{last}");
}

/// A worker that ended without a report is asked for it once, in its session.
#[test]
fn a_worker_without_a_report_is_asked_for_it_in_its_session() {
    let client = ClientPlace::new(
        "",
        "echo a > a.txt",
        Some("git add a.txt; git commit -qm a; inbox done --result 'It is made.'"),
    );
    let printed = client.drive().run();
    assert_eq!(printed.exit, 0, "{printed:?}");
    assert_eq!(client.starts(), ["command", "resume"]);
    let told = client.told();
    let asked = told.rsplit("== resume").next().unwrap();
    assert!(asked.contains("ended without a report") && asked.contains("- a.txt"), "{asked}");
    assert!(asked.contains(&format!("done {}", client.thread())), "{asked}");
    assert_eq!(client.place.attempt_states("a"), ["accepted"]);
    assert_eq!(client.reason(), "It is made.");
    client.place.check_tidy();
}

/// It is asked once only, and not at all where its profile says so or cannot resume it.
#[test]
fn a_worker_is_asked_for_its_report_at_most_once() {
    for (fields, resume, starts) in [
        ("", Some("true"), &["command", "resume"][..]),
        ("", Some("exit 3"), &["command", "resume"]),
        ("nudge = false", Some("true"), &["command"]),
        ("nudge = \"Report, {{ attempt }}!\"", Some("true"), &["command", "resume"]),
        ("", None, &["command"]),
    ] {
        let client = ClientPlace::new(fields, "echo a > a.txt", resume);
        assert_eq!(client.drive().run().exit, 4, "{fields}");
        assert_eq!(client.starts(), starts, "{fields}");
        assert_eq!(client.told().contains("Report, r/a@1!"), fields.contains("Report"), "{fields}");
        assert!(client.reason().contains("it exited without a report\nNot committed: a.txt"), "{fields}");
    }
}

/// Where the tool commits, changed files are a report to verify, as commits are elsewhere.
#[test]
fn changed_files_are_a_report_where_the_tool_commits() {
    for (fields, script, outcome, states) in [
        ("commit = \"tool\"", "echo a > a.txt", 0, ["accepted"]),
        ("commit = \"tool\"", "true", 4, ["failed"]),
        ("", "echo a > a.txt; git add .; git commit -qm a", 0, ["accepted"]),
        ("", "echo a > a.txt", 4, ["failed"]),
    ] {
        let client = ClientPlace::new(fields, script, Some("true"));
        assert_eq!(client.drive().run().exit, outcome, "{fields} {script}");
        assert_eq!(client.place.attempt_states("a"), states, "{fields} {script}");
        assert_eq!(client.starts(), ["command", "resume"], "{fields} {script}");
    }
}

/// The reason of a failed attempt is what its client said last, what was refused and what is not committed.
#[test]
fn a_reason_has_the_last_words_and_no_events() {
    let script = "echo a > a.txt; inbox done --result a > /dev/null\n\
        echo '{\"words\":\"All done! I created the file.\",\"more\":{\"raw\":\"event\"}}'\n\
        echo '{\"type\":\"end\",\"raw\":\"event\"}'";
    let client = ClientPlace::new("nudge = false", script, Some("true"));
    assert_eq!(client.drive().run().exit, 4);
    let reason = client.reason();
    assert!(reason.starts_with("it exited without a report\nIts report was refused: "), "{reason}");
    assert!(reason.contains("\nNot committed: a.txt\n"), "{reason}");
    assert!(reason.ends_with("Its last words: All done! I created the file."), "{reason}");
    assert!(!reason.contains("raw"), "{reason}");
}

/// An interrupt ends a wrapper at once whose worker waits for an answer, and its work is given back.
#[test]
fn a_worker_that_waits_for_an_answer_is_stopped_at_once() {
    let script = "if [ -e ../asked ]; then echo a > a.txt; git add .; git commit -qm a; inbox done --result a\n\
        else touch ../asked; inbox ask 'Which port?' > /dev/null; fi";
    let client = ClientPlace::new("", script, None);
    let mut drive = RunningDrive::start(client.drive());
    drive.read_until_event("question");
    crate::supervised::fixture::wait_until("the worker has ended", || {
        client.place.remaining_processes().len() == 2
    });
    client.place.orch(&["stop"]).ok();
    assert_eq!(drive.wait_output().exit, 130);
    crate::supervised::fixture::wait_until("its wrapper has ended", || {
        client.place.remaining_processes().is_empty()
    });
    assert_eq!(client.place.attempt_states("a"), ["dispatched"], "it is given back, and not lost");
    client.place.orch(&["run", "resume", "r"]).ok();
    assert_eq!(client.drive().run().exit, 0);
    assert_eq!(client.place.attempt_states("a"), ["accepted"]);
    client.place.check_tidy();
}
