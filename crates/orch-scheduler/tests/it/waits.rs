//! Waiting: it wakes within milliseconds, misses nothing, and costs nothing meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use orch_core::event::AwaitedEvent;
use orch_core::id::{EventId, MessageId};
use orch_core::lease::LeaseLength;
use orch_core::refusal::Refusal;
use orch_core::run::Policy;
use orch_core::store_clock::BootTime;
use orch_core::time::{Time, TimeSpan};
use orch_inbox::clock::{Clock, SystemClock};
use orch_inbox::wake::{PollOutcome, wait_until};
use orch_inbox::{Error, Response, Session, WaitTarget};
use orch_inbox::{ask, claim, wait as inbox_wait};
use orch_query::{events as history, wait as orch_wait};
use orch_scheduler::ack::{self, EventAckRequest};
use orch_scheduler::run::RunAction;
use orch_store::TxEnd;
use orch_store::driver::WriteDurability;
use orch_testkit::test_session::{default_policy, parse_slug};
use orch_testkit::{FakeClock, TestSession, TestStore};

/// A waiter looks at the clock with every look at the store; this counts.
struct CountingClock {
    clock: FakeClock,
    looks: Arc<AtomicU64>,
}

impl Clock for CountingClock {
    fn now(&self) -> Time {
        self.looks.fetch_add(1, Ordering::Relaxed);
        self.clock.now()
    }

    fn boot_time(&self) -> Option<BootTime> {
        self.clock.boot_time()
    }
}

/// A session that counts its looks.
fn counting_session(place: &TestStore) -> (Session, Arc<AtomicU64>) {
    let looks = Arc::new(AtomicU64::new(0));
    let clock = CountingClock { clock: place.clock().clone(), looks: Arc::clone(&looks) };
    (place.open_session().with_clock(Box::new(clock)), looks)
}

/// More looks than this in half a second are a waiter that does not sleep.
const LOOKS_MAX: u64 = 40;

/// Sooner than a waiter looks by itself: it was woken.
const WOKEN: Duration = Duration::from_millis(700);

fn half_a_second() -> TimeSpan {
    TimeSpan(500)
}

/// Longer than any test should take.
fn long_timeout() -> TimeSpan {
    TimeSpan::from_seconds(60)
}

fn message_wait_request(agent: &str, timeout: TimeSpan) -> inbox_wait::MessageWaitRequest {
    inbox_wait::MessageWaitRequest {
        agent: parse_slug(agent),
        thread: None,
        kind: None,
        after: None,
        timeout,
        limit: 10,
    }
}

fn waiting_claim_request(worker: &str, timeout: TimeSpan) -> claim::ClaimRequest {
    claim::ClaimRequest {
        queue: None,
        holder: parse_slug(worker),
        thread: None,
        lease: None,
        wait: Some(timeout),
        again: false,
    }
}

fn one_second() -> LeaseLength {
    LeaseLength::new(TimeSpan::from_seconds(1)).unwrap()
}

#[test]
fn a_lost_lease_that_only_a_lead_can_declare_keeps_no_waiter_awake() {
    let mut desk = TestSession::with_tasks(&["a"]);
    desk.start_task("a", "w").unwrap();
    desk.clock().advance(TimeSpan::from_hours(1));
    let (mut session, looks) = counting_session(&desk.place);
    let waited = inbox_wait::wait_for_messages(&mut session, &message_wait_request("other", half_a_second()));
    assert!(matches!(waited, Err(Error::TimedOut(_))));
    assert!(looks.load(Ordering::Relaxed) < LOOKS_MAX, "{looks:?}");
}

#[test]
fn a_waiter_whose_writes_are_rolled_back_does_not_wake_itself() {
    let desk = TestSession::with_tasks(&["a"]);
    let (mut session, looks) = counting_session(&desk.place);
    let waited: Option<()> = wait_until(&mut session, half_a_second(), |session| {
        session.write(WriteDurability::Power, |_, _| Ok(TxEnd::Rollback(())))?;
        Ok(PollOutcome::NotYet(None))
    })
    .unwrap();
    assert_eq!(waited, None);
    assert!(looks.load(Ordering::Relaxed) < LOOKS_MAX, "{looks:?}");
}

#[test]
fn waiting_for_a_named_thread_sleeps_while_others_lapse() {
    let mut desk = TestSession::new();
    let day = LeaseLength::new(TimeSpan::from_hours(24)).unwrap();
    let wanted = desk.send_work("w", day).unwrap();
    desk.claim_work("w").unwrap();
    desk.send_work("w", LeaseLength::DEFAULT).unwrap();
    desk.claim_work("w").unwrap();
    desk.clock().advance(TimeSpan::from_hours(1));
    let (mut session, looks) = counting_session(&desk.place);
    let request = claim::ClaimRequest { thread: Some(wanted), ..waiting_claim_request("w", half_a_second()) };
    let waited = claim::claim_thread(&mut session, None, &request);
    assert!(matches!(waited, Err(Error::Refused(Refusal::InboxEmpty { .. }))), "{waited:?}");
    assert!(looks.load(Ordering::Relaxed) < LOOKS_MAX, "{looks:?}");
}

/// Waits in a thread of its own, then lets `act` commit something, and tells how long after that the wait was over.
fn woken_by<T: Send>(
    desk: &mut TestSession,
    waiting: impl FnOnce(&mut Session) -> T + Send,
    act: impl FnOnce(&mut TestSession),
) -> (T, Duration) {
    let place = desk.place.clone();
    std::thread::scope(|scope| {
        let mut session = place.open_session();
        let waiter = scope.spawn(move || {
            let found = waiting(&mut session);
            (found, Instant::now())
        });
        wait_for_wake_socket(&place);
        let began = Instant::now();
        act(desk);
        let (found, woke) = waiter.join().unwrap();
        (found, woke.saturating_duration_since(began))
    })
}

/// The waiter is about to block as soon as its socket exists.
fn wait_for_wake_socket(place: &TestStore) {
    let began = Instant::now();
    while std::fs::read_dir(place.folder().join("wake")).map_or(0, Iterator::count) == 0 {
        assert!(began.elapsed() < Duration::from_secs(10), "no process waits");
        std::thread::yield_now();
    }
}

#[test]
fn a_message_wakes_its_reader() {
    let mut desk = TestSession::new();
    let (found, after) = woken_by(
        &mut desk,
        |session| inbox_wait::wait_for_messages(session, &message_wait_request("w", long_timeout())),
        |desk| {
            desk.send_work("w", LeaseLength::DEFAULT).unwrap();
        },
    );
    assert_eq!(found.unwrap().messages.len(), 1);
    assert!(after < WOKEN, "{after:?}");
}

#[test]
fn new_work_wakes_who_waits_to_claim() {
    let mut desk = TestSession::new();
    let (found, after) = woken_by(
        &mut desk,
        |session| claim::claim_thread(session, None, &waiting_claim_request("w", long_timeout())),
        |desk| {
            desk.send_work("w", LeaseLength::DEFAULT).unwrap();
        },
    );
    assert!(matches!(found, Ok(Response::Fresh(_))), "{found:?}");
    assert!(after < WOKEN, "{after:?}");
}

#[test]
fn released_work_wakes_who_waits_for_that_thread() {
    let mut desk = TestSession::new();
    let thread = desk.send_work("w", LeaseLength::DEFAULT).unwrap();
    let held = desk.claim_work("w").unwrap();
    let request = claim::ClaimRequest { thread: Some(thread), ..waiting_claim_request("v", long_timeout()) };
    let (found, after) = woken_by(
        &mut desk,
        move |session| claim::claim_thread(session, None, &request),
        |desk| {
            desk.release_thread(&held).unwrap();
        },
    );
    assert!(matches!(found, Ok(Response::Fresh(_))), "{found:?}");
    assert!(after < WOKEN, "{after:?}");
}

#[test]
fn resuming_a_run_wakes_who_waits_to_claim() {
    let mut desk = TestSession::with_tasks(&["a"]);
    desk.dispatch_task("a", "w").unwrap();
    desk.change_run("r", RunAction::Pause).unwrap();
    let (found, after) = woken_by(
        &mut desk,
        |session| claim::claim_thread(session, None, &waiting_claim_request("w", long_timeout())),
        |desk| {
            desk.change_run("r", RunAction::Resume).unwrap();
        },
    );
    assert!(matches!(found, Ok(Response::Fresh(_))), "{found:?}");
    assert!(after < WOKEN, "{after:?}");
}

fn event_wait_request(wakes: &[AwaitedEvent], timeout: TimeSpan) -> orch_wait::EventWaitRequest {
    let wakes = wakes.to_vec();
    orch_wait::EventWaitRequest {
        agent: parse_slug("lead"),
        run: None,
        wakes,
        after: None,
        timeout,
        limit: 10,
    }
}

#[test]
fn a_question_wakes_the_lead_and_the_answer_the_worker() {
    let mut desk = TestSession::with_tasks(&["a"]);
    let held = desk.start_task("a", "w").unwrap();
    let (found, after) = woken_by(
        &mut desk,
        |session| {
            orch_wait::wait_for_events(session, &event_wait_request(&AwaitedEvent::DEFAULT, long_timeout()))
        },
        |desk| {
            desk.ask_question(&held, "Which one?").unwrap();
        },
    );
    let found = found.unwrap();
    assert_eq!(found.events.iter().map(|event| event.kind.name()).collect::<Vec<_>>(), ["question"]);
    assert!(after < WOKEN, "{after:?}");

    let request = ask::AskRequest {
        thread: held.thread,
        token: held.token.clone(),
        question: "Which one?".to_owned(),
        options: Vec::new(),
        default: None,
        default_after: None,
        wait: Some(long_timeout()),
    };
    let (found, after) = woken_by(
        &mut desk,
        move |session| ask::ask_question(session, None, &request),
        |desk| {
            desk.reply_to_thread(held.thread, "The left one.").unwrap();
        },
    );
    let Ok(Response::Fresh(asked)) = found else { panic!("{found:?}") };
    assert_eq!(asked.answer.unwrap().content.body, "The left one.");
    assert!(after < WOKEN, "{after:?}");
}

#[test]
fn an_answer_counts_even_if_the_next_question_followed_at_once() {
    let mut desk = TestSession::with_tasks(&["a"]);
    let held = desk.start_task("a", "w").unwrap();
    let request = ask::AskRequest {
        thread: held.thread,
        token: held.token.clone(),
        question: "Which one?".to_owned(),
        options: Vec::new(),
        default: None,
        default_after: None,
        wait: Some(long_timeout()),
    };
    // One transaction after the other, faster than the waiter may look.
    let (found, _) = woken_by(
        &mut desk,
        move |session| ask::ask_question(session, None, &request),
        |desk| {
            desk.reply_to_thread(held.thread, "The left one.").unwrap();
            desk.ask_question(&held, "And then?").unwrap();
        },
    );
    let Ok(Response::Fresh(asked)) = found else { panic!("{found:?}") };
    assert_eq!(asked.answer.unwrap().content.body, "The left one.");
}

/// A desk whose sessions run on the machine's clock.
fn session_on_real_clock(lines: &[&str], lease: LeaseLength) -> TestSession {
    let mut desk = TestSession::new();
    desk.session = real_clock_session(&desk.place);
    desk.make_run("r", Policy { lease, ..default_policy() }).unwrap();
    desk.add_tasks("r", lines);
    desk
}

fn real_clock_session(place: &TestStore) -> Session {
    place.open_session().with_clock(Box::new(SystemClock))
}

#[test]
fn a_lost_lease_ends_the_wait_for_it_by_itself() {
    let mut desk = session_on_real_clock(&["a"], one_second());
    desk.start_task("a", "w").unwrap();
    let found = orch_wait::wait_for_events(
        &mut desk.session,
        &event_wait_request(&[AwaitedEvent::Lost], long_timeout()),
    )
    .unwrap();
    assert_eq!(found.events[0].attempt.as_ref().unwrap().to_string(), "r/a@1");
    assert_eq!(desk.task_state("a").name(), "ready");
}

#[test]
fn a_clock_that_jumps_ends_a_wait_without_a_commit() {
    let mut desk = TestSession::with_tasks(&["a"]);
    desk.start_task("a", "w").unwrap();
    // The start has yet to be looked at; the waiter does so before it sleeps.
    let (found, _) = woken_by(
        &mut desk,
        |session| {
            orch_wait::wait_for_events(session, &event_wait_request(&[AwaitedEvent::Lost], long_timeout()))
        },
        |desk| desk.clock().advance(TimeSpan::from_hours(1)),
    );
    assert_eq!(found.unwrap().events[0].attempt.as_ref().unwrap().to_string(), "r/a@1");
}

#[test]
fn lost_plain_work_goes_to_who_waits_for_it() {
    let mut desk = session_on_real_clock(&[], one_second());
    let thread = desk.send_work("w", one_second()).unwrap();
    let first = desk.claim_work("w").unwrap();
    let second = claim::claim_thread(&mut desk.session, None, &waiting_claim_request("w", long_timeout()));
    let Ok(Response::Fresh(second)) = second else { panic!("{second:?}") };
    assert_eq!(second.thread.thread.id, thread);
    assert!(matches!(desk.close_done(&first), Err(Error::Refused(Refusal::LeaseLost { kept: Some(_), .. }))));
}

#[test]
fn a_default_answer_comes_in_time_without_anybody() {
    let mut desk = session_on_real_clock(&["a"], LeaseLength::DEFAULT);
    let held = desk.start_task("a", "w").unwrap();
    let request = ask::AskRequest {
        thread: held.thread,
        token: held.token,
        question: "Which one?".to_owned(),
        options: Vec::new(),
        default: Some("any".to_owned()),
        default_after: Some(TimeSpan(200)),
        wait: Some(long_timeout()),
    };
    let asked = ask::ask_question(&mut desk.session, None, &request);
    let Ok(Response::Fresh(asked)) = asked else { panic!("{asked:?}") };
    let answer = asked.answer.unwrap();
    assert_eq!((answer.content.from.as_str(), answer.content.body.as_str()), ("default", "any"));
}

#[test]
fn a_wait_that_times_out_tells_where_to_go_on() {
    let mut desk = TestSession::with_tasks(&["a"]);
    let timed_out = orch_wait::wait_for_events(
        &mut desk.session,
        &event_wait_request(&AwaitedEvent::DEFAULT, TimeSpan(1)),
    );
    assert!(matches!(timed_out, Err(Error::TimedOut(WaitTarget::Events(_)))), "{timed_out:?}");
    let timed_out = inbox_wait::wait_for_messages(&mut desk.session, &message_wait_request("w", TimeSpan(1)));
    assert!(matches!(timed_out, Err(Error::TimedOut(WaitTarget::Messages(_)))), "{timed_out:?}");
    assert_eq!(std::fs::read_dir(desk.place.folder().join("wake")).unwrap().count(), 0, "sockets are left");
}

#[test]
fn a_wait_that_timed_out_goes_on_behind_all_it_looked_at() {
    let mut desk = TestSession::with_tasks(&["a", "b"]);
    let held = desk.start_task("a", "w").unwrap();
    desk.close_failed(&held, true).unwrap();
    let first = orch_wait::wait_for_events(
        &mut desk.session,
        &event_wait_request(&AwaitedEvent::DEFAULT, TimeSpan(1)),
    )
    .unwrap();
    // What was seen of this run alone is not seen again by a wait for all runs.
    let ack =
        EventAckRequest { agent: parse_slug("lead"), run: Some(parse_slug("r")), through: first.cursor };
    ack::acknowledge_events(&mut desk.session, None, &ack).unwrap();
    let timed_out = orch_wait::wait_for_events(
        &mut desk.session,
        &event_wait_request(&AwaitedEvent::DEFAULT, TimeSpan(1)),
    );
    let Err(Error::TimedOut(WaitTarget::Events(cursor))) = timed_out else { panic!("{timed_out:?}") };
    assert!(cursor >= first.cursor, "{cursor} {}", first.cursor);
    let again = orch_wait::EventWaitRequest {
        after: Some(cursor),
        ..event_wait_request(&AwaitedEvent::DEFAULT, TimeSpan(1))
    };
    let again = orch_wait::wait_for_events(&mut desk.session, &again);
    assert!(matches!(again, Err(Error::TimedOut(_))), "{again:?}");
}

#[test]
fn nothing_begins_beyond_what_there_is() {
    let mut desk = TestSession::with_tasks(&["a"]);
    let beyond = Some(EventId(9_999));
    let waited = orch_wait::EventWaitRequest {
        after: beyond,
        ..event_wait_request(&AwaitedEvent::DEFAULT, long_timeout())
    };
    let waited = orch_wait::wait_for_events(&mut desk.session, &waited).map(drop);
    let listed = history::EventsRequest { run: None, task: None, after: beyond, limit: 10 };
    let followed = history::follow_events(&mut desk.session, &listed, long_timeout()).map(drop);
    let listed = history::list_events(&mut desk.session, &listed).map(drop);
    let read = inbox_wait::MessageWaitRequest {
        after: Some(MessageId(9_999)),
        ..message_wait_request("w", long_timeout())
    };
    let read = inbox_wait::wait_for_messages(&mut desk.session, &read).map(drop);
    for outcome in [waited, followed, listed, read] {
        let refused = matches!(&outcome, Err(Error::Refused(Refusal::Invalid { argument: "--after", .. })));
        assert!(refused, "{outcome:?}");
    }
}
