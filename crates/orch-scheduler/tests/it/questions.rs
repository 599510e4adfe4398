//! Questions, answers and defaults.

use orch_core::refusal::Refusal;
use orch_core::time::TimeSpan;
use orch_inbox::ask;
use orch_inbox::{Error, Receipt, Response};
use orch_scheduler::answer;
use orch_testkit::test_session::{expect_fresh, task_ref};
use orch_testkit::{HolderCredentials, TestSession};

fn ask_request(held: &HolderCredentials, text: &str, wait: Option<TimeSpan>) -> ask::AskRequest {
    ask::AskRequest {
        thread: held.thread,
        token: held.token.clone(),
        question: text.to_owned(),
        options: Vec::new(),
        default: None,
        default_after: None,
        wait,
    }
}

/// What a door records of a question.
fn encode_ask_outcome(asked: &ask::AskOutcome) -> String {
    format!("{} {:?}", asked.question.content.body, asked.answer.as_ref().map(|answer| &answer.content.body))
}

#[test]
fn a_repeated_question_waits_for_its_own_answer_not_for_a_later_one() {
    let mut desk = TestSession::with_tasks(&["a"]);
    let held = desk.start_task("a", "w").unwrap();
    let receipt = Receipt { key: "k-1", fingerprint: "f", encode: &encode_ask_outcome };
    ask::ask_question(&mut desk.session, Some(&receipt), &ask_request(&held, "Which one?", None)).unwrap();
    desk.reply_to_thread(held.thread, "The left one.").unwrap();
    desk.ask_question(&held, "And then?").unwrap();
    let repeated = ask::ask_question(
        &mut desk.session,
        Some(&receipt),
        &ask_request(&held, "Which one?", Some(TimeSpan(1))),
    )
    .unwrap();
    assert_eq!(repeated, Response::Replayed("Which one? Some(\"The left one.\")".to_owned()));
}

#[test]
fn the_same_question_attaches_another_one_is_refused() {
    let mut desk = TestSession::with_tasks(&["a"]);
    let held = desk.start_task("a", "w").unwrap();
    let first = desk.ask_question(&held, "Which one?").unwrap();
    assert_eq!(desk.ask_question(&held, "Which one?").unwrap(), first);
    let refused = desk.ask_question(&held, "And then?").unwrap_err();
    assert!(matches!(refused, Error::Refused(Refusal::QuestionOpen { .. })), "{refused:?}");
    assert_eq!(desk.task_state("a").name(), "blocked");

    let answered =
        answer::answer_question(&mut desk.session, None, &desk.lead, &task_ref("a"), "The left one.");
    let answered = expect_fresh(answered.unwrap());
    assert_eq!(answered.task.task.state.name(), "running");
    let again = desk.ask_question(&held, "Which one?").unwrap();
    assert_eq!((again.question.id, again.answer.unwrap().id), (first.question.id, answered.message.id));
    let asked =
        desk.list_events(Some("r")).into_iter().filter(|event| event.kind.name() == "question").count();
    assert_eq!(asked, 1);
}

#[test]
fn an_earlier_question_returns_its_answer_although_others_followed() {
    let mut desk = TestSession::with_tasks(&["a"]);
    let held = desk.start_task("a", "w").unwrap();
    let first = desk.ask_question(&held, "Which one?").unwrap();
    desk.reply_to_thread(held.thread, "The left one.").unwrap();
    desk.ask_question(&held, "And then?").unwrap();
    desk.reply_to_thread(held.thread, "Straight on.").unwrap();
    let again = desk.ask_question(&held, "Which one?").unwrap();
    assert_eq!(again.question.id, first.question.id);
    assert_eq!(again.answer.unwrap().content.body, "The left one.");
    assert_eq!(desk.task_state("a").name(), "running");
    let another = HolderCredentials { token: "lt-0".to_owned(), ..held };
    let refused = desk.ask_question(&another, "Which one?").unwrap_err();
    assert!(matches!(refused, Error::Refused(Refusal::LeaseLost { kept: None, .. })), "{refused:?}");
    assert_eq!(desk.broken_invariants(), []);
}

#[test]
fn a_question_that_was_withdrawn_is_asked_anew() {
    let mut desk = TestSession::with_tasks(&["a"]);
    let held = desk.start_task("a", "w").unwrap();
    let first = desk.ask_question(&held, "Which one?").unwrap();
    desk.release_thread(&held).unwrap();
    let held = desk.claim_work("w").unwrap();
    let again = desk.ask_question(&held, "Which one?").unwrap();
    assert!(again.answer.is_none() && again.question.id != first.question.id, "{again:?}");
    assert_eq!(desk.task_state("a").name(), "blocked");
    assert_eq!(desk.broken_invariants(), []);
}

#[test]
fn an_answer_gives_back_the_whole_lease_that_was_claimed() {
    let mut desk = TestSession::with_tasks(&["a"]);
    let thread = desk.dispatch_task("a", "w").unwrap().attempt.thread.unwrap();
    let hours = orch_core::lease::LeaseLength::new(TimeSpan::from_hours(2)).unwrap();
    let held = desk.claim_as("w", Some(thread), Some(hours)).unwrap();
    desk.ask_question(&held, "Which one?").unwrap();
    desk.clock().advance(TimeSpan::from_hours(20));
    assert_eq!(desk.task_state("a").name(), "blocked", "a lease does not run while a question is open");
    desk.reply_to_thread(thread, "The left one.").unwrap();
    desk.clock().advance(TimeSpan::from_hours(2));
    assert_eq!(desk.task_state("a").name(), "running");
    desk.close_done(&held).unwrap();
    assert_eq!(desk.task_state("a").name(), "done");
    assert_eq!(desk.broken_invariants(), []);
}

#[test]
fn a_default_answers_when_nobody_does() {
    let mut desk = TestSession::with_tasks(&["a"]);
    let held = desk.start_task("a", "w").unwrap();
    let asked =
        desk.ask_with_default(&held, "Which one?", Some(("any", TimeSpan::from_minutes(10)))).unwrap();
    desk.clock().advance(TimeSpan(TimeSpan::from_minutes(10).0 - 1));
    assert_eq!(desk.task_state("a").name(), "blocked");
    desk.clock().advance(TimeSpan(1));
    let refused = desk.reply_to_thread(held.thread, "The left one.").unwrap_err();
    assert!(
        matches!(refused, Error::Refused(Refusal::NoQuestion { .. })),
        "the default was first: {refused:?}"
    );
    assert_eq!(desk.task_state("a").name(), "running");
    let (_, messages) = desk.show_thread(held.thread).unwrap();
    let answers: Vec<_> = messages.iter().filter(|message| message.content.kind.name() == "answer").collect();
    assert_eq!(answers.len(), 1);
    assert_eq!((answers[0].content.from.as_str(), answers[0].content.body.as_str()), ("default", "any"));
    let again = desk.ask_question(&held, "Which one?").unwrap();
    assert_eq!((again.question.id, again.answer.unwrap().id), (asked.question.id, answers[0].id));
    assert_eq!(desk.broken_invariants(), []);
}

#[test]
fn done_fail_release_and_cancel_withdraw_a_question() {
    let mut desk = TestSession::with_tasks(&["a", "b", "c", "d"]);
    let held: Vec<HolderCredentials> =
        ["a", "b", "c", "d"].iter().map(|key| desk.start_task(key, "w").unwrap()).collect();
    for one in &held {
        desk.ask_with_default(one, "Which one?", Some(("any", TimeSpan::from_minutes(1)))).unwrap();
    }
    desk.close_done(&held[0]).unwrap();
    desk.close_failed(&held[1], true).unwrap();
    desk.release_thread(&held[2]).unwrap();
    desk.cancel_thread(held[3].thread).unwrap();
    desk.clock().advance(TimeSpan::from_minutes(2));
    assert_eq!(desk.task_states(&["a", "b", "c", "d"]), ["done", "failed", "dispatched", "cancelled"]);
    for one in &held {
        assert!(desk.reply_to_thread(one.thread, "The left one.").is_err());
        let (_, messages) = desk.show_thread(one.thread).unwrap();
        assert!(!messages.iter().any(|message| message.content.kind.name() == "answer"));
    }
    // A new holder's question is a new one, even in the same words.
    let next = desk.claim_thread("v", held[2].thread).unwrap();
    assert_eq!(desk.ask_question(&next, "Which one?").unwrap().answer, None);
    assert_eq!(desk.broken_invariants(), []);
}
