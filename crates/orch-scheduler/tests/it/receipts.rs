//! Repeating a request: the same answer, and nothing twice.

use orch_core::refusal::Refusal;
use orch_core::time::TimeSpan;
use orch_inbox::claim::{self, ClaimOutcome, ClaimRequest};
use orch_inbox::send::{self, SendOutcome, SendRequest};
use orch_inbox::{Error, Receipt, Response};
use orch_scheduler::{request, task};
use orch_testkit::test_session::{expect_fresh, new_task, parse_slug};
use orch_testkit::{HolderCredentials, TestSession};

fn claim_of(worker: &str) -> ClaimRequest {
    ClaimRequest {
        queue: None,
        holder: parse_slug(worker),
        thread: None,
        lease: None,
        wait: None,
        again: false,
    }
}

/// What a door records of a claim: never the token.
fn encode_claim(claimed: &ClaimOutcome) -> String {
    claimed.thread.thread.id.to_string()
}

fn encode_task(shown: &orch_scheduler::TaskOverview) -> String {
    shown.task.name.to_string()
}

#[test]
fn a_repeat_is_answered_as_the_first_time_and_changes_nothing() {
    let mut desk = TestSession::with_tasks(&[]);
    let receipt = Receipt { key: "k-1", fingerprint: "add a", encode: &encode_task };
    let new = orch_core::task::NewTask { key: None, ..new_task("none", &[]) };
    let first = task::add_task(&mut desk.session, Some(&receipt), &desk.lead, None, &new).unwrap();
    assert_eq!(expect_fresh(first).task.name.to_string(), "r/t1");
    let before = desk.list_events(Some("r")).len();
    for _ in 0..2 {
        let again = task::add_task(&mut desk.session, Some(&receipt), &desk.lead, None, &new).unwrap();
        assert_eq!(again, Response::Replayed("r/t1".to_owned()));
    }
    assert_eq!(desk.list_events(Some("r")).len(), before);

    let other = Receipt { fingerprint: "add b", ..receipt };
    let refused = task::add_task(&mut desk.session, Some(&other), &desk.lead, None, &new).unwrap_err();
    assert!(matches!(refused, Error::Refused(Refusal::RequestConflict { .. })), "{refused:?}");
    let applied = request::show_request(&mut desk.session, "k-1").unwrap();
    assert_eq!((applied.answer.as_deref().unwrap(), applied.fingerprint.as_str()), ("r/t1", "add a"));
}

#[test]
fn a_refusal_is_not_recorded_so_a_repeat_may_succeed() {
    let mut desk = TestSession::with_tasks(&["a"]);
    let receipt = Receipt { key: "k-1", fingerprint: "add b", encode: &encode_task };
    let new = new_task("b", &["c"]);
    task::add_task(&mut desk.session, Some(&receipt), &desk.lead, None, &new).unwrap_err();
    request::show_request(&mut desk.session, "k-1").unwrap_err();
    desk.add_tasks("r", &["c"]);
    let added = task::add_task(&mut desk.session, Some(&receipt), &desk.lead, None, &new).unwrap();
    assert!(matches!(added, Response::Fresh(_)));
}

#[test]
fn a_repeated_claim_gives_the_same_token_again_and_stores_none() {
    let mut desk = TestSession::with_tasks(&["a"]);
    desk.dispatch_task("a", "w").unwrap();
    let receipt = Receipt { key: "k-1", fingerprint: "claim", encode: &encode_claim };
    let first = expect_fresh(claim::claim_thread(&mut desk.session, Some(&receipt), &claim_of("w")).unwrap());
    let thread = first.thread.thread.id;
    let again = claim::claim_thread(&mut desk.session, Some(&receipt), &claim_of("w")).unwrap();
    assert_eq!(again, Response::Replayed(thread.to_string()));
    let token = claim::token_of_request("k-1", thread);
    assert_eq!(token, first.lease.token);

    let file = std::fs::read(desk.place.folder().join("orch.db-wal")).unwrap();
    for secret in [token.as_bytes(), b"k-1"] {
        assert!(!file.windows(secret.len()).any(|bytes| bytes == secret), "the store reveals a secret");
    }
    desk.close_done(&HolderCredentials { thread, token, holder: parse_slug("w") }).unwrap();
    assert_eq!(desk.task_state("a").name(), "done");
    let late = claim::claim_thread(&mut desk.session, Some(&receipt), &claim_of("w")).unwrap();
    assert_eq!(late, Response::Replayed(thread.to_string()), "also when the work is over");
}

#[test]
fn a_receipt_is_kept_for_thirty_days() {
    let mut desk = TestSession::new();
    let encode = |sent: &SendOutcome| sent.thread.thread.id.to_string();
    let receipt = Receipt { key: "k-1", fingerprint: "send", encode: &encode };
    let note = SendRequest::NewThread {
        from: parse_slug("lead"),
        to: parse_slug("w"),
        subject: "Do it".to_owned(),
        body: String::new(),
        kind: orch_core::thread::ThreadKind::Work,
        priority: 2,
        lease: orch_core::lease::LeaseLength::DEFAULT,
        payload: None,
    };
    send::send_message(&mut desk.session, Some(&receipt), &note).unwrap();
    desk.clock().advance(TimeSpan::from_hours(30 * 24));
    let kept = send::send_message(&mut desk.session, Some(&receipt), &note).unwrap();
    assert_eq!(kept, Response::Replayed("th-1".to_owned()));
    desk.clock().advance(TimeSpan(1));
    let forgotten = send::send_message(&mut desk.session, Some(&receipt), &note).unwrap();
    assert_eq!(expect_fresh(forgotten).thread.thread.id.to_string(), "th-2");
}
