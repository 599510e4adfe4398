//! Pausing, resuming, cancelling and finishing runs.

use orch_core::refusal::Refusal;
use orch_core::run::RunStatus;
use orch_core::thread::ThreadStatus;
use orch_inbox::Error;
use orch_scheduler::run::Verb;
use orch_scheduler::task;
use orch_testkit::Desk;
use orch_testkit::desk::policy;

#[test]
fn pause_withdraws_what_nobody_claimed_and_resume_offers_it_again() {
    let mut desk = Desk::with_tasks(&["a", "b"]);
    let offered = desk.dispatch("a", "w").unwrap().attempt.thread.unwrap();
    let held = desk.start("b", "v").unwrap();
    desk.change_run("r", Verb::Pause).unwrap();
    assert!(matches!(desk.claim("w"), Err(Error::Refused(Refusal::InboxEmpty { .. }))));
    assert!(desk.claim_thread("w", offered).is_err());

    desk.done(&held).unwrap();
    assert_eq!(desk.states(&["a", "b"]), ["dispatched", "done"]);

    desk.change_run("r", Verb::Resume).unwrap();
    assert_eq!(desk.claim("w").unwrap().thread, offered);
    assert_eq!(desk.state("a").name(), "running");
    assert_eq!(desk.breaches(), []);
}

#[test]
fn work_given_back_while_paused_waits_for_the_resume() {
    let mut desk = Desk::with_tasks(&["a"]);
    let held = desk.start("a", "w").unwrap();
    desk.change_run("r", Verb::Pause).unwrap();
    desk.release(&held).unwrap();
    assert_eq!(desk.state("a").name(), "dispatched");
    assert!(matches!(desk.claim("w"), Err(Error::Refused(Refusal::InboxEmpty { .. }))));
    desk.change_run("r", Verb::Resume).unwrap();
    assert_eq!(desk.claim("w").unwrap().thread, held.thread);
    assert_eq!(desk.breaches(), []);
}

#[test]
fn a_paused_run_dispatches_nothing() {
    let mut desk = Desk::with_tasks(&["a"]);
    desk.change_run("r", Verb::Pause).unwrap();
    let refused = desk.dispatch("a", "w").unwrap_err();
    assert!(matches!(refused, Error::Refused(Refusal::TaskNotReady { .. })), "{refused:?}");
}

#[test]
fn repeating_a_verb_is_ok_and_tells_nothing() {
    let mut desk = Desk::with_tasks(&["a"]);
    for verb in
        [Verb::Resume, Verb::Pause, Verb::Pause, Verb::Resume, Verb::Resume, Verb::Cancel, Verb::Cancel]
    {
        desk.change_run("r", verb).unwrap();
    }
    let kinds: Vec<_> = desk.events(Some("r")).into_iter().map(|event| event.kind.name()).collect();
    assert_eq!(
        kinds,
        ["run_created", "task_added", "run_paused", "run_resumed", "cancelled", "run_cancelled"]
    );
}

#[test]
fn a_cancelled_run_lets_claimed_work_report() {
    let mut desk = Desk::with_tasks(&["a", "b", "c", "d", "e", "after-a < a"]);
    let (done, failed, lost) =
        (desk.start("a", "w").unwrap(), desk.start("b", "w").unwrap(), desk.start("c", "w").unwrap());
    let offered = desk.dispatch("d", "w").unwrap().attempt.thread.unwrap();
    desk.change_run("r", Verb::Cancel).unwrap();
    assert_eq!(
        desk.states(&["a", "b", "c", "d", "e", "after-a"]),
        ["running", "running", "running", "cancelled", "cancelled", "cancelled"]
    );
    assert_eq!(desk.show_thread(offered).unwrap().0.state.status(), ThreadStatus::Cancelled);

    desk.done(&done).unwrap();
    desk.fail(&failed, false).unwrap();
    desk.clock().advance(orch_core::time::Span::hours(1));
    assert_eq!(desk.states(&["a", "b", "c"]), ["done", "cancelled", "cancelled"]);
    assert!(desk.done(&lost).is_err());
    assert_eq!(desk.show_run("r").unwrap().state.status(), RunStatus::Cancelled);
    assert_eq!(desk.breaches(), []);
}

#[test]
fn work_given_back_in_a_cancelled_run_is_cancelled() {
    let mut desk = Desk::with_tasks(&["a", "b"]);
    let (released, released_too) = (desk.start("a", "w").unwrap(), desk.start("b", "w").unwrap());
    desk.release(&released_too).unwrap();
    let again = desk.claim_thread("w", released_too.thread).unwrap();
    desk.change_run("r", Verb::Cancel).unwrap();
    desk.release(&released).unwrap();
    assert_eq!(desk.states(&["a", "b"]), ["cancelled", "running"]);
    assert_eq!(desk.show_thread(released.thread).unwrap().0.state.status(), ThreadStatus::Cancelled);
    desk.release(&again).unwrap();
    assert_eq!(desk.state("b").name(), "cancelled");
    assert_eq!(desk.breaches(), []);
}

#[test]
fn a_cancelled_run_gets_no_work_by_rewiring() {
    let mut desk = Desk::with_tasks(&["a", "b < a"]);
    let held = desk.start("a", "w").unwrap();
    desk.fail(&held, true).unwrap();
    desk.tasks("r", &["c"]);
    assert_eq!(desk.states(&["a", "b", "c"]), ["failed", "skipped", "ready"]);
    desk.change_run("r", Verb::Cancel).unwrap();
    for refused in [
        desk.remove_dependency("b", "a").unwrap_err(),
        desk.add_dependencies("b", &["c"]).unwrap_err(),
        desk.change_task("a", task::Verb::Retry).unwrap_err(),
    ] {
        assert!(matches!(refused, Error::Refused(Refusal::RunNotOpen { .. })), "{refused:?}");
    }
    assert_eq!(desk.states(&["a", "b", "c"]), ["failed", "skipped", "cancelled"]);
}

#[test]
fn a_run_is_finished_by_its_last_report_and_opens_again() {
    let mut desk = Desk::with_tasks(&["a"]);
    let held = desk.start("a", "w").unwrap();
    desk.done(&held).unwrap();
    // Nothing has looked at the report before these commands do.
    let refused = desk.change_run("r", Verb::Pause).unwrap_err();
    assert!(
        matches!(refused, Error::Refused(Refusal::RunNotOpen { status: RunStatus::Finished, .. })),
        "{refused:?}"
    );
    desk.tasks("r", &["b"]);
    let kinds: Vec<_> = desk.events(Some("r")).into_iter().map(|event| event.kind.name()).collect();
    assert_eq!(kinds[kinds.len() - 4..], ["done", "finished", "task_added", "run_reopened"]);
    assert_eq!(desk.show_run("r").unwrap().state.status(), RunStatus::Open);
}

#[test]
fn the_only_unfinished_run_is_meant_as_soon_as_the_other_one_is_over() {
    let mut desk = Desk::with_tasks(&["a"]);
    let held = desk.start("r/a", "w").unwrap();
    desk.run("s", policy()).unwrap();
    desk.tasks("s", &["b"]);
    let refused = desk.dispatch("b", "w").unwrap_err();
    assert!(matches!(refused, Error::Refused(Refusal::RunAmbiguous { .. })), "{refused:?}");
    desk.done(&held).unwrap();
    assert_eq!(desk.dispatch("b", "w").unwrap().task.task.name.to_string(), "s/b");
    assert_eq!(desk.breaches(), []);
}
