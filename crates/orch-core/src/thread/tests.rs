//! Tables of every decision about a thread.

use super::*;
use crate::thread::{AttemptReference, NewThread};

const NOW: Time = Time(1_000_000);

/// Returns what a check says of a state: its name, and what only that state has.
fn describe_state(state: &ThreadState) -> String {
    match state {
        ThreadState::Queued => "queued".to_owned(),
        ThreadState::Cancelled => "cancelled".to_owned(),
        ThreadState::Done(closing) => format!("done by {} {}", closing.token.0, closing.message),
        ThreadState::Failed(closing) => format!("failed by {} {}", closing.token.0, closing.message),
        ThreadState::Claimed { hold, lease } => {
            format!("{}/{} for {}", hold.holder, hold.token.0, (lease.expires_at - NOW).0)
        }
        ThreadState::Blocked { hold, question, length } => {
            let default = question.default_at.map_or("never".to_owned(), |at| (at - NOW).0.to_string());
            let (hold, token) = (&hold.holder, &hold.token.0);
            format!("{hold}/{token} asks {} default {default} lease {}", question.message, length.span().0)
        }
    }
}

fn slug(name: &str) -> Slug {
    Slug::new(name).unwrap()
}

fn token(text: &str) -> TokenDigest {
    TokenDigest(text.to_owned())
}

fn hold(name: &str) -> ThreadHold {
    ThreadHold { holder: slug(name), token: token(&format!("t-{name}")) }
}

fn length(seconds: i64) -> LeaseLength {
    LeaseLength::new(TimeSpan::from_seconds(seconds)).unwrap()
}

/// Returns a plain work thread with a lease of 8 seconds, which is lost 2 seconds after it expired.
fn thread(state: ThreadState) -> Thread {
    let head = NewThread {
        kind: ThreadKind::Work,
        subject: "Do it".to_owned(),
        from: slug("lead"),
        to: slug("crew"),
        priority: 2,
        lease_length: length(8),
        answer_after: None,
        reference: None,
    };
    Thread { state, ..Thread::new(crate::id::ThreadId(7), head, Time(0)) }
}

/// Returns the same as the thread of an attempt.
fn owned(state: ThreadState) -> Thread {
    let reference = AttemptReference {
        run: crate::id::RunId(1),
        task: crate::id::TaskId(2),
        attempt: crate::id::AttemptId(3),
    };
    let mut thread = thread(state);
    thread.head.reference = Some(reference);
    thread
}

/// Claimed so many milliseconds before now.
fn claimed(ago: i64) -> ThreadState {
    ThreadState::Claimed { hold: hold("w"), lease: length(8).lease_from(Time(NOW.0 - ago)) }
}

fn blocked(default_at: Option<Time>) -> ThreadState {
    let question = OpenQuestion { message: MessageId(4), default_at };
    ThreadState::Blocked { hold: hold("w"), question, length: length(20) }
}

fn closing() -> ClosingRecord {
    ClosingRecord { token: token("t-w"), message: MessageId(5) }
}

/// Returns every state once.
fn every_state() -> [ThreadState; 6] {
    [
        ThreadState::Queued,
        claimed(0),
        blocked(None),
        ThreadState::Done(closing()),
        ThreadState::Failed(closing()),
        ThreadState::Cancelled,
    ]
}

/// Returns a refusal's kind, as a word.
fn refusal_name(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::ThreadClosed { .. } => "closed",
        Refusal::NotWork { .. } => "no work",
        Refusal::Withdrawn { .. } => "withdrawn",
        Refusal::NotClaimed { .. } => "not claimed",
        Refusal::AlreadyClaimed { holder, .. } if *holder == slug("w") => "claimed by w",
        Refusal::LeaseLost { kept: None, .. } => "lease lost",
        Refusal::QuestionOpen { .. } => "question open",
        Refusal::NoQuestion { .. } => "no question",
        other => panic!("{other:?}"),
    }
}

fn describe_outcome(decided: Result<Thread, Refusal>) -> String {
    decided.map_or_else(|refusal| refusal_name(&refusal).to_owned(), |thread| describe_state(&thread.state))
}

#[test]
fn claims() {
    let check = |thread: &Thread, expected: &str| {
        let decided = claim_thread(thread, hold("v"), None, MessageId(9), NOW);
        assert_eq!(decided.is_ok(), is_claimable(thread, NOW), "{thread:?}");
        if let Ok(claimed) = &decided {
            assert_eq!((claimed.answered, claimed.shown, claimed.updated_at), (None, MessageId(9), NOW));
        }
        assert_eq!(describe_outcome(decided), expected, "{thread:?}");
    };
    let expected = ["v/t-v for 8000", "claimed by w", "claimed by w", "closed", "closed", "closed"];
    for (state, expected) in every_state().into_iter().zip(expected) {
        check(&thread(state.clone()), expected);
        check(&owned(state), expected);
    }
    check(&thread(claimed(9_999)), "claimed by w");
    check(&thread(claimed(10_000)), "v/t-v for 8000");
    check(&owned(claimed(10_000)), "claimed by w");
    check(&owned(claimed(1_000_000)), "claimed by w");
    check(&Thread { withdrawn: true, ..owned(ThreadState::Queued) }, "withdrawn");
    let mut note = thread(ThreadState::Queued);
    note.head.kind = ThreadKind::Note;
    check(&note, "no work");
    let answered = AnsweredQuestion { question: MessageId(1), answer: MessageId(2) };
    check(&Thread { answered: Some(answered), ..thread(ThreadState::Queued) }, "v/t-v for 8000");

    let longer = claim_thread(&thread(ThreadState::Queued), hold("v"), Some(length(60)), MessageId(9), NOW);
    assert_eq!(describe_outcome(longer), "v/t-v for 60000");
}

#[test]
fn new_tokens() {
    let fresh = |name: &str| ThreadHold { holder: slug(name), token: token("t-new") };
    let check = |state: ThreadState, name: &str, expected: &str| {
        assert_eq!(
            describe_outcome(reissue_token(&thread(state.clone()), fresh(name), NOW)),
            expected,
            "{state:?} {name}"
        );
    };
    let expected = [
        "not claimed",
        "w/t-new for 8000",
        "w/t-new asks m-4 default never lease 20000",
        "closed",
        "closed",
        "closed",
    ];
    for (state, expected) in every_state().into_iter().zip(expected) {
        check(state, "w", expected);
    }
    check(claimed(9_999), "w", "w/t-new for 8000");
    check(claimed(0), "v", "claimed by w");
    check(blocked(None), "v", "claimed by w");
}

#[test]
fn only_the_live_token_writes() {
    let states = [
        ("queued", ThreadState::Queued, false),
        ("claimed", claimed(0), true),
        ("expired", claimed(8_000), true),
        ("lost but not declared", claimed(1_000_000), true),
        ("blocked", blocked(None), true),
        ("done", ThreadState::Done(closing()), false),
        ("failed", ThreadState::Failed(closing()), false),
        ("cancelled", ThreadState::Cancelled, false),
    ];
    for (name, state, live) in states {
        let thread = thread(state);
        assert_eq!(verify_token(&thread, &token("t-w")).is_ok(), live, "{name}");
        for wrong in ["t-v", "", "t-W"] {
            let refused = verify_token(&thread, &token(wrong)).unwrap_err();
            assert_eq!(refusal_name(&refused), "lease lost", "{name} {wrong}");
        }
    }
}

#[test]
fn renewals() {
    let check = |state: ThreadState, asked: Option<LeaseLength>, expected: &str| {
        assert_eq!(
            describe_outcome(renew_lease(&thread(state.clone()), &token("t-w"), asked, NOW)),
            expected,
            "{state:?}"
        );
    };
    let expected = [
        "lease lost",
        "w/t-w for 8000",
        "w/t-w asks m-4 default never lease 20000",
        "lease lost",
        "lease lost",
        "lease lost",
    ];
    for (state, expected) in every_state().into_iter().zip(expected) {
        check(state, None, expected);
    }
    check(claimed(1_000_000), None, "w/t-w for 8000");
    check(claimed(0), Some(length(60)), "w/t-w for 60000");
    check(blocked(None), Some(length(60)), "w/t-w asks m-4 default never lease 60000");
    let longer = ThreadState::Claimed { hold: hold("w"), lease: length(60).lease_from(Time(0)) };
    check(longer, None, "w/t-w for 60000");
}

#[test]
fn questions() {
    let plain = NewQuestion { text: "?", has_default: false, default_after: None };
    let with_default = NewQuestion { has_default: true, ..plain };
    let check = |thread: &Thread, question: NewQuestion<'_>, last: Option<&str>, expected: &str| {
        let got = match ask_question(thread, &token("t-w"), question, last, NOW) {
            Ok(AskDecision::Block(blocking)) => describe_state(&blocking.into_thread(MessageId(8)).state),
            Ok(AskDecision::Attach(open)) => format!("attaches to {open}"),
            Ok(AskDecision::Answered(answered)) => format!("was answered by {}", answered.answer),
            Err(refusal) => refusal_name(&refusal).to_owned(),
        };
        assert_eq!(got, expected, "{thread:?} {last:?}");
    };
    let expected = [
        "lease lost",
        "w/t-w asks m-8 default never lease 8000",
        "question open",
        "lease lost",
        "lease lost",
        "lease lost",
    ];
    for (state, expected) in every_state().into_iter().zip(expected) {
        check(&thread(state), plain, Some("another"), expected);
    }
    check(&thread(blocked(None)), plain, Some("?"), "attaches to m-4");
    let answered = AnsweredQuestion { question: MessageId(4), answer: MessageId(6) };
    let after = Thread { answered: Some(answered), ..thread(claimed(0)) };
    check(&after, plain, Some("?"), "was answered by m-6");
    check(&after, plain, Some("another"), "w/t-w asks m-8 default never lease 8000");
    check(&thread(claimed(0)), plain, Some("?"), "w/t-w asks m-8 default never lease 8000");

    let mut answers_itself = thread(claimed(0));
    answers_itself.head.answer_after = Some(TimeSpan::from_seconds(30));
    check(&answers_itself, plain, None, "w/t-w asks m-8 default never lease 8000");
    check(&answers_itself, with_default, None, "w/t-w asks m-8 default 30000 lease 8000");
    check(&thread(claimed(0)), with_default, None, "w/t-w asks m-8 default never lease 8000");
    let sooner = NewQuestion { default_after: Some(TimeSpan::from_seconds(5)), ..with_default };
    check(&answers_itself, sooner, None, "w/t-w asks m-8 default 5000 lease 8000");
}

#[test]
fn answers() {
    let expected = ["no question", "no question", "w/t-w for 20000", "closed", "closed", "closed"];
    for (state, expected) in every_state().into_iter().zip(expected) {
        let got = match answer_question(&thread(state.clone()), NOW) {
            Ok(answering) => {
                assert_eq!(answering.holder(), &slug("w"));
                let thread = answering.into_thread(MessageId(8));
                let answered = AnsweredQuestion { question: MessageId(4), answer: MessageId(8) };
                assert_eq!(thread.answered, Some(answered));
                describe_state(&thread.state)
            }
            Err(refusal) => refusal_name(&refusal).to_owned(),
        };
        assert_eq!(got, expected, "{state:?}");
    }
}

#[test]
fn defaults() {
    for (state, due) in [
        (ThreadState::Queued, false),
        (claimed(0), false),
        (blocked(None), false),
        (blocked(Some(Time(NOW.0 + 1))), false),
        (blocked(Some(NOW)), true),
        (blocked(Some(Time(0))), true),
        (ThreadState::Done(closing()), false),
        (ThreadState::Failed(closing()), false),
        (ThreadState::Cancelled, false),
    ] {
        assert_eq!(due_default(&thread(state.clone()), NOW).is_some(), due, "{state:?}");
    }
}

#[test]
fn closings() {
    let check = |state: &ThreadState, by: &str, ending: ThreadOutcome, expected: &str| {
        let got = match close_thread(&thread(state.clone()), &token(by), ending, NOW) {
            Ok(CloseDecision::Close(step)) => describe_state(&step.into_thread(MessageId(8)).state),
            Ok(CloseDecision::Repeat(message)) => format!("again {message}"),
            Err(refusal) => refusal_name(&refusal).to_owned(),
        };
        assert_eq!(got, expected, "{state:?} {by} {ending:?}");
    };
    let done = ["lease lost", "done by t-w m-8", "done by t-w m-8", "again m-5", "lease lost", "lease lost"];
    let failed =
        ["lease lost", "failed by t-w m-8", "failed by t-w m-8", "lease lost", "again m-5", "lease lost"];
    for (index, state) in every_state().iter().enumerate() {
        check(state, "t-w", ThreadOutcome::Done, done[index]);
        check(state, "t-w", ThreadOutcome::Failed, failed[index]);
        check(state, "t-v", ThreadOutcome::Done, "lease lost");
        check(state, "t-v", ThreadOutcome::Failed, "lease lost");
    }
    check(&claimed(1_000_000), "t-w", ThreadOutcome::Done, "done by t-w m-8");
}

#[test]
fn releases() {
    let expected = ["lease lost", "queued", "queued", "lease lost", "lease lost", "lease lost"];
    for (state, expected) in every_state().into_iter().zip(expected) {
        let answered = Some(AnsweredQuestion { question: MessageId(1), answer: MessageId(2) });
        let before = Thread { answered, releases: 4, ..thread(state) };
        let released = release_thread(&before, &token("t-w"), NOW);
        if let Ok(released) = &released {
            assert_eq!((released.releases, released.answered), (5, None));
        }
        assert_eq!(describe_outcome(released), expected, "{before:?}");
        assert_eq!(describe_outcome(release_thread(&before, &token("t-v"), NOW)), "lease lost");
    }
}

#[test]
fn cancels() {
    let expected = ["cancelled", "cancelled", "cancelled", "closed", "closed", "is so already"];
    for (state, expected) in every_state().into_iter().zip(expected) {
        let got = match cancel_thread(&thread(state.clone()), NOW) {
            Ok(Some(thread)) => describe_state(&thread.state),
            Ok(None) => "is so already".to_owned(),
            Err(refusal) => refusal_name(&refusal).to_owned(),
        };
        assert_eq!(got, expected, "{state:?}");
    }
}

#[test]
fn only_claimed_threads_have_a_running_lease() {
    for state in every_state() {
        let running = matches!(state, ThreadState::Claimed { .. });
        assert_eq!(running_lease(&thread(state)).is_some(), running);
    }
}
