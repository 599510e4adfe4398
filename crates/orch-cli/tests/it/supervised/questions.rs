//! Workers that ask and go.

use crate::supervised::fixture::RunningDrive;
use crate::test_environment::TestEnvironment;
use crate::trees::fixture::open_gate;

/// A question waits without a process of the worker's, and its answer starts the worker again.
#[test]
fn whoever_asks_and_goes_is_started_again_with_the_answer() {
    let place = TestEnvironment::with_scripts(&[]);
    let starts = place.sibling_path("starts").display().to_string();
    let ask = "answer=$(inbox ask 'Which colour?' --text)";
    let script = format!(
        "echo x >> {starts}\n{ask}\ncase \"$answer\" in *blue*) ;; *) exit 0;; esac\n\
        echo blue > a.txt; git add .; git commit -qm a"
    );
    place.add_script_task("a", &script, &[]);
    let mut drive = RunningDrive::start(place.drive_call(&[]));
    drive.read_until_event("question");
    let asked = place.orch(&["wait", "--for", "question"]).ok();
    assert_eq!(asked["events"][0]["kind"], "question", "{asked}");
    crate::supervised::fixture::wait_until("the worker has ended", || place.remaining_processes().len() == 2);
    let names = place.remaining_processes().join("\n");
    assert!(names.contains("inbox run") && names.contains("orch drive"), "{names}");
    place.orch(&["answer", "a", "It is blue."]).ok();
    let printed = drive.wait_output();
    assert_eq!(printed.exit, 0, "{printed:?}");
    assert_eq!(place.attempt_states("a"), ["accepted"], "it was one attempt all the time");
    assert_eq!(std::fs::read_to_string(&starts).unwrap(), "x\nx\n");
    assert_eq!(place.file_on_branch("a.txt").as_deref(), Some("blue"));
    place.check_tidy();
}

/// Its slot was given to others meanwhile, so it waits for the next one that is free.
#[test]
fn whoever_is_answered_waits_for_a_slot() {
    let place = TestEnvironment::with_scripts(&[]);
    let starts = place.sibling_path("starts");
    let log = starts.display();
    let ask = "answer=$(inbox ask 'Which colour?' --text)\ncase \"$answer\" in *blue*) ;; *) exit 0;; esac";
    let commit = |name: &str| format!("echo {name} > {name}.txt; git add .; git commit -qm {name}");
    place.add_script_task("a", &format!("echo a >> {log}\n{ask}\n{}", commit("a")), &["--priority", "1"]);
    let gate = place.make_gate("gate");
    let wait = gate.wait_command();
    place.add_script_task("b", &format!("echo b >> {log}\n{wait}\n{}\necho end >> {log}", commit("b")), &[]);
    let drive = RunningDrive::start(place.drive_call(&["--workers", "1"]));
    let open = gate.wait_reached();
    place.orch(&["answer", "a", "It is blue."]).ok();
    crate::supervised::fixture::wait_until("the answered worker waits for a slot", || {
        place.orch(&["ps"]).ok().to_string().contains("waits for a free worker slot")
    });
    assert_eq!(std::fs::read_to_string(&starts).unwrap(), "a\nb\n");
    open_gate(open, "go");
    let printed = drive.wait_output();
    assert_eq!(printed.exit, 0, "{printed:?}");
    assert_eq!(std::fs::read_to_string(&starts).unwrap(), "a\nb\nend\na\n");
    assert_eq!(place.attempt_states("a"), ["accepted"]);
    place.check_tidy();
}

/// A supervisor that is killed keeps no worker from going on.
#[test]
fn whoever_waits_for_a_slot_of_a_killed_supervisor_continues() {
    let place = TestEnvironment::with_scripts(&[]);
    let gone = place.sibling_path("gone");
    let ask = "answer=$(inbox ask 'Which colour?' --text)\ncase \"$answer\" in *blue*) ;; *) exit 0;; esac";
    place.add_script_task("a", &format!("{ask}\necho x > {}", gone.display()), &["--priority", "1"]);
    let gate = place.make_gate("gate");
    place.add_script_task("b", &gate.wait_command(), &[]);
    let drive = RunningDrive::start(place.drive_call(&["--workers", "1"]));
    let open = gate.wait_reached();
    place.orch(&["answer", "a", "It is blue."]).ok();
    crate::supervised::fixture::wait_until("the answered worker waits for a slot", || {
        place.orch(&["ps"]).ok().to_string().contains("waits for a free worker slot")
    });
    drive.kill();
    crate::supervised::fixture::wait_until("it continues", || gone.exists());
    open_gate(open, "go");
    crate::supervised::fixture::wait_until("its wrapper has ended", || {
        place.remaining_processes().is_empty()
    });
}

/// Work that is taken away while its question is open is left by its wrapper at once.
#[test]
fn a_question_of_work_that_is_taken_away_ends() {
    let place = TestEnvironment::with_scripts(&[]);
    place.add_script_task("a", "inbox ask 'Which colour?'", &[]);
    let mut drive = RunningDrive::start(place.drive_call(&[]));
    drive.read_until_event("question");
    place.orch(&["task", "cancel", "a"]).ok();
    assert_eq!(drive.wait_output().exit, 4);
    crate::supervised::fixture::wait_until("its wrapper has gone", || place.remaining_processes().is_empty());
    place.check_tidy();
}

/// A session is gone on with only when its client has told of it: one that was stopped before that has none.
#[test]
fn a_client_that_was_stopped_before_it_had_a_session_begins_anew() {
    for (tells, expected) in [("", "new\nnew\n"), ("echo \"{\\\"session\\\":\\\"$2\\\"}\"", "new\nresume\n")]
    {
        let place = TestEnvironment::with_scripts(&[]);
        let (gate, starts) = (place.make_gate("gate"), place.sibling_path("starts"));
        let work = "echo a > a.txt; git add .; git commit -qm a; inbox done --result a";
        let gated = gate.wait_once_command();
        let client = format!("echo $1 >> '{}'\n{tells}\n{gated}\n{work}\n", starts.display());
        let program = place.sibling_path("client");
        std::fs::write(&program, client).unwrap();
        let program = program.display();
        let folder = place.repository_path().join(".git/orch/profiles");
        std::fs::create_dir_all(&folder).unwrap();
        let profile = format!(
            "name = \"client\"\ncommand = [\"sh\", \"-e\", \"{program}\", \"new\", \"{{session}}\"]\n\
            resume = [\"sh\", \"-e\", \"{program}\", \"resume\", \"{{session}}\"]\nbrief = \"stdin\"\n\
            [events]\nformat = \"json-lines\"\n[[events.session]]\npath = \"session\"\n"
        );
        std::fs::write(folder.join("client.toml"), profile).unwrap();
        place.add_script_task("a", "Make it.", &[]);
        let drive = RunningDrive::start(place.orch(&["drive", "r", "--profile", "client"]));
        let open = gate.wait_reached();
        place.orch(&["stop"]).ok();
        assert_eq!(drive.wait_output().exit, 130);
        drop(open);
        place.orch(&["run", "resume", "r"]).ok();
        let printed = place.orch(&["drive", "r", "--profile", "client"]).run();
        assert_eq!(printed.exit, 0, "{printed:?}");
        assert_eq!(std::fs::read_to_string(&starts).unwrap(), expected);
        assert_eq!(place.attempt_states("a"), ["accepted"]);
        place.check_tidy();
    }
}
