//! Waiting: it wakes within milliseconds, misses nothing, and costs nothing meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use orch_core::event::Wake;
use orch_core::id::{EventId, MessageId};
use orch_core::lease::LeaseLength;
use orch_core::refusal::Refusal;
use orch_core::run::Policy;
use orch_core::time::{Span, Time};
use orch_inbox::clock::{Clock, SystemClock};
use orch_inbox::{Answer, Awaited, Error, Session};
use orch_inbox::{ask, claim, wait as inbox_wait};
use orch_scheduler::ack::{self, Ack};
use orch_scheduler::run::Verb;
use orch_scheduler::{events as history, wait as orch_wait};
use orch_testkit::desk::{policy, slug};
use orch_testkit::{Desk, FakeClock, Place};

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
}

/// A session that counts its looks.
fn counting(place: &Place) -> (Session, Arc<AtomicU64>) {
    let looks = Arc::new(AtomicU64::new(0));
    let clock = CountingClock { clock: place.clock().clone(), looks: Arc::clone(&looks) };
    (place.session().with_clock(Box::new(clock)), looks)
}

/// More looks than this in half a second are a waiter that does not sleep.
const LOOKS_MAX: u64 = 40;

/// Sooner than a waiter looks by itself: it was woken.
const WOKEN: Duration = Duration::from_millis(700);

fn half_a_second() -> Span {
    Span(500)
}

/// Longer than any test should take.
fn long() -> Span {
    Span::seconds(60)
}

fn messages_to(agent: &str, timeout: Span) -> inbox_wait::Wait {
    inbox_wait::Wait { agent: slug(agent), thread: None, kind: None, after: None, timeout, limit: 10 }
}

fn claim_waiting(worker: &str, timeout: Span) -> claim::Claim {
    claim::Claim {
        queue: None,
        holder: slug(worker),
        thread: None,
        lease: None,
        wait: Some(timeout),
        again: false,
    }
}

fn one_second() -> LeaseLength {
    LeaseLength::new(Span::seconds(1)).unwrap()
}

#[test]
fn a_lost_lease_that_only_a_lead_can_declare_keeps_no_waiter_awake() {
    let mut desk = Desk::with_tasks(&["a"]);
    desk.start("a", "w").unwrap();
    desk.clock().advance(Span::hours(1));
    let (mut session, looks) = counting(&desk.place);
    let waited = inbox_wait::wait(&mut session, &messages_to("other", half_a_second()));
    assert!(matches!(waited, Err(Error::TimedOut(_))));
    assert!(looks.load(Ordering::Relaxed) < LOOKS_MAX, "{looks:?}");
}

#[test]
fn waiting_for_a_named_thread_sleeps_while_others_lapse() {
    let mut desk = Desk::new();
    let day = LeaseLength::new(Span::hours(24)).unwrap();
    let wanted = desk.send("w", day).unwrap();
    desk.claim("w").unwrap();
    desk.send("w", LeaseLength::DEFAULT).unwrap();
    desk.claim("w").unwrap();
    desk.clock().advance(Span::hours(1));
    let (mut session, looks) = counting(&desk.place);
    let request = claim::Claim { thread: Some(wanted), ..claim_waiting("w", half_a_second()) };
    let waited = claim::claim(&mut session, None, &request);
    assert!(matches!(waited, Err(Error::Refused(Refusal::InboxEmpty { .. }))), "{waited:?}");
    assert!(looks.load(Ordering::Relaxed) < LOOKS_MAX, "{looks:?}");
}

/// Waits in a thread of its own, then lets `act` commit something, and tells how long after that the wait was over.
fn woken_by<T: Send>(
    desk: &mut Desk,
    waiting: impl FnOnce(&mut Session) -> T + Send,
    act: impl FnOnce(&mut Desk),
) -> (T, Duration) {
    let place = desk.place.clone();
    std::thread::scope(|scope| {
        let mut session = place.session();
        let waiter = scope.spawn(move || {
            let found = waiting(&mut session);
            (found, Instant::now())
        });
        await_a_socket(&place);
        let began = Instant::now();
        act(desk);
        let (found, woke) = waiter.join().unwrap();
        (found, woke.saturating_duration_since(began))
    })
}

/// The waiter is about to block as soon as its socket is there.
fn await_a_socket(place: &Place) {
    let began = Instant::now();
    while std::fs::read_dir(place.folder().join("wake")).map_or(0, Iterator::count) == 0 {
        assert!(began.elapsed() < Duration::from_secs(10), "nobody waits");
        std::thread::yield_now();
    }
}

#[test]
fn a_message_wakes_its_reader() {
    let mut desk = Desk::new();
    let (found, after) = woken_by(
        &mut desk,
        |session| inbox_wait::wait(session, &messages_to("w", long())),
        |desk| {
            desk.send("w", LeaseLength::DEFAULT).unwrap();
        },
    );
    assert_eq!(found.unwrap().messages.len(), 1);
    assert!(after < WOKEN, "{after:?}");
}

#[test]
fn new_work_wakes_who_waits_to_claim() {
    let mut desk = Desk::new();
    let (found, after) = woken_by(
        &mut desk,
        |session| claim::claim(session, None, &claim_waiting("w", long())),
        |desk| {
            desk.send("w", LeaseLength::DEFAULT).unwrap();
        },
    );
    assert!(matches!(found, Ok(Answer::Fresh(_))), "{found:?}");
    assert!(after < WOKEN, "{after:?}");
}

#[test]
fn released_work_wakes_who_waits_for_that_thread() {
    let mut desk = Desk::new();
    let thread = desk.send("w", LeaseLength::DEFAULT).unwrap();
    let held = desk.claim("w").unwrap();
    let request = claim::Claim { thread: Some(thread), ..claim_waiting("v", long()) };
    let (found, after) = woken_by(
        &mut desk,
        move |session| claim::claim(session, None, &request),
        |desk| {
            desk.release(&held).unwrap();
        },
    );
    assert!(matches!(found, Ok(Answer::Fresh(_))), "{found:?}");
    assert!(after < WOKEN, "{after:?}");
}

#[test]
fn resuming_a_run_wakes_who_waits_to_claim() {
    let mut desk = Desk::with_tasks(&["a"]);
    desk.dispatch("a", "w").unwrap();
    desk.change_run("r", Verb::Pause).unwrap();
    let (found, after) = woken_by(
        &mut desk,
        |session| claim::claim(session, None, &claim_waiting("w", long())),
        |desk| {
            desk.change_run("r", Verb::Resume).unwrap();
        },
    );
    assert!(matches!(found, Ok(Answer::Fresh(_))), "{found:?}");
    assert!(after < WOKEN, "{after:?}");
}

fn events(wakes: &[Wake], timeout: Span) -> orch_wait::Wait {
    let wakes = wakes.to_vec();
    orch_wait::Wait { agent: slug("lead"), run: None, wakes, after: None, timeout, limit: 10 }
}

#[test]
fn a_question_wakes_the_lead_and_the_answer_the_worker() {
    let mut desk = Desk::with_tasks(&["a"]);
    let held = desk.start("a", "w").unwrap();
    let (found, after) = woken_by(
        &mut desk,
        |session| orch_wait::wait(session, &events(&Wake::DEFAULT, long())),
        |desk| {
            desk.ask(&held, "Which one?").unwrap();
        },
    );
    let found = found.unwrap();
    assert_eq!(found.events.iter().map(|event| event.kind.name()).collect::<Vec<_>>(), ["question"]);
    assert!(after < WOKEN, "{after:?}");

    let request = ask::Ask {
        thread: held.thread,
        token: held.token.clone(),
        question: "Which one?".to_owned(),
        options: Vec::new(),
        default: None,
        default_after: None,
        wait: Some(long()),
    };
    let (found, after) = woken_by(
        &mut desk,
        move |session| ask::ask(session, None, &request),
        |desk| {
            desk.reply(held.thread, "The left one.").unwrap();
        },
    );
    let Ok(Answer::Fresh(asked)) = found else { panic!("{found:?}") };
    assert_eq!(asked.answer.unwrap().content.body, "The left one.");
    assert!(after < WOKEN, "{after:?}");
}

#[test]
fn an_answer_counts_even_if_the_next_question_followed_at_once() {
    let mut desk = Desk::with_tasks(&["a"]);
    let held = desk.start("a", "w").unwrap();
    let request = ask::Ask {
        thread: held.thread,
        token: held.token.clone(),
        question: "Which one?".to_owned(),
        options: Vec::new(),
        default: None,
        default_after: None,
        wait: Some(long()),
    };
    // One transaction after the other, faster than the waiter may look.
    let (found, _) = woken_by(
        &mut desk,
        move |session| ask::ask(session, None, &request),
        |desk| {
            desk.reply(held.thread, "The left one.").unwrap();
            desk.ask(&held, "And then?").unwrap();
        },
    );
    let Ok(Answer::Fresh(asked)) = found else { panic!("{found:?}") };
    assert_eq!(asked.answer.unwrap().content.body, "The left one.");
}

/// A desk whose sessions run on the machine's clock.
fn real_time(lines: &[&str], lease: LeaseLength) -> Desk {
    let mut desk = Desk::new();
    desk.session = real_session(&desk.place);
    desk.run("r", Policy { lease, ..policy() }).unwrap();
    desk.tasks("r", lines);
    desk
}

fn real_session(place: &Place) -> Session {
    place.session().with_clock(Box::new(SystemClock))
}

#[test]
fn a_lost_lease_ends_the_wait_for_it_by_itself() {
    let mut desk = real_time(&["a"], one_second());
    desk.start("a", "w").unwrap();
    let found = orch_wait::wait(&mut desk.session, &events(&[Wake::Lost], long())).unwrap();
    assert_eq!(found.events[0].attempt.as_ref().unwrap().to_string(), "r/a@1");
    assert_eq!(desk.state("a").name(), "ready");
}

#[test]
fn a_clock_that_jumps_ends_a_wait_without_a_commit() {
    let mut desk = Desk::with_tasks(&["a"]);
    desk.start("a", "w").unwrap();
    // The start has yet to be looked at; the waiter does so before it sleeps.
    let (found, _) = woken_by(
        &mut desk,
        |session| orch_wait::wait(session, &events(&[Wake::Lost], long())),
        |desk| desk.clock().advance(Span::hours(1)),
    );
    assert_eq!(found.unwrap().events[0].attempt.as_ref().unwrap().to_string(), "r/a@1");
}

#[test]
fn lost_plain_work_goes_to_who_waits_for_it() {
    let mut desk = real_time(&[], one_second());
    let thread = desk.send("w", one_second()).unwrap();
    let first = desk.claim("w").unwrap();
    let second = claim::claim(&mut desk.session, None, &claim_waiting("w", long()));
    let Ok(Answer::Fresh(second)) = second else { panic!("{second:?}") };
    assert_eq!(second.thread.thread.id, thread);
    assert!(matches!(desk.done(&first), Err(Error::Refused(Refusal::LeaseLost { kept: Some(_), .. }))));
}

#[test]
fn a_default_answer_comes_in_time_without_anybody() {
    let mut desk = real_time(&["a"], LeaseLength::DEFAULT);
    let held = desk.start("a", "w").unwrap();
    let request = ask::Ask {
        thread: held.thread,
        token: held.token,
        question: "Which one?".to_owned(),
        options: Vec::new(),
        default: Some("any".to_owned()),
        default_after: Some(Span(200)),
        wait: Some(long()),
    };
    let asked = ask::ask(&mut desk.session, None, &request);
    let Ok(Answer::Fresh(asked)) = asked else { panic!("{asked:?}") };
    let answer = asked.answer.unwrap();
    assert_eq!((answer.content.from.as_str(), answer.content.body.as_str()), ("default", "any"));
}

#[test]
fn a_wait_that_times_out_tells_where_to_go_on() {
    let mut desk = Desk::with_tasks(&["a"]);
    let timed_out = orch_wait::wait(&mut desk.session, &events(&Wake::DEFAULT, Span(1)));
    assert!(matches!(timed_out, Err(Error::TimedOut(Awaited::Events(_)))), "{timed_out:?}");
    let timed_out = inbox_wait::wait(&mut desk.session, &messages_to("w", Span(1)));
    assert!(matches!(timed_out, Err(Error::TimedOut(Awaited::Messages(_)))), "{timed_out:?}");
    assert_eq!(std::fs::read_dir(desk.place.folder().join("wake")).unwrap().count(), 0, "sockets are left");
}

#[test]
fn a_wait_that_timed_out_goes_on_behind_all_it_looked_at() {
    let mut desk = Desk::with_tasks(&["a", "b"]);
    let held = desk.start("a", "w").unwrap();
    desk.fail(&held, true).unwrap();
    let first = orch_wait::wait(&mut desk.session, &events(&Wake::DEFAULT, Span(1))).unwrap();
    // What was seen of this run alone is not seen again by a wait for all runs.
    let ack = Ack { agent: slug("lead"), run: Some(slug("r")), through: first.cursor };
    ack::ack(&mut desk.session, None, &ack).unwrap();
    let timed_out = orch_wait::wait(&mut desk.session, &events(&Wake::DEFAULT, Span(1)));
    let Err(Error::TimedOut(Awaited::Events(cursor))) = timed_out else { panic!("{timed_out:?}") };
    assert!(cursor >= first.cursor, "{cursor} {}", first.cursor);
    let again = orch_wait::Wait { after: Some(cursor), ..events(&Wake::DEFAULT, Span(1)) };
    let again = orch_wait::wait(&mut desk.session, &again);
    assert!(matches!(again, Err(Error::TimedOut(_))), "{again:?}");
}

#[test]
fn nothing_begins_beyond_what_there_is() {
    let mut desk = Desk::with_tasks(&["a"]);
    let beyond = Some(EventId(9_999));
    let waited = orch_wait::Wait { after: beyond, ..events(&Wake::DEFAULT, long()) };
    let waited = orch_wait::wait(&mut desk.session, &waited).map(drop);
    let listed = history::Events { run: None, task: None, after: beyond, limit: 10 };
    let followed = history::follow(&mut desk.session, &listed, long()).map(drop);
    let listed = history::events(&mut desk.session, &listed).map(drop);
    let read = inbox_wait::Wait { after: Some(MessageId(9_999)), ..messages_to("w", long()) };
    let read = inbox_wait::wait(&mut desk.session, &read).map(drop);
    for outcome in [waited, followed, listed, read] {
        let refused = matches!(&outcome, Err(Error::Refused(Refusal::Invalid { argument: "--after", .. })));
        assert!(refused, "{outcome:?}");
    }
}
