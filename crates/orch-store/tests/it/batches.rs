//! Rows that are loaded and written many at a time.

use orch_core::attempt::AttemptText;
use orch_core::id::{AttemptId, CommitHash, MessageId, TaskId, ThreadId};
use orch_core::message::{MessageDraft, MessageExtras, MessageKind};
use orch_core::task::{Task, TaskState, TaskText};
use orch_core::thread::Thread;
use orch_core::thread::condition::{ClosingSnapshot, TreeCondition};
use orch_core::time::Time;
use orch_core::worktree::{Worktree, WorktreeState};
use orch_store::table::{
    agent, attempt, dependency, message, task, thread, thread_condition, worker, worktree,
};
use orch_store::{Store, Transaction};

use crate::StoreOpener;
use crate::fixture::{
    NOW, attempt_row, new_run, new_task, new_thread, read_store, ready_task, test_slug, write_store,
};
use crate::thread::claimed_state;

pub(crate) fn check_conformance(open: StoreOpener<'_>) {
    let mut store = open();
    tasks(&mut store);
    attempts_and_threads(&mut store);
    loads_of_agents(&mut store);
}

fn tasks(store: &mut Store) {
    let (run, made) = write_store(store, |tx| {
        let run = new_run(tx, "r")?.id;
        let made = [("a", 3), ("b", 2), ("c", 1), ("d", 0)]
            .map(|(key, rank)| ready_task(tx, run, key, 2, rank, &[]));
        let [a, b, c, d] = made;
        Ok((run, [a?, b?, c?, d?]))
    });
    let [a, b, c, d] = &made;
    write_store(store, |tx| {
        dependency::insert_many(tx, b.id, &[a.id])?;
        dependency::insert_many(tx, c.id, &[a.id, b.id])?;
        dependency::insert_many(tx, d.id, &[c.id])?;
        for waiting in [b, c, d] {
            task::save(tx, &Task { state: TaskState::Waiting, unmet: 1, ..waiting.clone() })?;
        }
        task::save(tx, &Task { state: TaskState::Done, ..a.clone() })
    });
    assert_eq!(read_store(store, |tx| task::critical_path(tx, run, 9)), [], "nothing is ready or live");
    write_store(store, |tx| task::save(tx, &Task { state: TaskState::Running, ..a.clone() }));
    let path = read_store(store, |tx| task::critical_path(tx, run, 9));
    let path: Vec<_> = path.iter().map(|(key, rank)| (key.as_str(), *rank)).collect();
    assert_eq!(path, [("a", 3), ("b", 2), ("c", 1), ("d", 0)]);
    assert_eq!(read_store(store, |tx| task::critical_path(tx, run, 2)).len(), 2);

    let keys = |tasks: Vec<Task>| tasks.iter().map(|task| task.name.key.to_string()).collect::<Vec<_>>();
    let loaded = read_store(store, |tx| task::load_many(tx, &[c.id, a.id, TaskId(999)]));
    assert_eq!(keys(loaded), ["a", "c"]);
    assert_eq!(read_store(store, |tx| task::load_many(tx, &[])), []);
    let (known, unknown) = (test_slug("d"), test_slug("no"));
    assert_eq!(keys(read_store(store, |tx| task::load_by_keys(tx, run, &[&known, &unknown]))), ["d"]);
    let states = [TaskState::Waiting, TaskState::Running];
    assert_eq!(
        keys(read_store(store, |tx| task::list_in_states(tx, run, &states, TaskId(0), 2))),
        ["a", "b", "c"]
    );
    let all = TaskState::ALL;
    assert_eq!(keys(read_store(store, |tx| task::list_in_states(tx, run, &all, a.id, 9))), ["b", "c", "d"]);

    let waits = |rows: Vec<(TaskId, orch_core::id::Slug)>| {
        rows.iter().map(|(task, key)| (*task, key.to_string())).collect::<Vec<_>>()
    };
    let expected = [(b.id, "a".to_owned()), (c.id, "a".to_owned()), (c.id, "b".to_owned())];
    assert_eq!(waits(read_store(store, |tx| dependency::waits_for_many(tx, &[b.id, c.id]))), expected);
    write_store(store, |tx| task::save(tx, &Task { state: TaskState::Done, ..a.clone() }));
    assert_eq!(waits(read_store(store, |tx| dependency::waits_for_many(tx, &[b.id, c.id]))), expected[2..]);
    assert_eq!(waits(read_store(store, |tx| dependency::dependency_keys_many(tx, &[b.id, c.id]))), expected);

    let text = TaskText { spec: Some("All of it.".to_owned()), ..TaskText::default() };
    write_store(store, |tx| task::save_text(tx, b.id, &text));
    assert_eq!(read_store(store, |tx| task::load_texts(tx, &[a.id, b.id])), [(b.id, text)]);
}

fn draft(kind: MessageKind) -> MessageDraft {
    let (from, to) = (test_slug("w"), test_slug("lead"));
    MessageDraft { from, to, kind, body: "So far.".to_owned(), extra: MessageExtras::default() }
}

fn begin_attempt(tx: &mut Transaction<'_>, task: &Task) -> Result<(AttemptId, Thread), orch_store::Fault> {
    let sent = new_thread(tx, "w", 2)?;
    let id = attempt::next_id(tx)?;
    attempt::insert(tx, attempt_row(id, task, 1, sent.id), NOW)?;
    Ok((id, sent))
}

fn attempts_and_threads(store: &mut Store) {
    let ((first, held), (second, queued), progress) = write_store(store, |tx| {
        let run = new_run(tx, "s")?.id;
        let (a, b) = (new_task(tx, run, "a")?, new_task(tx, run, "b")?);
        let (first, second) = (begin_attempt(tx, &a)?, begin_attempt(tx, &b)?);
        thread::save(tx, &Thread { state: claimed_state("w", NOW), ..first.1.clone() }, true)?;
        message::insert(tx, first.1.id, draft(MessageKind::Progress), NOW)?;
        let progress = message::insert(tx, first.1.id, draft(MessageKind::Progress), NOW)?;
        message::insert(tx, first.1.id, draft(MessageKind::Note), NOW)?;
        Ok((first, second, progress))
    });
    let none = AttemptId(999);
    let loaded = read_store(store, |tx| attempt::load_many(tx, &[second, first, none]));
    assert_eq!(loaded.iter().map(|attempt| attempt.id).collect::<Vec<_>>(), [first, second]);
    let mut activity = read_store(store, |tx| attempt::load_activity(tx, &[second, first, none]));
    activity.sort_by_key(|activity| activity.attempt);
    let shown: Vec<_> = activity
        .iter()
        .map(|one| (one.attempt, one.created_at, one.lease_expires_at, one.progress))
        .collect();
    assert_eq!(
        shown,
        [(first, NOW, Some(Time(NOW.0 + 8_000)), Some(progress.id)), (second, NOW, None, None)]
    );
    let threads = read_store(store, |tx| thread::load_many(tx, &[queued.id, held.id, ThreadId(999)]));
    assert_eq!(threads.iter().map(|thread| thread.id).collect::<Vec<_>>(), [held.id, queued.id]);
    let messages = read_store(store, |tx| message::load_many(tx, &[progress.id, MessageId(999)]));
    assert_eq!(messages, [progress]);

    let context = read_store(store, |tx| thread::load_with_context(tx, held.id)).unwrap();
    assert_eq!((context.thread.id, context.holder_seen_at, context.unread), (held.id, None, 0));
    write_store(store, |tx| {
        agent::record_sighting(tx, &test_slug("w"), NOW)?;
        let MessageDraft { from, to, kind, body, extra } = draft(MessageKind::Note);
        message::insert(tx, held.id, MessageDraft { from: to, to: from, kind, body, extra }, NOW).map(|_| ())
    });
    let context = read_store(store, |tx| thread::load_with_context(tx, held.id)).unwrap();
    assert_eq!((context.holder_seen_at, context.unread), (Some(NOW), 1));

    assert!(read_store(store, thread::load_timers).has_dirty_threads);
    write_store(store, |tx| thread::clear_dirty_many(tx, &[held.id, queued.id]));
    assert!(!read_store(store, thread::load_timers).has_dirty_threads);

    assert_eq!(read_store(store, |tx| worker::load_many(tx, &[held.id])), []);
    worktrees_and_snapshots(store, first, held.id);
    let text = AttemptText::default();
    assert_eq!(read_store(store, |tx| attempt::load_text(tx, first)), text);
    let text = AttemptText { log_tail: Some("failed".to_owned()), ..text };
    write_store(store, |tx| attempt::save_text(tx, first, &text));
    let texts = read_store(store, |tx| attempt::load_texts(tx, &[first, second]));
    assert_eq!(texts.into_iter().collect::<Vec<_>>(), [(first, text)]);
}

fn worktrees_and_snapshots(store: &mut Store, attempt: AttemptId, thread: ThreadId) {
    let commit = CommitHash::from_stored("c".repeat(40));
    let found = ClosingSnapshot { head: commit.clone(), changes: None };
    let tree = write_store(store, |tx| {
        let run = attempt::load(tx, attempt)?.unwrap().run;
        let tree = Worktree {
            attempt,
            run,
            state: WorktreeState::Present,
            path: "/w".to_owned(),
            branch: "orch/s/a.1".to_owned(),
            base: commit.clone(),
            behind: 0,
            head: None,
            merged: None,
            fell_off: false,
            continues: None,
            changes: None,
            slot: 0,
            salvage: None,
            updated_at: Time(1),
        };
        worktree::insert(tx, &tree)?;
        let condition = TreeCondition {
            tree: tree.path.clone(),
            branch: tree.branch.clone(),
            base: commit.clone(),
            needs_commit: true,
            merges: None,
        };
        thread_condition::insert(tx, thread, &condition)?;
        Ok(tree)
    });
    assert_eq!(read_store(store, |tx| worktree::load_many(tx, &[attempt, AttemptId(999)])), [tree]);
    assert_eq!(read_store(store, |tx| thread_condition::load_snapshots(tx, &[thread])), []);
    write_store(store, |tx| thread_condition::save_snapshot(tx, thread, &found));
    assert_eq!(read_store(store, |tx| thread_condition::load_snapshots(tx, &[thread])), [(thread, found)]);
}

fn loads_of_agents(store: &mut Store) {
    write_store(store, |tx| new_thread(tx, "w", 2));
    let loads = read_store(store, |tx| agent::list_loads(tx, "", 9));
    let shown: Vec<_> =
        loads.iter().map(|load| (load.agent.name.as_str(), load.held, load.queued, load.unread)).collect();
    assert_eq!(shown, [("w", 1, 2, 1)]);
}
