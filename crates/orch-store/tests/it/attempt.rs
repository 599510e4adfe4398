//! Attempts.

use orch_core::attempt::{Attempt, AttemptState, AttemptText};
use orch_core::id::{AttemptId, MessageId};
use orch_core::task::{ChecksStatus, LastAttempt, Task, TaskState};
use orch_core::time::{Time, TimeSpan};
use orch_store::table::{attempt, task};

use crate::StoreOpener;
use crate::fixture::{NOW, attempt_row, new_run, new_task, new_thread, read_store, test_slug, write_store};

pub(crate) fn check_conformance(open: StoreOpener<'_>) {
    let mut store = open();
    assert_eq!(read_store(&mut store, attempt::next_id), AttemptId(1));
    let (task, first) = write_store(&mut store, |tx| {
        let run = new_run(tx, "r")?;
        let task = new_task(tx, run.id, "a")?;
        let thread = new_thread(tx, "crew", 2)?;
        let id = attempt::next_id(tx)?;
        let first = attempt::insert(tx, attempt_row(id, &task, 1, thread.id), NOW)?;
        let thread = new_thread(tx, "crew", 2)?;
        let id = attempt::next_id(tx)?;
        attempt::insert(tx, attempt_row(id, &task, 2, thread.id), NOW)?;
        Ok((task, first))
    });
    assert_eq!(first.name.to_string(), "r/a@1");
    assert_eq!(read_store(&mut store, attempt::next_id), AttemptId(3));
    assert_eq!(read_store(&mut store, |tx| attempt::load(tx, first.id)), Some(first.clone()));
    assert_eq!(read_store(&mut store, |tx| attempt::load(tx, AttemptId(9))), None);

    let ended = Attempt {
        agent: test_slug("w"),
        state: AttemptState::Accepted,
        outcome: Some(MessageId(4)),
        reason: Some("It is done.".to_owned()),
        releases: 3,
        checks: ChecksStatus::Passed,
        ended_at: Some(Time(4_000)),
        ..first
    };
    write_store(&mut store, |tx| attempt::save(tx, &ended));
    assert_eq!(read_store(&mut store, |tx| attempt::load(tx, ended.id)), Some(ended.clone()));
    let numbers = |store: &mut _, limit| {
        let found = read_store(store, |tx| attempt::list_by_task(tx, task.id, limit));
        found.iter().map(|attempt| attempt.name.number).collect::<Vec<_>>()
    };
    assert_eq!(numbers(&mut store, 10), [2, 1], "newest first");
    assert_eq!(numbers(&mut store, 1), [2]);

    let live = read_store(&mut store, |tx| attempt::list_live(tx, task.run, 10));
    assert_eq!(
        live.iter().map(|attempt| attempt.name.number).collect::<Vec<_>>(),
        [2],
        "the first has ended"
    );
    let text = AttemptText {
        run_verify: vec!["make".to_owned()],
        task_verify: vec!["make test".to_owned(), "make lint".to_owned()],
        log_tail: None,
    };
    assert_eq!(read_store(&mut store, |tx| attempt::load_text(tx, ended.id)), AttemptText::default());
    write_store(&mut store, |tx| attempt::save_text(tx, ended.id, &text));
    let failed = AttemptText { log_tail: Some("1 failed".to_owned()), ..text };
    write_store(&mut store, |tx| attempt::save_text(tx, ended.id, &failed));
    assert_eq!(read_store(&mut store, |tx| attempt::load_text(tx, ended.id)), failed);

    assert_eq!(read_store(&mut store, |tx| attempt::recent_durations(tx, task.run)), [], "nothing is done");
    let done = Task {
        state: TaskState::Done,
        attempt: Some(LastAttempt { id: ended.id, number: 1 }),
        ..task.clone()
    };
    write_store(&mut store, |tx| task::save(tx, &done));
    assert_eq!(read_store(&mut store, |tx| attempt::recent_durations(tx, task.run)), [TimeSpan(3_000)]);
}
