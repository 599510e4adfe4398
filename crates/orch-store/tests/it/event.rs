//! The history.

use orch_core::event::{ActingProcess, EventAuthor, EventKind, EventSubject, NewEvent};
use orch_core::id::{EventId, RunId};
use orch_core::time::Time;
use orch_store::Store;
use orch_store::table::{attempt, event};

use crate::StoreOpener;
use crate::fixture::{attempt_row, new_run, new_task, new_thread, read_store, test_slug, write_store};

fn append_event(store: &mut Store, kind: EventKind, about: EventSubject, at: i64) {
    let told = NewEvent { kind, about, agent: None, by: None, data: Vec::new() };
    write_store(store, |tx| event::insert(tx, &told, Time(at)));
}

pub(crate) fn check_conformance(open: StoreOpener<'_>) {
    let mut store = open();
    assert_eq!(read_store(&mut store, event::newest_id), EventId(0));
    names_and_data(&mut store);
    lists(&mut store);
    pairs(&mut store);
}

fn pairs(store: &mut Store) {
    let newest = read_store(store, event::newest_id);
    let new = |kind| NewEvent {
        kind,
        about: EventSubject::of_run(RunId(1)),
        agent: None,
        by: None,
        data: vec![("number", 1_u32.into())],
    };
    let (first, second) = (new(EventKind::Sent), new(EventKind::Prepared));
    write_store(store, |tx| event::insert_pair(tx, &first, &second, Time(9)));
    let found = read_store(store, |tx| event::list_by_run(tx, RunId(1), newest, 10));
    let kinds: Vec<EventKind> = found.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::Sent, EventKind::Prepared]);
    assert_eq!((found[1].at, found[1].data.as_str()), (Time(9), r#"{"number":1}"#));
}

fn names_and_data(store: &mut Store) {
    let about = write_store(store, |tx| {
        let run = new_run(tx, "r")?;
        let task = new_task(tx, run.id, "a")?;
        let thread = new_thread(tx, "w", 2)?;
        let id = attempt::next_id(tx)?;
        let attempt = attempt::insert(tx, attempt_row(id, &task, 1, thread.id), Time(1))?;
        Ok(EventSubject {
            run: Some(run.id),
            task: Some(task.id),
            attempt: Some(attempt.id),
            thread: Some(thread.id),
        })
    });
    let told = NewEvent {
        kind: EventKind::Failed,
        about,
        agent: Some(test_slug("w")),
        by: Some(test_slug("lead")),
        data: vec![("to", "ready".into()), ("tries_left", 2_u32.into()), ("again", true.into())],
    };
    let process = || ActingProcess { user: Some("ada".to_owned()), host: Some("box".to_owned()) };
    store.set_acting_process(process);
    write_store(store, |tx| event::insert(tx, &told, Time(7)));
    let found = read_store(store, |tx| event::list_by_run(tx, RunId(1), EventId(0), 10)).remove(0);
    assert_eq!((found.id, found.at, found.kind), (EventId(1), Time(7), EventKind::Failed));
    assert_eq!(found.attempt.unwrap().to_string(), "r/a@1");
    assert_eq!((found.thread, found.agent), (about.thread, Some(test_slug("w"))));
    assert_eq!(found.by, EventAuthor { agent: Some(test_slug("lead")), process: process() });
    let data: serde_json::Value = serde_json::from_str(&found.data).unwrap();
    assert_eq!(data, serde_json::json!({ "to": "ready", "tries_left": 2, "again": true }));
}

fn lists(store: &mut Store) {
    let second = write_store(store, |tx| new_run(tx, "second")).id;
    let of = |run| EventSubject { run, ..EventSubject::default() };
    for (kind, run) in [
        (EventKind::Question, Some(RunId(1))),
        (EventKind::Running, Some(RunId(1))),
        (EventKind::Finished, Some(RunId(1))),
        (EventKind::Question, Some(second)),
        (EventKind::Sent, None),
        (EventKind::RunCancelled, Some(second)),
    ] {
        append_event(store, kind, of(run), 8);
    }
    assert_eq!(read_store(store, event::newest_id), EventId(7));
    let ids =
        |events: Vec<orch_core::event::Event>| events.iter().map(|event| event.id.0).collect::<Vec<_>>();
    let first = RunId(1);
    assert_eq!(ids(read_store(store, |tx| event::list_by_run(tx, first, EventId(1), 2))), [2, 3]);
    assert_eq!(read_store(store, |tx| event::count_of_run(tx, first, EventId(1))), 3);
    assert_eq!(ids(read_store(store, |tx| event::list_without_run(tx, EventId(0), 9))), [6]);
    assert_eq!(read_store(store, |tx| event::count_of_no_run(tx, EventId(6))), 0);
    let task = orch_core::id::TaskId(1);
    assert_eq!(ids(read_store(store, |tx| event::list_by_task(tx, task, EventId(0), 9))), [1]);
    assert_eq!(ids(read_store(store, |tx| event::list_newest_by_run(tx, first, 2))), [4, 3]);
    assert_eq!(ids(read_store(store, |tx| event::list_newest_without_run(tx, 9))), [6]);
    assert_eq!(ids(read_store(store, |tx| event::list_newest_by_task(tx, task, 9))), [1]);
    assert_eq!(read_store(store, |tx| event::count_of_task(tx, task, EventId(0))), 1);
    assert_eq!(ids(read_store(store, |tx| event::list_judgements(tx, task))), [0; 0], "no judgement yet");

    let listed = |store: &mut Store, kind| {
        ids(read_store(store, |tx| event::list_reported(tx, first, kind, EventId(0), 9)))
    };
    let counted =
        |store: &mut Store, kind| read_store(store, |tx| event::count_reported(tx, first, kind, EventId(0)));
    assert_eq!((listed(store, EventKind::Question), counted(store, EventKind::Question)), (vec![2], 1));
    assert_eq!((listed(store, EventKind::Landed), counted(store, EventKind::Landed)), (vec![], 0));
    let none = read_store(store, |tx| {
        let task = orch_core::id::TaskName { run: test_slug("r"), key: test_slug("a") };
        event::after_question(tx, &task, EventId(0))
    });
    assert_eq!(none, None, "nothing was asked");

    append_event(store, EventKind::Question, of(Some(first)), 9);
    assert_eq!(
        ids(read_store(store, |tx| event::last_of_kind(tx, first, EventKind::Question))),
        [8, 2],
        "newest first"
    );
    assert_eq!(ids(read_store(store, |tx| event::last_of_kind(tx, second, EventKind::Question))), [5]);
    assert_eq!(ids(read_store(store, |tx| event::last_of_kind(tx, second, EventKind::Failed))), [0; 0]);

    let kinds = [EventKind::Finished, EventKind::Question, EventKind::Failed, EventKind::Question];
    assert_eq!(
        ids(read_store(store, |tx| event::list_of_kinds(tx, first, EventId(0), &kinds, 9))),
        [1, 2, 4, 8]
    );
    assert_eq!(ids(read_store(store, |tx| event::list_of_kinds(tx, first, EventId(1), &kinds, 1))), [2]);
    assert_eq!(
        ids(read_store(store, |tx| event::list_of_kinds(tx, second, EventId(0), &kinds[..1], 9))),
        [0; 0]
    );
    assert_eq!(ids(read_store(store, |tx| event::list_of_kinds(tx, second, EventId(0), &[], 9))), [0; 0]);
    assert_eq!(read_store(store, |tx| event::runs_ended_after(tx, EventId(0))), [first, second]);
    assert_eq!(read_store(store, |tx| event::runs_ended_after(tx, EventId(4))), [second]);
    assert_eq!(read_store(store, |tx| event::runs_ended_after(tx, EventId(7))), []);
    judgements(store, task, &of(Some(first)));
}

fn judgements(store: &mut Store, task: orch_core::id::TaskId, of: &EventSubject) {
    let ids =
        |events: Vec<orch_core::event::Event>| events.iter().map(|event| event.id.0).collect::<Vec<_>>();
    for (kind, at) in [(EventKind::Rejected, 10), (EventKind::Accepted, 11), (EventKind::Question, 12)] {
        append_event(store, kind, EventSubject { task: Some(task), ..*of }, at);
    }
    assert_eq!(ids(read_store(store, |tx| event::list_judgements(tx, task))), [10, 9], "newest first");
    assert_eq!(ids(read_store(store, |tx| event::list_reviews_of_task(tx, task))), [10]);
    assert_eq!(ids(read_store(store, |tx| event::list_reviews(tx, RunId(1)))), [0; 0], "nothing is reported");
}
