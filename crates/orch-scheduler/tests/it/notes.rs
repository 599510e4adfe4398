//! Notes to a worker, and what it has yet to read.

use orch_inbox::{ack, wait};
use orch_scheduler::tell;
use orch_testkit::TestSession;
use orch_testkit::test_session::{expect_fresh, parse_slug, task_ref};

#[test]
fn a_note_is_seen_with_the_next_progress_renewal_and_wait_until_it_is_acknowledged() {
    let mut desk = TestSession::with_tasks(&["a"]);
    let thread = desk.dispatch_task("a", "crew").unwrap().attempt.thread.unwrap();
    tell::tell_worker(&mut desk.session, None, &desk.lead, &task_ref("a"), "Before the claim.").unwrap();
    let held = desk.claim_thread("w", thread).unwrap();
    assert_eq!(desk.renew_lease(&held).unwrap().unread.count, 0, "a claim shows the messages so far");

    let told = tell::tell_worker(&mut desk.session, None, &desk.lead, &task_ref("a"), "Mind the gap.");
    let told = expect_fresh(told.unwrap());
    assert_eq!(told.content.to, parse_slug("w"), "to who holds it");
    for round in 0..2 {
        let unread = desk.report_progress(&held, "Half of it.").unwrap().unread;
        assert_eq!((unread.count, &unread.messages), (1, &vec![told.clone()]), "round {round}");
        assert_eq!(desk.renew_lease(&held).unwrap().unread, unread, "round {round}");
    }
    let request = wait::MessageWaitRequest {
        agent: parse_slug("w"),
        thread: None,
        kind: None,
        after: None,
        timeout: orch_core::time::TimeSpan(0),
        limit: 10,
    };
    let waited = wait::wait_for_messages(&mut desk.session, &request).unwrap();
    assert_eq!((waited.messages, waited.cursor), (vec![told.clone()], told.id));
    let request = ack::MessageAckRequest { agent: parse_slug("w"), thread: None, through: told.id };
    assert_eq!(expect_fresh(ack::acknowledge_messages(&mut desk.session, None, &request).unwrap()), told.id);
    assert_eq!(desk.renew_lease(&held).unwrap().unread.count, 0);
    assert_eq!(desk.broken_invariants(), []);
}

#[test]
fn only_the_newest_few_notes_are_carried_along() {
    let mut desk = TestSession::with_tasks(&["a"]);
    let held = desk.start_task("a", "w").unwrap();
    for number in 0..7 {
        tell::tell_worker(&mut desk.session, None, &desk.lead, &task_ref("a"), &format!("Note {number}."))
            .unwrap();
    }
    let unread = desk.report_progress(&held, "Half of it.").unwrap().unread;
    let bodies: Vec<_> = unread.messages.iter().map(|message| message.content.body.as_str()).collect();
    assert_eq!((unread.count, bodies), (7, vec!["Note 2.", "Note 3.", "Note 4.", "Note 5.", "Note 6."]));
}

#[test]
fn a_work_message_tells_of_earlier_attempts_and_their_answers() {
    let mut desk = TestSession::with_tasks(&["a"]);
    let held = desk.start_task("a", "w").unwrap();
    desk.ask_question(&held, "Which one?").unwrap();
    desk.reply_to_thread(held.thread, "The left one.").unwrap();
    desk.close_failed(&held, false).unwrap();
    desk.clock().advance(orch_core::time::TimeSpan::from_minutes(1));
    let second = desk.start_task("a", "w").unwrap();
    desk.recall_task("a").unwrap();
    assert_ne!(held.thread, second.thread);
    let third = desk.dispatch_task("a", "w").unwrap().attempt.thread.unwrap();
    let (_, messages) = desk.show_thread(third).unwrap();
    let payload: serde_json::Value =
        serde_json::from_str(messages[0].content.extra.payload.as_deref().unwrap()).unwrap();
    assert_eq!(payload["attempt"], "r/a@3");
    assert_eq!(
        payload["answers"],
        serde_json::json!([{ "question": "Which one?", "answer": "The left one.", "from": "lead" }])
    );
    let earlier: Vec<_> = payload["earlier"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["attempt"].as_str().unwrap(), one["outcome"].as_str().unwrap()))
        .collect();
    assert_eq!(earlier, [("r/a@1", "failed"), ("r/a@2", "recalled")]);
    for said in ["Which one?", "The left one.", "It cannot be done."] {
        assert!(messages[0].content.body.contains(said), "{}", messages[0].content.body);
    }
}
