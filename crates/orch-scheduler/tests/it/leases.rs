//! Leases: when they are lost, who may still write, and what is kept of writes that come too late.

use orch_core::id::MessageId;
use orch_core::lease::LeaseLength;
use orch_core::message::MessageKind;
use orch_core::refusal::Refusal;
use orch_core::run::Policy;
use orch_core::thread::ThreadStatus;
use orch_core::time::Span;
use orch_inbox::claim;
use orch_inbox::{Error, Receipt};
use orch_scheduler::task::Verb;
use orch_testkit::desk::{fresh, policy, slug};
use orch_testkit::{Desk, Held};

/// A lease of 8 seconds, which is lost 2 seconds after it expired.
fn eight_seconds() -> LeaseLength {
    LeaseLength::new(Span::seconds(8)).unwrap()
}

fn desk() -> Desk {
    let mut desk = Desk::new();
    desk.run("r", Policy { lease: eight_seconds(), max_attempts: 2, ..policy() }).unwrap();
    desk.tasks("r", &["a"]);
    desk
}

/// What a write that is too late is told: the message that its text was kept as.
fn lost<T: std::fmt::Debug>(outcome: Result<T, Error>) -> Option<MessageId> {
    match outcome {
        Err(Error::Refused(Refusal::LeaseLost { kept, .. })) => kept,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_expired_lease_counts_through_its_grace_and_a_write_renews_it() {
    let mut desk = desk();
    let held = desk.start("a", "w").unwrap();
    desk.clock().advance(Span(9_999));
    assert_eq!(desk.state("a").name(), "running", "expired, but not lost");
    desk.progress(&held, "Still here.").unwrap();
    desk.clock().advance(Span(9_999));
    assert_eq!(desk.state("a").name(), "running", "progress renewed it");
    desk.clock().advance(Span(1));
    assert_eq!(desk.state("a").name(), "ready");
    assert_eq!(desk.breaches(), []);
}

#[test]
fn a_lost_lease_still_counts_until_somebody_declares_it_lost() {
    let mut desk = desk();
    let held = desk.start("a", "w").unwrap();
    desk.clock().advance(Span::hours(100));
    assert!(desk.claim_thread("v", held.thread).is_err(), "work of an attempt is never taken over");
    desk.done(&held).unwrap();
    assert_eq!(desk.state("a").name(), "done");
}

#[test]
fn once_declared_lost_every_write_is_late_and_changes_nothing() {
    let mut desk = desk();
    let held = desk.start("a", "w").unwrap();
    desk.clock().advance(Span::seconds(10));
    let changes = desk.reconcile().unwrap();
    assert_eq!(changes.len(), 2, "claimed, then lost: {changes:?}");
    assert!(desk.reconcile().unwrap().is_empty(), "twice is once");
    let (before, _) = desk.show_thread(held.thread).unwrap();
    assert_eq!(before.state.status(), ThreadStatus::Cancelled);

    assert_eq!(lost(desk.renew(&held)), None);
    assert_eq!(lost(desk.release(&held)), None);
    let progress = lost(desk.progress(&held, "Half of it.")).unwrap();
    let question = lost(desk.ask(&held, "Which one?")).unwrap();
    let report = lost(desk.done(&held)).unwrap();
    assert_eq!(lost(desk.done(&held)), Some(report), "the same text is kept once");
    let reason = lost(desk.fail(&held, true)).unwrap();
    for (id, text) in [
        (progress, "Half of it."),
        (question, "Which one?"),
        (report, "It is done."),
        (reason, "It cannot be done."),
    ] {
        let kept = desk.message(held.thread, id).content;
        assert_eq!((kept.kind, kept.body.as_str(), kept.from.as_str()), (MessageKind::Late, text, "w"));
        assert_eq!(kept.to, desk.lead);
    }
    let forged = Held { token: "lt-forged".to_owned(), ..held.clone() };
    assert_eq!(lost(desk.done(&forged)), None, "what was never valid is not kept");

    assert_eq!(desk.state("a").name(), "ready");
    let (after, _) = desk.show_thread(held.thread).unwrap();
    assert_eq!(after.state, before.state);
    assert_eq!(desk.breaches(), []);
}

#[test]
fn a_late_report_does_not_touch_the_next_attempt() {
    let mut desk = desk();
    let first = desk.start("a", "w").unwrap();
    desk.clock().advance(Span::seconds(10));
    let second = desk.start("a", "w").unwrap();
    assert_ne!(first.thread, second.thread, "a new try is a new thread");
    lost(desk.done(&first));
    let crossed = Held { thread: second.thread, ..first.clone() };
    assert_eq!(lost(desk.done(&crossed)), None);
    assert_eq!(desk.state("a").name(), "running");
    desk.done(&second).unwrap();
    let detail = desk.detail("a");
    let ends: Vec<_> = detail.attempts.iter().map(|shown| shown.attempt.state.name()).collect();
    assert_eq!(ends, ["accepted", "lost"]);
    assert_eq!(desk.breaches(), []);
}

#[test]
fn lost_plain_work_is_offered_again_and_its_first_holder_is_late() {
    let mut desk = Desk::new();
    let thread = desk.send("w", eight_seconds()).unwrap();
    let first = desk.claim("w").unwrap();
    desk.clock().advance(Span(9_999));
    assert!(desk.claim("w").is_err());
    desk.clock().advance(Span(1));
    let second = desk.claim("w").unwrap();
    assert_eq!((second.thread, second.token == first.token), (thread, false));
    lost(desk.done(&first)).unwrap();
    desk.done(&second).unwrap();
    assert_eq!(desk.show_thread(thread).unwrap().0.state.status(), ThreadStatus::Done);
    assert_eq!(desk.breaches(), []);
}

#[test]
fn an_exact_repeat_of_an_accepted_report_is_ok_anything_else_is_late() {
    let mut desk = desk();
    let held = desk.start("a", "w").unwrap();
    let first = desk.done(&held).unwrap();
    assert_eq!(desk.done(&held).unwrap().message, first.message);
    lost(desk.fail(&held, false)).unwrap();
    assert_eq!(lost(desk.renew(&held)), None);
    assert_eq!(desk.state("a").name(), "done");
    assert_eq!(desk.done(&held).unwrap().message, first.message, "looking at it changes nothing");
    assert_eq!(desk.breaches(), []);
}

#[test]
fn a_holder_that_lost_its_token_gets_a_new_one_and_the_old_one_is_void() {
    let mut desk = desk();
    let old = desk.start("a", "w").unwrap();
    let again = claim::Claim {
        queue: None,
        holder: slug("w"),
        thread: Some(old.thread),
        lease: None,
        wait: None,
        again: true,
    };
    let other = claim::Claim { holder: slug("v"), ..again.clone() };
    let refused = claim::claim(&mut desk.session, None, &other).unwrap_err();
    assert!(matches!(refused, Error::Refused(Refusal::AlreadyClaimed { .. })), "{refused:?}");
    let token = fresh(claim::claim(&mut desk.session, None, &again).unwrap()).lease.token;
    lost(desk.done(&old)).unwrap();
    desk.done(&Held { token, ..old }).unwrap();
    assert_eq!(desk.state("a").name(), "done");
    assert_eq!(desk.breaches(), []);
}

#[test]
fn three_times_the_tries_may_be_lost() {
    let mut desk = desk();
    desk.tasks("r", &["b < a"]);
    for round in 1..=6 {
        assert_eq!(desk.states(&["a", "b"]), ["ready", "waiting"], "round {round}");
        desk.start("a", "w").unwrap();
        desk.clock().advance(Span::seconds(10));
    }
    assert_eq!(desk.states(&["a", "b"]), ["failed", "skipped"]);
    let task = desk.detail("a").shown.task;
    assert_eq!((task.losses, task.failures, task.not_before), (6, 0, None));

    desk.change_task("a", Verb::Retry).unwrap();
    assert_eq!(desk.states(&["a", "b"]), ["ready", "waiting"], "fresh tries");
    assert_eq!(desk.dispatch("a", "w").unwrap().attempt.name.number, 7, "attempt numbers go on");
    assert_eq!(desk.breaches(), []);
}

#[test]
fn every_release_counts_once_however_rarely_somebody_looks() {
    for look_each_time in [true, false] {
        let mut desk = desk();
        let thread = desk.dispatch("a", "w").unwrap().attempt.thread.unwrap();
        for round in 1..=5 {
            let held = desk.claim_thread("w", thread).unwrap();
            desk.release(&held).unwrap();
            if look_each_time {
                assert_eq!(desk.state("a").name(), "dispatched", "round {round}");
                assert_eq!(desk.detail("a").shown.task.losses, round);
            }
        }
        assert_eq!(desk.detail("a").shown.task.losses, 5);
        let held = desk.claim_thread("w", thread).unwrap();
        assert_eq!(desk.state("a").name(), "running");
        desk.release(&held).unwrap();
        let task = desk.detail("a").shown.task;
        assert_eq!((task.state.name(), task.losses), ("failed", 6));
        assert_eq!(desk.show_thread(thread).unwrap().0.state.status(), ThreadStatus::Cancelled);
        assert_eq!(desk.breaches(), []);
    }
}

#[test]
fn releases_and_losses_share_a_budget_failures_have_their_own() {
    let mut desk = desk();
    for _ in 0..2 {
        let held = desk.start("a", "w").unwrap();
        desk.release(&held).unwrap();
        desk.claim_thread("w", held.thread).unwrap();
        desk.clock().advance(Span::seconds(10));
        assert_eq!(desk.state("a").name(), "ready");
    }
    let held = desk.start("a", "w").unwrap();
    desk.fail(&held, false).unwrap();
    let task = desk.detail("a").shown.task;
    assert_eq!((task.state.name(), task.losses, task.failures), ("ready", 4, 1));
    desk.clock().advance(Span::seconds(10));
    for state in ["ready", "failed"] {
        desk.start("a", "w").unwrap();
        desk.clock().advance(Span::seconds(10));
        assert_eq!(desk.state("a").name(), state);
    }
    assert_eq!(desk.breaches(), []);
}

#[test]
fn a_renewal_with_a_request_id_is_repeated_without_another_renewal() {
    let mut desk = desk();
    let held = desk.start("a", "w").unwrap();
    let request = orch_inbox::renew::Renew { thread: held.thread, token: held.token.clone(), lease: None };
    let encode = |renewed: &orch_inbox::renew::Renewed| format!("{:?}", renewed.expires_at);
    let receipt = Receipt { key: "k-1", fingerprint: "f", encode: &encode };
    orch_inbox::renew::renew(&mut desk.session, Some(&receipt), &request).unwrap();
    let before = desk.show_thread(held.thread).unwrap().0;
    desk.clock().advance(Span::seconds(5));
    orch_inbox::renew::renew(&mut desk.session, Some(&receipt), &request).unwrap();
    assert_eq!(desk.show_thread(held.thread).unwrap().0, before);
}
