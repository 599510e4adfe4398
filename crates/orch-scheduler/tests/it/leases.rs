//! Leases: when they are lost, who may still write, and what is kept of writes that come too late.

use orch_core::id::MessageId;
use orch_core::lease::LeaseLength;
use orch_core::message::MessageKind;
use orch_core::refusal::Refusal;
use orch_core::run::Policy;
use orch_core::thread::ThreadStatus;
use orch_core::time::TimeSpan;
use orch_inbox::claim;
use orch_inbox::{Error, Receipt};
use orch_scheduler::task::TaskAction;
use orch_testkit::test_session::{default_policy, expect_fresh, parse_slug};
use orch_testkit::{HolderCredentials, TestSession};

/// A lease of 8 seconds, which is lost 2 seconds after it expired.
fn eight_seconds() -> LeaseLength {
    LeaseLength::new(TimeSpan::from_seconds(8)).unwrap()
}

fn session_with_short_leases() -> TestSession {
    let mut desk = TestSession::new();
    desk.make_run("r", Policy { lease: eight_seconds(), max_attempts: 2, ..default_policy() }).unwrap();
    desk.add_tasks("r", &["a"]);
    desk
}

/// What a write that is too late is told: the message that its text was kept as.
fn late_message_of<T: std::fmt::Debug>(outcome: Result<T, Error>) -> Option<MessageId> {
    match outcome {
        Err(Error::Refused(Refusal::LeaseLost { kept, .. })) => kept,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_expired_lease_counts_through_its_grace_and_a_write_renews_it() {
    let mut desk = session_with_short_leases();
    let held = desk.start_task("a", "w").unwrap();
    desk.clock().advance(TimeSpan(9_999));
    assert_eq!(desk.task_state("a").name(), "running", "expired, but not lost");
    desk.report_progress(&held, "Still here.").unwrap();
    desk.clock().advance(TimeSpan(9_999));
    assert_eq!(desk.task_state("a").name(), "running", "progress renewed it");
    desk.clock().advance(TimeSpan(1));
    assert_eq!(desk.task_state("a").name(), "ready");
    assert_eq!(desk.broken_invariants(), []);
}

#[test]
fn a_lost_lease_still_counts_until_somebody_declares_it_lost() {
    let mut desk = session_with_short_leases();
    let held = desk.start_task("a", "w").unwrap();
    desk.clock().advance(TimeSpan::from_hours(100));
    assert!(desk.claim_thread("v", held.thread).is_err(), "work of an attempt is never taken over");
    desk.close_done(&held).unwrap();
    assert_eq!(desk.task_state("a").name(), "done");
}

#[test]
fn once_declared_lost_every_write_is_late_and_changes_nothing() {
    let mut desk = session_with_short_leases();
    let held = desk.start_task("a", "w").unwrap();
    desk.clock().advance(TimeSpan::from_seconds(10));
    let changes = desk.reconcile_all().unwrap();
    assert_eq!(changes.len(), 2, "claimed, then lost: {changes:?}");
    assert!(desk.reconcile_all().unwrap().is_empty(), "twice is once");
    let (before, _) = desk.show_thread(held.thread).unwrap();
    assert_eq!(before.state.status(), ThreadStatus::Cancelled);

    assert_eq!(late_message_of(desk.renew_lease(&held)), None);
    assert_eq!(late_message_of(desk.release_thread(&held)), None);
    let progress = late_message_of(desk.report_progress(&held, "Half of it.")).unwrap();
    let question = late_message_of(desk.ask_question(&held, "Which one?")).unwrap();
    let report = late_message_of(desk.close_done(&held)).unwrap();
    assert_eq!(late_message_of(desk.close_done(&held)), Some(report), "the same text is kept once");
    let reason = late_message_of(desk.close_failed(&held, true)).unwrap();
    for (id, text) in [
        (progress, "Half of it."),
        (question, "Which one?"),
        (report, "It is done."),
        (reason, "It cannot be done."),
    ] {
        let kept = desk.find_message(held.thread, id).content;
        assert_eq!((kept.kind, kept.body.as_str(), kept.from.as_str()), (MessageKind::Late, text, "w"));
        assert_eq!(kept.to, desk.lead);
    }
    let forged = HolderCredentials { token: "lt-forged".to_owned(), ..held.clone() };
    assert_eq!(late_message_of(desk.close_done(&forged)), None, "what was never valid is not kept");

    assert_eq!(desk.task_state("a").name(), "ready");
    let (after, _) = desk.show_thread(held.thread).unwrap();
    assert_eq!(after.state, before.state);
    assert_eq!(desk.broken_invariants(), []);
}

#[test]
fn a_late_report_does_not_touch_the_next_attempt() {
    let mut desk = session_with_short_leases();
    let first = desk.start_task("a", "w").unwrap();
    desk.clock().advance(TimeSpan::from_seconds(10));
    let second = desk.start_task("a", "w").unwrap();
    assert_ne!(first.thread, second.thread, "a new try is a new thread");
    late_message_of(desk.close_done(&first));
    let crossed = HolderCredentials { thread: second.thread, ..first.clone() };
    assert_eq!(late_message_of(desk.close_done(&crossed)), None);
    assert_eq!(desk.task_state("a").name(), "running");
    desk.close_done(&second).unwrap();
    let detail = desk.task_detail("a");
    let ends: Vec<_> = detail.attempts.iter().map(|shown| shown.attempt.state.name()).collect();
    assert_eq!(ends, ["accepted", "lost"]);
    assert_eq!(desk.broken_invariants(), []);
}

#[test]
fn lost_plain_work_is_offered_again_and_its_first_holder_is_late() {
    let mut desk = TestSession::new();
    let thread = desk.send_work("w", eight_seconds()).unwrap();
    let first = desk.claim_work("w").unwrap();
    desk.clock().advance(TimeSpan(9_999));
    assert!(desk.claim_work("w").is_err());
    desk.clock().advance(TimeSpan(1));
    let second = desk.claim_work("w").unwrap();
    assert_eq!((second.thread, second.token == first.token), (thread, false));
    late_message_of(desk.close_done(&first)).unwrap();
    desk.close_done(&second).unwrap();
    assert_eq!(desk.show_thread(thread).unwrap().0.state.status(), ThreadStatus::Done);
    assert_eq!(desk.broken_invariants(), []);
}

#[test]
fn an_exact_repeat_of_an_accepted_report_is_ok_anything_else_is_late() {
    let mut desk = session_with_short_leases();
    let held = desk.start_task("a", "w").unwrap();
    let first = desk.close_done(&held).unwrap();
    assert_eq!(desk.close_done(&held).unwrap().message, first.message);
    late_message_of(desk.close_failed(&held, false)).unwrap();
    assert_eq!(late_message_of(desk.renew_lease(&held)), None);
    assert_eq!(desk.task_state("a").name(), "done");
    assert_eq!(desk.close_done(&held).unwrap().message, first.message, "looking at it changes nothing");
    assert_eq!(desk.broken_invariants(), []);
}

#[test]
fn a_holder_that_lost_its_token_gets_a_new_one_and_the_old_one_is_void() {
    let mut desk = session_with_short_leases();
    let old = desk.start_task("a", "w").unwrap();
    let again = claim::ClaimRequest {
        queue: None,
        holder: parse_slug("w"),
        thread: Some(old.thread),
        lease: None,
        wait: None,
        again: true,
    };
    let other = claim::ClaimRequest { holder: parse_slug("v"), ..again.clone() };
    let refused = claim::claim_thread(&mut desk.session, None, &other).unwrap_err();
    assert!(matches!(refused, Error::Refused(Refusal::AlreadyClaimed { .. })), "{refused:?}");
    let token = expect_fresh(claim::claim_thread(&mut desk.session, None, &again).unwrap()).lease.token;
    late_message_of(desk.close_done(&old)).unwrap();
    desk.close_done(&HolderCredentials { token, ..old }).unwrap();
    assert_eq!(desk.task_state("a").name(), "done");
    assert_eq!(desk.broken_invariants(), []);
}

#[test]
fn three_times_the_tries_may_be_lost() {
    let mut desk = session_with_short_leases();
    desk.add_tasks("r", &["b < a"]);
    for round in 1..=6 {
        assert_eq!(desk.task_states(&["a", "b"]), ["ready", "waiting"], "round {round}");
        desk.start_task("a", "w").unwrap();
        desk.clock().advance(TimeSpan::from_seconds(10));
    }
    assert_eq!(desk.task_states(&["a", "b"]), ["failed", "skipped"]);
    let task = desk.task_detail("a").shown.task;
    assert_eq!((task.losses, task.failures, task.not_before), (6, 0, None));

    desk.change_task("a", TaskAction::Retry).unwrap();
    assert_eq!(desk.task_states(&["a", "b"]), ["ready", "waiting"], "fresh tries");
    assert_eq!(desk.dispatch_task("a", "w").unwrap().attempt.name.number, 7, "attempt numbers continue");
    assert_eq!(desk.broken_invariants(), []);
}

#[test]
fn every_release_counts_once_however_rarely_somebody_looks() {
    for look_each_time in [true, false] {
        let mut desk = session_with_short_leases();
        let thread = desk.dispatch_task("a", "w").unwrap().attempt.thread.unwrap();
        for round in 1..=5 {
            let held = desk.claim_thread("w", thread).unwrap();
            desk.release_thread(&held).unwrap();
            if look_each_time {
                assert_eq!(desk.task_state("a").name(), "dispatched", "round {round}");
                assert_eq!(desk.task_detail("a").shown.task.releases, round);
            }
        }
        assert_eq!(desk.task_detail("a").shown.task.releases, 5);
        let held = desk.claim_thread("w", thread).unwrap();
        assert_eq!(desk.task_state("a").name(), "running");
        desk.release_thread(&held).unwrap();
        let task = desk.task_detail("a").shown.task;
        assert_eq!((task.state.name(), task.releases, task.losses), ("failed", 6, 0));
        assert_eq!(desk.show_thread(thread).unwrap().0.state.status(), ThreadStatus::Cancelled);
        assert_eq!(desk.broken_invariants(), []);
    }
}

#[test]
fn releases_losses_and_failures_have_limits_of_their_own() {
    let mut desk = session_with_short_leases();
    for _ in 0..2 {
        let held = desk.start_task("a", "w").unwrap();
        desk.release_thread(&held).unwrap();
        desk.claim_thread("w", held.thread).unwrap();
        desk.clock().advance(TimeSpan::from_seconds(10));
        assert_eq!(desk.task_state("a").name(), "ready");
    }
    let held = desk.start_task("a", "w").unwrap();
    desk.close_failed(&held, false).unwrap();
    let task = desk.task_detail("a").shown.task;
    assert_eq!((task.state.name(), task.losses, task.releases, task.failures), ("ready", 2, 2, 1));
    desk.clock().advance(TimeSpan::from_seconds(10));
    for state in ["ready", "ready", "ready", "failed"] {
        desk.start_task("a", "w").unwrap();
        desk.clock().advance(TimeSpan::from_seconds(10));
        assert_eq!(desk.task_state("a").name(), state);
    }
    assert_eq!(desk.broken_invariants(), []);
}

#[test]
fn a_renewal_with_a_request_id_is_repeated_without_another_renewal() {
    let mut desk = session_with_short_leases();
    let held = desk.start_task("a", "w").unwrap();
    let request =
        orch_inbox::renew::RenewRequest { thread: held.thread, token: held.token.clone(), lease: None };
    let encode = |renewed: &orch_inbox::renew::RenewOutcome| format!("{:?}", renewed.expires_at);
    let receipt = Receipt { key: "k-1", fingerprint: "f", encode: &encode };
    orch_inbox::renew::renew_lease(&mut desk.session, Some(&receipt), &request).unwrap();
    let before = desk.show_thread(held.thread).unwrap().0;
    desk.clock().advance(TimeSpan::from_seconds(5));
    orch_inbox::renew::renew_lease(&mut desk.session, Some(&receipt), &request).unwrap();
    assert_eq!(desk.show_thread(held.thread).unwrap().0, before);
}
