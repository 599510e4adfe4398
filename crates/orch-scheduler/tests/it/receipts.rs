//! Repeating a request: the same answer, and nothing twice.

use orch_core::refusal::Refusal;
use orch_core::time::Span;
use orch_inbox::claim::{self, Claim, Claimed};
use orch_inbox::send::{self, Send, Sent};
use orch_inbox::{Answer, Error, Receipt};
use orch_scheduler::{request, task};
use orch_testkit::desk::{fresh, new_task, slug};
use orch_testkit::{Desk, Held};

fn claim_of(worker: &str) -> Claim {
    Claim { queue: None, holder: slug(worker), thread: None, lease: None, wait: None, again: false }
}

/// What a door records of a claim: never the token.
fn encode_claim(claimed: &Claimed) -> String {
    claimed.thread.thread.id.to_string()
}

fn encode_task(shown: &orch_scheduler::TaskShown) -> String {
    shown.task.name.to_string()
}

#[test]
fn a_repeat_is_answered_as_the_first_time_and_changes_nothing() {
    let mut desk = Desk::with_tasks(&[]);
    let receipt = Receipt { key: "k-1", fingerprint: "add a", encode: &encode_task };
    let new = orch_core::task::NewTask { key: None, ..new_task("none", &[]) };
    let first = task::add(&mut desk.session, Some(&receipt), &desk.lead, None, &new).unwrap();
    assert_eq!(fresh(first).task.name.to_string(), "r/t1");
    let before = desk.events(Some("r")).len();
    for _ in 0..2 {
        let again = task::add(&mut desk.session, Some(&receipt), &desk.lead, None, &new).unwrap();
        assert_eq!(again, Answer::Replayed("r/t1".to_owned()));
    }
    assert_eq!(desk.events(Some("r")).len(), before);

    let other = Receipt { fingerprint: "add b", ..receipt };
    let refused = task::add(&mut desk.session, Some(&other), &desk.lead, None, &new).unwrap_err();
    assert!(matches!(refused, Error::Refused(Refusal::RequestConflict { .. })), "{refused:?}");
    let applied = request::show(&mut desk.session, "k-1").unwrap();
    assert_eq!((applied.answer.as_deref().unwrap(), applied.fingerprint.as_str()), ("r/t1", "add a"));
}

#[test]
fn a_refusal_is_not_recorded_so_a_repeat_may_succeed() {
    let mut desk = Desk::with_tasks(&["a"]);
    let receipt = Receipt { key: "k-1", fingerprint: "add b", encode: &encode_task };
    let new = new_task("b", &["c"]);
    task::add(&mut desk.session, Some(&receipt), &desk.lead, None, &new).unwrap_err();
    request::show(&mut desk.session, "k-1").unwrap_err();
    desk.tasks("r", &["c"]);
    let added = task::add(&mut desk.session, Some(&receipt), &desk.lead, None, &new).unwrap();
    assert!(matches!(added, Answer::Fresh(_)));
}

#[test]
fn a_repeated_claim_gives_the_same_token_again_and_stores_none() {
    let mut desk = Desk::with_tasks(&["a"]);
    desk.dispatch("a", "w").unwrap();
    let receipt = Receipt { key: "k-1", fingerprint: "claim", encode: &encode_claim };
    let first = fresh(claim::claim(&mut desk.session, Some(&receipt), &claim_of("w")).unwrap());
    let thread = first.thread.thread.id;
    let again = claim::claim(&mut desk.session, Some(&receipt), &claim_of("w")).unwrap();
    assert_eq!(again, Answer::Replayed(thread.to_string()));
    let token = claim::token_of_request("k-1", thread);
    assert_eq!(token, first.lease.token);

    let file = std::fs::read(desk.place.folder().join("orch.db-wal")).unwrap();
    for secret in [token.as_bytes(), b"k-1"] {
        assert!(!file.windows(secret.len()).any(|bytes| bytes == secret), "the store reveals a secret");
    }
    desk.done(&Held { thread, token, holder: slug("w") }).unwrap();
    assert_eq!(desk.state("a").name(), "done");
    let late = claim::claim(&mut desk.session, Some(&receipt), &claim_of("w")).unwrap();
    assert_eq!(late, Answer::Replayed(thread.to_string()), "also when the work is over");
}

#[test]
fn a_receipt_is_kept_for_thirty_days() {
    let mut desk = Desk::new();
    let encode = |sent: &Sent| sent.thread.thread.id.to_string();
    let receipt = Receipt { key: "k-1", fingerprint: "send", encode: &encode };
    let note = Send::New {
        from: slug("lead"),
        to: slug("w"),
        subject: "Do it".to_owned(),
        body: String::new(),
        kind: orch_core::thread::ThreadKind::Work,
        priority: 2,
        lease: orch_core::lease::LeaseLength::DEFAULT,
        payload: None,
    };
    send::send(&mut desk.session, Some(&receipt), &note).unwrap();
    desk.clock().advance(Span::hours(30 * 24));
    let kept = send::send(&mut desk.session, Some(&receipt), &note).unwrap();
    assert_eq!(kept, Answer::Replayed("th-1".to_owned()));
    desk.clock().advance(Span(1));
    let forgotten = send::send(&mut desk.session, Some(&receipt), &note).unwrap();
    assert_eq!(fresh(forgotten).thread.thread.id.to_string(), "th-2");
}
