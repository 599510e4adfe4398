//! Threads.

use orch_core::id::{AttemptId, MessageId, RunId, TaskId, ThreadId};
use orch_core::lease::{LeaseLength, TokenDigest};
use orch_core::store_clock::ClockReading;
use orch_core::task::{LastAttempt, Task, TaskState};
use orch_core::thread::{
    AnsweredQuestion, AttemptReference, ClosingRecord, OpenQuestion, Thread, ThreadHold, ThreadState,
    ThreadStatus,
};
use orch_core::time::{Time, TimeSpan};
use orch_store::Store;
use orch_store::table::{agent, attempt, message, task, thread};

use crate::StoreOpener;
use crate::fixture::{
    NOW, attempt_row, new_run, new_task, new_thread, read_store, test_slug, thread_head, write_store,
};

pub(crate) fn check_conformance(open: StoreOpener<'_>) {
    let mut store = open();
    assert_eq!(read_store(&mut store, thread::newest_id), ThreadId(0));
    every_state_is_kept(&mut store);
    queues(&mut store);
    dirty_marks_and_timers(&mut store);
    lists(&mut store);
    threads_of_a_run(&mut store);
    what_a_run_waits_for(&mut store);
    let last = write_store(&mut store, |tx| new_thread(tx, "w", 2)).id;
    assert_eq!(read_store(&mut store, thread::newest_id), last);
}

fn test_hold(name: &str) -> ThreadHold {
    ThreadHold { holder: test_slug(name), token: TokenDigest(format!("digest of {name}")) }
}

/// A lease of 8 seconds from a time on: it expires after 8 and is lost after 10.
pub(crate) fn claimed_state(name: &str, from: Time) -> ThreadState {
    let length = LeaseLength::new(TimeSpan::from_seconds(8)).unwrap();
    ThreadState::Claimed { hold: test_hold(name), lease: length.lease_from(from) }
}

fn blocked_state(name: &str, default_at: Option<Time>) -> ThreadState {
    let question = OpenQuestion { message: MessageId(4), default_at };
    let length = LeaseLength::new(TimeSpan::from_seconds(20)).unwrap();
    ThreadState::Blocked { hold: test_hold(name), question, length }
}

fn set_state(store: &mut Store, thread: &Thread, state: ThreadState) -> Thread {
    let changed = Thread { state, ..thread.clone() };
    write_store(store, |tx| thread::save(tx, &changed, false));
    changed
}

fn every_state_is_kept(store: &mut Store) {
    let reference = AttemptReference { run: RunId(1), task: TaskId(2), attempt: AttemptId(3) };
    let sent = write_store(store, |tx| thread::insert(tx, thread_head("crew", 1, Some(reference)), NOW));
    assert_eq!(read_store(store, |tx| thread::load(tx, sent.id)), Some(sent.clone()));
    assert_eq!(read_store(store, |tx| thread::load(tx, ThreadId(99))), None);
    write_store(store, |tx| thread::readdress_queued(tx, sent.id, &test_slug("ana")));
    assert_eq!(read_store(store, |tx| thread::load(tx, sent.id)).unwrap().head.to, test_slug("ana"));
    write_store(store, |tx| thread::readdress_queued(tx, sent.id, &test_slug("crew")));
    let closing = || ClosingRecord { token: TokenDigest("d".to_owned()), message: MessageId(9) };
    let states = [
        claimed_state("w", NOW),
        blocked_state("w", None),
        blocked_state("w", Some(Time(7))),
        ThreadState::Queued,
        ThreadState::Done(closing()),
        ThreadState::Failed(closing()),
        ThreadState::Cancelled,
    ];
    for state in states {
        let answered = AnsweredQuestion { question: MessageId(1), answer: MessageId(2) };
        let changed = Thread {
            state,
            withdrawn: true,
            answered: Some(answered),
            releases: 5,
            shown: MessageId(6),
            message_count: 7,
            updated_at: Time(8),
            ..sent.clone()
        };
        write_store(store, |tx| thread::save(tx, &changed, false));
        assert_eq!(read_store(store, |tx| thread::load(tx, sent.id)), Some(changed));
    }
}

fn queues(store: &mut Store) {
    let most_urgent = |store: &mut Store, queue: &str, now| {
        let queue = test_slug(queue);
        let reading = ClockReading { wall: Time(now), boot: None };
        read_store(store, |tx| thread::find_claimable(tx, &queue, &test_slug("w"), &reading))
            .map(|candidate| candidate.thread.id)
    };
    assert_eq!(most_urgent(store, "q", 0), None);
    let [late, early, urgent] =
        [2, 2, 0].map(|priority| write_store(store, |tx| new_thread(tx, "q", priority)));
    write_store(store, |tx| new_thread(tx, "another", 0));
    assert_eq!(most_urgent(store, "q", 0), Some(urgent.id));
    set_state(store, &urgent, claimed_state("w", NOW));
    let queued =
        |store: &mut Store, queue: &str| read_store(store, |tx| thread::find_queued(tx, &test_slug(queue)));
    assert_eq!(
        queued(store, "q"),
        Some(late.clone()),
        "what is claimed is not queued, not even when it lapsed"
    );
    assert_eq!(queued(store, "no-queue"), None);
    assert_eq!(most_urgent(store, "q", 0), Some(late.id), "then the oldest");
    assert_eq!(read_store(store, |tx| thread::queue_length(tx, &test_slug("q"))), 2);
    assert_eq!(read_store(store, |tx| thread::count_held(tx, &test_slug("w"))), 1);
    assert_eq!(
        read_store(store, |tx| thread::next_lease_loss(tx, &test_slug("q"))),
        Some(Time(NOW.0 + 10_000))
    );
    assert_eq!(most_urgent(store, "q", NOW.0 + 9_999), Some(late.id));
    assert_eq!(
        most_urgent(store, "q", NOW.0 + 10_000),
        Some(urgent.id),
        "a lapsed thread is claimable again"
    );
    let withdrawn = Thread { withdrawn: true, ..late.clone() };
    write_store(store, |tx| thread::save(tx, &withdrawn, false));
    assert_eq!(most_urgent(store, "q", 0), Some(early.id));
    assert_eq!(read_store(store, |tx| thread::queue_length(tx, &test_slug("q"))), 1);
    // A thread that is offered to others is no longer in the queue, and one that is claimed stays.
    for id in [early.id, urgent.id] {
        write_store(store, |tx| thread::readdress_queued(tx, id, &test_slug("others")));
    }
    assert_eq!(most_urgent(store, "q", 0), None);
    assert_eq!(most_urgent(store, "others", i64::MAX), Some(early.id));
    for thread in [&late, &early, &urgent] {
        set_state(store, thread, ThreadState::Cancelled);
    }
    assert_eq!(most_urgent(store, "q", i64::MAX), None);
    assert_eq!(read_store(store, |tx| thread::next_lease_loss(tx, &test_slug("q"))), None);
}

fn dirty_marks_and_timers(store: &mut Store) {
    let news = |store: &mut Store, now| {
        let found = read_store(store, thread::load_timers).pending(Time(now));
        (found.threads, found.lapsed, found.defaults)
    };
    assert_eq!(news(store, i64::MAX), (false, false, false));
    assert_eq!(read_store(store, thread::next_timer), None);
    let reference = AttemptReference { run: RunId(8), task: TaskId(8), attempt: AttemptId(8) };
    let owned = write_store(store, |tx| thread::insert(tx, thread_head("o", 2, Some(reference)), NOW));
    let plain = write_store(store, |tx| new_thread(tx, "o", 2));
    set_state(store, &plain, claimed_state("v", Time(0)));
    let owned = set_state(store, &owned, claimed_state("w", NOW));
    let lost_at = NOW.0 + 10_000;
    assert_eq!(news(store, lost_at - 1), (false, false, false));
    assert_eq!(news(store, lost_at), (false, true, false));
    let lapsed = read_store(store, |tx| thread::list_owned_lapsed(tx, Time(lost_at)));
    assert_eq!(
        lapsed.iter().map(|thread| thread.id).collect::<Vec<_>>(),
        [owned.id],
        "plain work is not orch's"
    );
    assert_eq!(read_store(store, thread::next_timer), Some(Time(lost_at)));
    assert_eq!(read_store(store, thread::next_default_time), None);

    set_state(store, &plain, blocked_state("v", Some(Time(500))));
    assert_eq!(news(store, 499), (false, false, false));
    assert_eq!(news(store, 500), (false, false, true));
    let due = read_store(store, |tx| thread::list_due_defaults(tx, Time(500)));
    assert_eq!(due.iter().map(|thread| thread.id).collect::<Vec<_>>(), [plain.id]);
    assert_eq!(read_store(store, thread::next_timer), Some(Time(500)));
    assert_eq!(read_store(store, thread::next_default_time), Some(Time(500)));
    set_state(store, &plain, ThreadState::Cancelled);

    write_store(store, |tx| thread::save(tx, &owned, true));
    assert_eq!(news(store, 0), (true, false, false));
    write_store(store, |tx| thread::save(tx, &owned, false));
    let unseen = read_store(store, thread::list_dirty);
    assert_eq!(
        unseen.iter().map(|thread| thread.id).collect::<Vec<_>>(),
        [owned.id],
        "only a look takes it away"
    );
    write_store(store, |tx| thread::clear_dirty(tx, owned.id));
    assert_eq!(news(store, 0), (false, false, false));
    set_state(store, &owned, ThreadState::Cancelled);
}

fn lists(store: &mut Store) {
    let sent = [3, 1, 1].map(|priority| write_store(store, |tx| new_thread(tx, "reader", priority)).id);
    let held = write_store(store, |tx| new_thread(tx, "queue", 2));
    set_state(store, &held, claimed_state("reader", NOW));
    let reader = test_slug("reader");
    let all =
        thread::ThreadFilter { agent: Some(&reader), state: None, unread_after: None, after: None, limit: 9 };
    let list = |store: &mut Store, search: thread::ThreadFilter<'_>| {
        let (found, total) = read_store(store, |tx| thread::list(tx, &search));
        (found.iter().map(|thread| thread.id).collect::<Vec<_>>(), total)
    };
    assert_eq!(list(store, all), (vec![sent[1], sent[2], held.id, sent[0]], 4), "most urgent, then oldest");
    let first = list(store, thread::ThreadFilter { limit: 1, ..all }).0[0];
    let first = read_store(store, |tx| thread::load(tx, first)).unwrap();
    let after = Some(thread::list_position(&first));
    assert_eq!(list(store, thread::ThreadFilter { after, limit: 2, ..all }), (vec![sent[2], held.id], 4));
    write_store(store, |tx| thread::acknowledge_through(tx, held.id, MessageId(7)));
    write_store(store, |tx| thread::acknowledge_through(tx, held.id, MessageId(3)));
    assert_eq!(read_store(store, |tx| thread::load(tx, held.id)).unwrap().shown, MessageId(7));
    write_store(store, |tx| thread::change_queued_priority(tx, AttemptId(1), 0));
    let queued = thread::ThreadFilter { state: Some(ThreadStatus::Claimed), ..all };
    assert_eq!(list(store, queued), (vec![held.id], 1));
    let draft = orch_core::message::MessageDraft {
        from: test_slug("lead"),
        to: reader.clone(),
        kind: orch_core::message::MessageKind::Note,
        body: String::new(),
        extra: orch_core::message::MessageExtras::default(),
    };
    let note = write_store(store, |tx| message::insert(tx, sent[0], draft.clone(), NOW)).id;
    let unread = thread::ThreadFilter { unread_after: Some(MessageId(0)), ..all };
    assert_eq!(list(store, unread), (vec![sent[0]], 1));
    assert_eq!(list(store, thread::ThreadFilter { unread_after: Some(note), ..all }), (vec![], 0));
    let everybody = thread::ThreadFilter { agent: None, state: Some(ThreadStatus::Queued), ..all };
    assert_eq!(list(store, everybody).1, 4, "with the one of another queue");
}

fn threads_of_a_run(store: &mut Store) {
    let (run, queued) = write_store(store, |tx| {
        let run = new_run(tx, "of-threads")?;
        let mut queued = None;
        for (key, state) in [("a", TaskState::Dispatched), ("b", TaskState::Running)] {
            let task = new_task(tx, run.id, key)?;
            let id = attempt::next_id(tx)?;
            let reference = AttemptReference { run: run.id, task: task.id, attempt: id };
            let thread = thread::insert(tx, thread_head("w", 2, Some(reference)), NOW)?;
            attempt::insert(tx, attempt_row(id, &task, 1, thread.id), NOW)?;
            let attempt = Some(LastAttempt { id, number: 1 });
            task::save(tx, &Task { state, attempt, ..task })?;
            queued = queued.or(Some(thread.id));
        }
        Ok((run.id, queued))
    });
    let found = read_store(store, |tx| thread::list_queued_by_run(tx, run));
    assert_eq!(found.iter().map(|thread| thread.id).collect::<Vec<_>>(), Vec::from_iter(queued));
    assert_eq!(read_store(store, |tx| thread::list_queued_by_run(tx, RunId(77))), []);
}

/// Open questions, and work for names that were never seen.
fn what_a_run_waits_for(store: &mut Store) {
    let (run, threads) = write_store(store, |tx| {
        let run = new_run(tx, "waited-for")?.id;
        let mut threads = Vec::new();
        for (key, to) in [("a", "seen"), ("b", "never"), ("c", "never"), ("d", "asks"), ("e", "asks")] {
            let task = new_task(tx, run, key)?;
            let reference = AttemptReference { run, task: task.id, attempt: attempt::next_id(tx)? };
            agent::register_name(tx, &test_slug(to), NOW)?;
            threads.push(thread::insert(tx, thread_head(to, 2, Some(reference)), NOW)?);
        }
        agent::record_sighting(tx, &test_slug("seen"), NOW)?;
        Ok((run, threads))
    });
    let task = |thread: &Thread| thread.head.reference.unwrap().task;
    let unseen =
        |store: &mut Store, limit| read_store(store, |tx| thread::list_queued_for_unseen(tx, run, limit));
    let all: Vec<TaskId> = threads[1..].iter().map(task).collect();
    assert_eq!(unseen(store, 9), all, "oldest first");
    assert_eq!(unseen(store, 1), all[..1]);
    assert_eq!(read_store(store, |tx| thread::count_queued_for_unseen(tx, run)), 4);
    assert_eq!(read_store(store, |tx| thread::count_queued_for_unseen(tx, RunId(77))), 0);

    let list_with_question = |store: &mut Store, limit| {
        let found = read_store(store, |tx| thread::list_with_question(tx, run, limit));
        found.iter().map(|thread| thread.id).collect::<Vec<_>>()
    };
    assert_eq!(list_with_question(store, 9), []);
    for (thread, question) in [(&threads[3], 8), (&threads[4], 7)] {
        let ThreadState::Blocked { hold, question: open, length } = blocked_state("asks", None) else {
            continue;
        };
        let question = OpenQuestion { message: MessageId(question), ..open };
        set_state(store, thread, ThreadState::Blocked { hold, question, length });
    }
    set_state(store, &threads[0], claimed_state("seen", NOW));
    assert_eq!(list_with_question(store, 9), [threads[4].id, threads[3].id], "the oldest question first");
    assert_eq!(list_with_question(store, 1), [threads[4].id]);
    assert_eq!(unseen(store, 9), all[..2], "what is held was seen");
}
