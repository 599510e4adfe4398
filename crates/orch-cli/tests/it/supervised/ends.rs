//! How workers end, and what that means.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::supervised::fixture::{RunningDrive, wait_until};
use crate::test_environment::TestEnvironment;
use crate::trees::fixture::open_gate;

/// With commits the end is a report to be verified; without any it is a failure.
#[test]
fn an_end_without_a_report_is_judged_by_its_commits() {
    let place = TestEnvironment::with_scripts(&["--max-attempts", "1"]);
    place.write_profile("mute", "");
    place.add_script_task("a", "echo a > a.txt; git add .; git commit -qm a", &["--verify", "test -f a.txt"]);
    place.add_script_task("b", "echo nothing of it", &[]);
    place.add_script_task("c", "echo c > c.txt; git add .; git commit -qm c; exit 3", &[]);
    let printed = place.orch(&["drive", "r", "--profile", "mute"]).run();
    assert_eq!(printed.exit, 4, "{printed:?}");
    let result = |task: &str| place.orch(&["events", "--task", task]).ok().to_string();
    assert_eq!(
        (place.attempt_states("a"), place.file_on_branch("a.txt").as_deref()),
        (vec!["accepted".to_owned()], Some("a"))
    );
    let said = place.last_attempt("a")["result"].to_string();
    assert!(said.contains("without a report"), "{said}");
    assert_eq!(place.attempt_states("b"), ["failed"]);
    assert!(
        result("b").contains("without a report") && result("b").contains("nothing of it"),
        "{}",
        result("b")
    );
    assert_eq!(place.attempt_states("c"), ["failed"], "a bad end is no report, whatever was committed");
    assert_eq!(place.file_on_branch("c.txt"), None);
    let metered = place.orch(&["meter", "r"]).ok();
    let commands = metered["commands"].as_array().unwrap();
    let briefs = commands.iter().find(|line| line["name"] == "inbox run").expect("briefs are read as well");
    assert_eq!(briefs["calls"], 3, "{metered}");
    assert!(briefs["bytes"].as_u64() > Some(3), "{metered}");
    place.check_tidy();
}

/// Children that went into sessions of their own, with and without our environment, end with their worker.
#[test]
fn whoever_a_worker_leaves_behind_is_ended() {
    let place = TestEnvironment::with_scripts(&[]);
    let folder = place.sibling_path("started");
    fs::create_dir(&folder).unwrap();
    let stay = |name: &str, how: &str| {
        let mark = folder.join(name).display().to_string();
        format!("setsid {how} sh -c ': > {mark}; exec tail -f /dev/null' > /dev/null 2>&1 &")
    };
    let both = [stay("tagged", ""), stay("bare", "env -i PATH=$PATH")].join("\n");
    let wait = format!("until test -e {0}/tagged && test -e {0}/bare; do :; done", folder.display());
    place.add_script_task("a", &format!("{both}\n{wait}\necho a > a.txt; git add .; git commit -qm a"), &[]);
    let printed = place.drive_call(&[]).run();
    assert_eq!(printed.exit, 0, "{printed:?}");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "both were there");
    place.check_tidy();
}

/// A worker that is deaf to being asked is killed when its grace is over: by a recall, a cancel and a stop.
#[test]
fn a_deaf_worker_is_killed_after_its_grace() {
    for how in ["recall", "cancel", "stop"] {
        let place = TestEnvironment::with_scripts(&[]);
        place.write_profile("quick", "report = \"tool\"\ngrace = \"200ms\"");
        let gate = place.make_gate("gate");
        let deaf = format!("trap '' TERM; {}", gate.wait_once_command());
        place.add_script_task("a", &format!("{deaf}\necho a > a.txt; git add .; git commit -qm a"), &[]);
        let drive = RunningDrive::start(place.orch(&["drive", "r", "--profile", "quick"]));
        let open = gate.wait_reached();
        let begun = place.remaining_processes();
        assert!(begun.len() >= 3, "a supervisor, a wrapper and its worker: {begun:?}");
        match how {
            "recall" => {
                place.orch(&["recall", "a"]).ok();
            }
            "cancel" => {
                place.orch(&["task", "cancel", "a"]).ok();
            }
            _ => {
                let stopped = place.orch(&["stop"]).ok();
                assert_eq!(
                    (&stopped["workers"], &stopped["supervisors"], &stopped["left"]),
                    (&1.into(), &1.into(), &serde_json::json!([])),
                    "{stopped}"
                );
                assert_eq!(stopped["paused"], serde_json::json!(["r"]));
            }
        }
        let printed = drive.wait_output();
        drop(open);
        match how {
            "recall" => {
                assert_eq!(printed.exit, 0, "{printed:?}");
                assert_eq!(place.attempt_states("a"), ["recalled", "accepted"]);
            }
            "cancel" => {
                assert_eq!(printed.exit, 4, "{printed:?}");
                assert_eq!(place.attempt_states("a"), ["cancelled"]);
                wait_until("the deaf one is gone", || place.remaining_processes().is_empty());
            }
            _ => {
                assert_eq!(printed.exit, 130, "{printed:?}");
                assert_eq!(place.remaining_processes(), Vec::<String>::new());
                place.orch(&["run", "resume", "r"]).ok();
                assert_eq!(place.orch(&["drive", "r", "--profile", "quick"]).run().exit, 0);
                assert_eq!(place.task_state("a"), "done");
            }
        }
        place.check_tidy();
    }
}

/// However much a worker prints, its log keeps to its limit and holds the end.
#[test]
fn a_flood_of_output_is_bounded() {
    const LIMIT: u64 = 16 * 1024 * 1024;
    let place = TestEnvironment::with_scripts(&[]);
    // Lines without number, and one line without end: a gigabyte.
    let lines = "yes 'all work and no play' | head -c 50000000; echo";
    let flood = format!("{lines}; head -c 950000000 /dev/zero | tr '\\0' x; echo; echo the end");
    place.add_script_task("a", &format!("{flood}; echo a > a.txt; git add .; git commit -qm a"), &[]);
    let printed = place.drive_call(&[]).run();
    assert_eq!(printed.exit, 0, "{printed:?}");
    let logs = place.repository_path().join(".git/orch/logs/r/a.1");
    let sizes: Vec<u64> =
        fs::read_dir(&logs).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).collect();
    assert!(sizes.iter().sum::<u64>() <= LIMIT, "{sizes:?}");
    assert!(fs::read_to_string(logs.join("worker.log")).unwrap().ends_with("the end\n"));
    place.check_tidy();
}

/// While a worker works its wrapper has begun afresh, with nothing of the store open: hundreds of them must cost
/// little. The worker sees nothing of that.
#[test]
fn a_wrapper_that_waits_holds_nothing() {
    let place = TestEnvironment::with_scripts(&[]);
    let (gate, seen) = (place.make_gate("gate"), place.sibling_path("seen"));
    let work = "echo a > a.txt; git add .; git commit -qm a";
    place.add_script_task(
        "a",
        &format!("env > {}; {}\n{work}", seen.display(), gate.wait_once_command()),
        &[],
    );
    let drive = RunningDrive::start(place.drive_call(&[]));
    let open = gate.wait_reached();
    let wrapper = place.orch(&["ps"]).ok()["workers"][0]["pid"].as_u64().unwrap();
    let own = |name: &str| std::path::PathBuf::from(format!("/proc/{wrapper}/{name}"));
    let files = || {
        let files = fs::read_dir(own("fd")).unwrap().flatten();
        files.filter_map(|file| fs::read_link(file.path()).ok()).collect::<Vec<_>>()
    };
    assert!(files().iter().any(|file| file.ends_with("worker.log")), "{:?}", files());
    wait_until("the store is closed", || {
        !files().iter().any(|file| file.to_string_lossy().contains("orch.db"))
    });
    let variables = fs::read(own("environ")).unwrap();
    let is_set = |text: &[u8], name: &str| text.windows(name.len()).any(|part| part == name.as_bytes());
    assert!(is_set(&variables, "INBOX_KEPT"), "it has begun afresh");
    assert_eq!(fs::read(own("fd/0")).unwrap(), b"", "what was kept, a token among it, is there once");
    let told = fs::read(&seen).unwrap();
    assert!(is_set(&told, "INBOX_LEASE"), "{}", String::from_utf8_lossy(&told));
    for name in ["INBOX_KEPT", "GLIBC_TUNABLES"] {
        assert!(!is_set(&told, name), "{name}: {}", String::from_utf8_lossy(&told));
    }
    open_gate(open, "go");
    assert_eq!(drive.wait_output().exit, 0);
}

/// The second report with other words is refused; what the first said stays.
#[test]
fn a_second_report_is_refused() {
    let place = TestEnvironment::with_scripts(&[]);
    let answers = place.sibling_path("answers").display().to_string();
    let done = |text: &str| format!("inbox done --result {text} --json >> {answers} || true\n");
    let twice = [done("one"), done("one"), done("two")].concat();
    place.add_script_task("a", &format!("echo a > a.txt; git add .; git commit -qm a\n{twice}"), &[]);
    let printed = place.drive_call(&[]).run();
    assert_eq!(printed.exit, 0, "{printed:?}");
    let answers = fs::read_to_string(&answers).unwrap();
    let ok: Vec<bool> = answers
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["ok"] == true)
        .collect();
    assert_eq!(ok, [true, true, false], "{answers}");
    assert_eq!(place.last_attempt("a")["result"], "one");
    place.check_tidy();
}

/// A report after the work was taken away is refused, and moves nothing.
#[test]
fn a_late_report_is_refused() {
    let place = TestEnvironment::with_scripts(&[]);
    let gate = place.make_gate("gate");
    let late = place.sibling_path("late").display().to_string();
    let trap = format!("trap 'inbox done --result late --json > {late}; exit 0' TERM");
    let wait = gate.wait_once_command();
    place.add_script_task("a", &format!("{trap}\n{wait}\necho a > a.txt; git add .; git commit -qm a"), &[]);
    let drive = RunningDrive::start(place.drive_call(&[]));
    let open = gate.wait_reached();
    place.orch(&["recall", "a"]).ok();
    let printed = drive.wait_output();
    drop(open);
    assert_eq!(printed.exit, 0, "{printed:?}");
    let answer = fs::read_to_string(&late).unwrap();
    assert!(answer.contains("\"lease_lost\""), "{answer}");
    assert_eq!(place.attempt_states("a"), ["recalled", "accepted"]);
    place.check_tidy();
}

/// Whoever moves another's HEAD spoils that attempt, which is refused and tried again, and nothing else.
#[test]
fn editing_anothers_tree_spoils_no_branch() {
    let place = TestEnvironment::with_scripts(&[]);
    let gate = place.make_gate("gate");
    let tree = place.sibling_path("tree").display().to_string();
    let work = "echo a > a.txt; git add .; git commit -qm a";
    place.add_script_task(
        "a",
        &format!("test -e {tree} || {{ pwd > {tree}; {}; }}\n{work}", gate.wait_command()),
        &[],
    );
    let spoil = format!("git -C $(cat {tree}) checkout -q --orphan other");
    place.add_script_task(
        "b",
        &format!("{spoil}; echo b > b.txt; git add .; git commit -qm b"),
        &["--agent", "later"],
    );
    place.write_profile("later", "report = \"tool\"");
    let mut drive = RunningDrive::start(place.drive_call(&["--workers", "1"]));
    let open = gate.wait_reached();
    let other = RunningDrive::start(place.orch(&["drive", "r", "--profile", "later", "--workers", "2"]));
    wait_until("b is done", || place.task_state("b") == "done");
    open_gate(open, "go");
    drive.read_until_event("failed");
    assert_eq!((drive.wait_output().exit, other.wait_output().exit), (0, 0));
    assert_eq!(
        (place.attempt_states("a"), place.attempt_states("b")),
        (vec!["failed".to_owned(), "accepted".to_owned()], vec!["accepted".to_owned()])
    );
    assert_eq!(place.commit_subjects(), ["a", "b", "base.txt"]);
}

/// Silence is told of and harms nobody, unless it was said that it should.
#[test]
fn a_silent_worker_is_told_of_and_ended_only_if_asked() {
    for ends in [false, true] {
        let place = TestEnvironment::with_scripts(&["--max-attempts", "1"]);
        place.write_profile("quiet", "report = \"tool\"\nsilence = \"200ms\"");
        let gate = place.make_gate("gate");
        place.add_script_task(
            "a",
            &format!("{}; echo a > a.txt; git add .; git commit -qm a", gate.wait_once_command()),
            &[],
        );
        let how = if ends { "end" } else { "tell" };
        let words = ["drive", "r", "--profile", "quiet", "--on-silence", how];
        let drive = RunningDrive::start(place.orch(&words));
        let open = gate.wait_reached();
        if ends {
            assert_eq!(drive.wait_output().exit, 4);
            drop(open);
            assert_eq!(place.attempt_states("a"), ["failed"]);
            assert!(place.orch(&["events", "--task", "a"]).ok().to_string().contains("printed nothing"));
        } else {
            wait_until("it is called silent", || {
                place.orch(&["ps"]).ok()["workers"][0]["silent"] == serde_json::Value::Bool(true)
            });
            open_gate(open, "go");
            assert_eq!(drive.wait_output().exit, 0);
            assert_eq!(place.attempt_states("a"), ["accepted"]);
        }
        place.check_tidy();
    }
}

/// What cannot be started is not started again and again: its profile rests, and the attempt does not count.
#[test]
fn a_script_whose_shell_is_missing_makes_its_profile_rest() {
    let place = TestEnvironment::with_scripts(&[]);
    let folder = place.repository_path().join(".git/orch/profiles");
    fs::create_dir_all(&folder).unwrap();
    // It is there, and cannot run.
    let program = place.sibling_path("unstartable");
    fs::write(&program, "#!/nowhere/sh\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let program = program.display();
    let text = format!("name = \"gone\"\ncommand = [\"{program}\", \"{{brief_file}}\"]\nreport = \"tool\"\n");
    fs::write(folder.join("gone.toml"), text).unwrap();
    place.add_script_task("a", ":", &[]);
    let drive = RunningDrive::start(place.orch(&["drive", "r", "--profile", "gone"]));
    let tries = || {
        let events = place.orch(&["events", "--task", "a"]).ok()["events"].clone();
        events.as_array().unwrap().iter().filter(|event| event["kind"] == "released").count()
    };
    wait_until("it was tried", || tries() > 0);
    // Whoever looked before the rest was written down may have tried once more.
    let processes = || place.remaining_processes().iter().filter(|line| line.contains("inbox run")).count();
    wait_until("nobody tries", || processes() == 0);
    assert!(tries() <= 3, "{} tries", tries());
    assert_eq!(place.orch(&["task", "show", "a"]).ok()["attempts"].as_array().unwrap().len(), 1);
    drive.kill();
    place.check_sound();
}
