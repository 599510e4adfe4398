//! Attempts.

use orch_core::attempt::{Attempt, AttemptState, AttemptText};
use orch_core::id::{AttemptId, MessageId, TaskId};
use orch_core::task::{ChecksStatus, LastAttempt, Task, TaskState};
use orch_core::time::{Time, TimeSpan};
use orch_store::Store;
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
    lists_of_runs(&mut store, &task);
}

/// Attempts of whole runs, and of all of them.
fn lists_of_runs(store: &mut Store, first: &Task) {
    let (second, other) = write_store(store, |tx| {
        let second = new_task(tx, first.run, "b")?;
        let run = new_run(tx, "other")?.id;
        let other = new_task(tx, run, "c")?;
        for made in [&other, &second] {
            let thread = new_thread(tx, "crew", 2)?;
            let id = attempt::next_id(tx)?;
            attempt::insert(tx, attempt_row(id, made, 1, thread.id), NOW)?;
        }
        Ok((second, other))
    });
    let names =
        |attempts: Vec<Attempt>| attempts.iter().map(|attempt| attempt.name.to_string()).collect::<Vec<_>>();
    let live =
        |store: &mut Store, limit| names(read_store(store, |tx| attempt::list_live_of_all_runs(tx, limit)));
    assert_eq!(live(store, 9), ["r/a@2", "other/c@1", "r/b@1"], "oldest first");
    assert_eq!(live(store, 1), ["r/a@2"]);
    let of_run = |store: &mut Store, run, after, limit| {
        let (found, total) = read_store(store, |tx| attempt::list_by_run(tx, run, after, limit));
        (names(found), total)
    };
    let text = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let begin = (TaskId(0), 0);
    assert_eq!(of_run(store, first.run, begin, 9), (text(&["r/a@1", "r/a@2", "r/b@1"]), 3));
    assert_eq!(of_run(store, first.run, (first.id, 1), 1), (text(&["r/a@2"]), 3));
    assert_eq!(of_run(store, first.run, (second.id, 1), 9), (text(&[]), 3));
    assert_eq!(of_run(store, other.run, begin, 9), (text(&["other/c@1"]), 1));
}
