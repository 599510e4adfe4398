//! What a newcomer does wrong: each is refused or told in words that name the next command, and nothing hangs.

use rustix::process::Signal;

use crate::supervised::fixture::{RunningDrive, send_signal};
use crate::test_environment::TestEnvironment;

/// Waits for what it says, and interrupts it once: it must end by that.
fn expect_note_and_interrupt(mut drive: RunningDrive, part: &str) {
    drive.read_until_note(part);
    send_signal(drive.id(), Signal::INT);
    assert_eq!(drive.wait_output().exit, 130);
}

#[test]
fn a_run_without_tasks_is_waited_for_in_words() {
    let place = TestEnvironment::with_scripts(&[]);
    expect_note_and_interrupt(RunningDrive::start(place.drive_call(&[])), "orch task add TITLE --run r");
}

#[test]
fn work_for_nobody_is_waited_for_in_words() {
    let place = TestEnvironment::with_scripts(&[]);
    place.add_script_task("a", "true", &["--agent", "nobody"]);
    expect_note_and_interrupt(RunningDrive::start(place.drive_call(&[])), "inbox claim --as nobody");
    assert_eq!(place.task_state("a"), "dispatched");
}

#[test]
fn a_profile_that_cannot_be_started_is_told_and_waited_for_no_longer_than_it_takes() {
    let place = TestEnvironment::with_scripts(&[]);
    // Only a worker's own start can tell that this one is not there.
    place.write_profile("absent", "");
    let path = place.repository_path().join(".git/orch/profiles/absent.toml");
    let whole = std::fs::read_to_string(&path).unwrap().replace("\"sh\"", "\"./absent\"");
    std::fs::write(&path, whole).unwrap();
    place.add_script_task("a", "true", &[]);
    let drive = place.orch(&["drive", "r", "--profile", "absent"]);
    expect_note_and_interrupt(RunningDrive::start(drive), "No worker of absent is started for now");
    assert_eq!(place.task_state("a"), "dispatched", "it was given back");
    assert_eq!(place.remaining_processes(), Vec::<String>::new());
}

#[test]
fn who_names_nobody_is_told_whom_to_name() {
    let place = TestEnvironment::with_scripts(&[]);
    place.add_script_task("a", "true", &[]);
    let error = place.orch(&["drive", "r"]).fails("run_incomplete");
    assert_eq!(error["hint"], "orch drive r --profile claude");
    let error = place.orch(&["drive", "r", "--profile", "nosuch"]).fails("invalid_argument");
    let message = error["message"].as_str().unwrap();
    assert!(
        message.starts_with("There is no profile `nosuch`. Built in are shell, codex, claude"),
        "{message}"
    );
}

#[test]
fn a_program_that_is_not_there_is_missed_before_anything_is_started() {
    let place = TestEnvironment::with_scripts(&[]);
    place.add_script_task("a", "true", &[]);
    place.write_profile("absent", "");
    let path = place.repository_path().join(".git/orch/profiles/absent.toml");
    let whole = std::fs::read_to_string(&path).unwrap().replace("\"sh\"", "\"no-such-program\"");
    std::fs::write(&path, whole).unwrap();
    let error = place.orch(&["drive", "r", "--profile", "absent"]).fails("invalid_argument");
    assert_eq!(error["message"], "Nothing was started: no-such-program is not on the PATH.");
    assert_eq!(error["hint"], "orch drive --check --profile absent");
    assert_eq!(place.task_state("a"), "ready");
}

#[test]
fn checks_that_fail_on_the_base_say_how_to_go_on() {
    let place = TestEnvironment::with_scripts(&["--verify", "test -f absent"]);
    place.add_script_task("a", "true", &[]);
    let printed = place.drive_call(&[]).run();
    let error = printed.documents().pop().unwrap()["error"].clone();
    let message = error["message"].as_str().unwrap();
    assert!(message.ends_with("`test -f absent` exited with status 1."), "{message}");
    assert_eq!(error["hint"], "orch run edit r --verify CMD");
    assert_eq!(error["details"]["pause"]["reason"], "baseline");
}

#[test]
fn a_plan_that_is_refused_leaves_nothing() {
    let place = TestEnvironment::with_repository();
    let plan = place.repository_path().join("plan.toml");
    let text = "[run]\nname = 'q'\n[[tasks]]\nkey = 'a'\ntitle = 'A'\nafter = ['zz']\n";
    std::fs::write(&plan, text).unwrap();
    let before = place.run_git(["for-each-ref"]);
    let error = place.orch(&["drive", "--plan", "plan.toml", "--profile", "shell"]).fails("task_not_found");
    assert_eq!(error["hint"], "orch drive --plan plan.toml");
    assert_eq!(place.orch(&["run", "list"]).ok()["runs"].as_array().unwrap().len(), 0);
    assert_eq!(place.run_git(["for-each-ref"]), before);

    std::fs::write(&plan, text.replace("after = ['zz']\n", "agent = 'shell'\nallow_empty = true\n")).unwrap();
    let printed = place.orch(&["drive", "--plan", "plan.toml", "--profile", "shell"]).run();
    assert_eq!(printed.exit, 0, "{printed:?}");
}

#[test]
fn who_commits_is_asked_for_before_workers_fail_by_it() {
    let place = TestEnvironment::with_scripts(&[]);
    place.add_script_task("a", "true", &["--allow-empty"]);
    std::fs::write(place.sibling_path("home").join(".gitconfig"), "").unwrap();
    let printed = place.drive_call(&[]).run();
    let documents = printed.documents();
    let warnings: Vec<String> = documents.iter().map(|document| document["warnings"].to_string()).collect();
    assert!(warnings.concat().contains("git config user.name NAME"), "{printed:?}");
}

/// What git says while a report is taken in is the reason of the attempt, which ends as failed.
#[test]
fn a_report_that_git_cannot_take_in_fails_with_the_words_of_git() {
    for (script, words) in [
        (
            "git init -q dep; echo x > dep/x; git -C dep add -A; git -C dep -c user.name=w -c user.email=w@w commit -qm dep; echo a > a.txt",
            "a nested repository",
        ),
        (
            "git config filter.crypt.clean false; git config filter.crypt.required true; echo '*.key filter=crypt' > .gitattributes; echo k > my.key",
            "my.key: clean filter 'crypt' failed",
        ),
    ] {
        let place = TestEnvironment::with_scripts(&["--max-attempts", "1"]);
        place.add_script_task("a", script, &[]);
        assert_eq!(place.drive_call(&[]).run().exit, 4, "{words}");
        let shown = place.orch(&["task", "show", "a"]).ok();
        assert_eq!(shown["attempts"].as_array().unwrap().len(), 1, "{shown}");
        let attempt = &shown["attempts"][0];
        assert_eq!(attempt["state"], "failed");
        assert!(attempt["reason"].as_str().unwrap().contains(words), "{attempt}");
    }
}
