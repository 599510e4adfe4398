//! Pausing, resuming, cancelling and finishing runs.

use orch_core::refusal::Refusal;
use orch_core::run::RunStatus;
use orch_core::thread::ThreadStatus;
use orch_inbox::Error;
use orch_scheduler::run::RunAction;
use orch_scheduler::task;
use orch_testkit::TestSession;
use orch_testkit::test_session::default_policy;

#[test]
fn pause_withdraws_what_nobody_claimed_and_resume_offers_it_again() {
    let mut desk = TestSession::with_tasks(&["a", "b"]);
    let offered = desk.dispatch_task("a", "w").unwrap().attempt.thread.unwrap();
    let held = desk.start_task("b", "v").unwrap();
    desk.change_run("r", RunAction::Pause).unwrap();
    assert!(matches!(desk.claim_work("w"), Err(Error::Refused(Refusal::InboxEmpty { .. }))));
    assert!(desk.claim_thread("w", offered).is_err());

    desk.close_done(&held).unwrap();
    assert_eq!(desk.task_states(&["a", "b"]), ["dispatched", "done"]);

    desk.change_run("r", RunAction::Resume).unwrap();
    assert_eq!(desk.claim_work("w").unwrap().thread, offered);
    assert_eq!(desk.task_state("a").name(), "running");
    assert_eq!(desk.broken_invariants(), []);
}

#[test]
fn work_given_back_while_paused_waits_for_the_resume() {
    let mut desk = TestSession::with_tasks(&["a"]);
    let held = desk.start_task("a", "w").unwrap();
    desk.change_run("r", RunAction::Pause).unwrap();
    desk.release_thread(&held).unwrap();
    assert_eq!(desk.task_state("a").name(), "dispatched");
    assert!(matches!(desk.claim_work("w"), Err(Error::Refused(Refusal::InboxEmpty { .. }))));
    desk.change_run("r", RunAction::Resume).unwrap();
    assert_eq!(desk.claim_work("w").unwrap().thread, held.thread);
    assert_eq!(desk.broken_invariants(), []);
}

#[test]
fn a_paused_run_dispatches_nothing() {
    let mut desk = TestSession::with_tasks(&["a"]);
    desk.change_run("r", RunAction::Pause).unwrap();
    let refused = desk.dispatch_task("a", "w").unwrap_err();
    assert!(matches!(refused, Error::Refused(Refusal::TaskNotReady { .. })), "{refused:?}");
}

#[test]
fn repeating_a_verb_is_ok_and_tells_nothing() {
    let mut desk = TestSession::with_tasks(&["a"]);
    for verb in [
        RunAction::Resume,
        RunAction::Pause,
        RunAction::Pause,
        RunAction::Resume,
        RunAction::Resume,
        RunAction::Cancel,
        RunAction::Cancel,
    ] {
        desk.change_run("r", verb).unwrap();
    }
    let kinds: Vec<_> = desk.list_events(Some("r")).into_iter().map(|event| event.kind.name()).collect();
    assert_eq!(kinds, ["run_created", "task_added", "paused", "run_resumed", "cancelled", "run_cancelled"]);
}

#[test]
fn a_cancelled_run_lets_claimed_work_report() {
    let mut desk = TestSession::with_tasks(&["a", "b", "c", "d", "e", "after-a < a"]);
    let (done, failed, lost) = (
        desk.start_task("a", "w").unwrap(),
        desk.start_task("b", "w").unwrap(),
        desk.start_task("c", "w").unwrap(),
    );
    let offered = desk.dispatch_task("d", "w").unwrap().attempt.thread.unwrap();
    desk.change_run("r", RunAction::Cancel).unwrap();
    assert_eq!(
        desk.task_states(&["a", "b", "c", "d", "e", "after-a"]),
        ["running", "running", "running", "cancelled", "cancelled", "cancelled"]
    );
    assert_eq!(desk.show_thread(offered).unwrap().0.state.status(), ThreadStatus::Cancelled);

    desk.close_done(&done).unwrap();
    desk.close_failed(&failed, false).unwrap();
    desk.clock().advance(orch_core::time::TimeSpan::from_hours(1));
    assert_eq!(desk.task_states(&["a", "b", "c"]), ["done", "cancelled", "cancelled"]);
    assert!(desk.close_done(&lost).is_err());
    assert_eq!(desk.show_run("r").unwrap().state.status(), RunStatus::Cancelled);
    assert_eq!(desk.broken_invariants(), []);
}

#[test]
fn work_given_back_in_a_cancelled_run_is_cancelled() {
    let mut desk = TestSession::with_tasks(&["a", "b"]);
    let (released, released_too) = (desk.start_task("a", "w").unwrap(), desk.start_task("b", "w").unwrap());
    desk.release_thread(&released_too).unwrap();
    let again = desk.claim_thread("w", released_too.thread).unwrap();
    desk.change_run("r", RunAction::Cancel).unwrap();
    desk.release_thread(&released).unwrap();
    assert_eq!(desk.task_states(&["a", "b"]), ["cancelled", "running"]);
    assert_eq!(desk.show_thread(released.thread).unwrap().0.state.status(), ThreadStatus::Cancelled);
    desk.release_thread(&again).unwrap();
    assert_eq!(desk.task_state("b").name(), "cancelled");
    assert_eq!(desk.broken_invariants(), []);
}

#[test]
fn a_cancelled_run_gets_no_work_by_rewiring() {
    let mut desk = TestSession::with_tasks(&["a", "b < a"]);
    let held = desk.start_task("a", "w").unwrap();
    desk.close_failed(&held, true).unwrap();
    desk.add_tasks("r", &["c"]);
    assert_eq!(desk.task_states(&["a", "b", "c"]), ["failed", "skipped", "ready"]);
    desk.change_run("r", RunAction::Cancel).unwrap();
    for refused in [
        desk.remove_dependency("b", "a").unwrap_err(),
        desk.add_dependencies("b", &["c"]).unwrap_err(),
        desk.change_task("a", task::TaskAction::Retry).unwrap_err(),
    ] {
        assert!(matches!(refused, Error::Refused(Refusal::RunNotOpen { .. })), "{refused:?}");
    }
    assert_eq!(desk.task_states(&["a", "b", "c"]), ["failed", "skipped", "cancelled"]);
}

#[test]
fn a_run_is_finished_by_its_last_report_and_opens_again() {
    let mut desk = TestSession::with_tasks(&["a"]);
    let held = desk.start_task("a", "w").unwrap();
    desk.close_done(&held).unwrap();
    // Nothing has looked at the report before these commands do.
    let refused = desk.change_run("r", RunAction::Pause).unwrap_err();
    assert!(
        matches!(refused, Error::Refused(Refusal::RunNotOpen { status: RunStatus::Finished, .. })),
        "{refused:?}"
    );
    desk.add_tasks("r", &["b"]);
    let kinds: Vec<_> = desk.list_events(Some("r")).into_iter().map(|event| event.kind.name()).collect();
    assert_eq!(kinds[kinds.len() - 4..], ["done", "finished", "task_added", "run_reopened"]);
    assert_eq!(desk.show_run("r").unwrap().state.status(), RunStatus::Open);
}

#[test]
fn the_only_unfinished_run_is_meant_as_soon_as_the_other_one_is_over() {
    let mut desk = TestSession::with_tasks(&["a"]);
    let held = desk.start_task("r/a", "w").unwrap();
    desk.make_run("s", default_policy()).unwrap();
    desk.add_tasks("s", &["b"]);
    let refused = desk.dispatch_task("b", "w").unwrap_err();
    assert!(matches!(refused, Error::Refused(Refusal::RunAmbiguous { .. })), "{refused:?}");
    desk.close_done(&held).unwrap();
    assert_eq!(desk.dispatch_task("b", "w").unwrap().task.task.name.to_string(), "s/b");
    assert_eq!(desk.broken_invariants(), []);
}
