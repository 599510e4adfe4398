//! Forgetting runs, and numbers that are never given again.

use orch_core::attempt::AttemptText;
use orch_core::check::{CheckKey, CheckRun, CheckSource, CheckStage, CheckState, KnownCheck};
use orch_core::effect::Effect;
use orch_core::event::{EventKind, EventSubject, NewEvent};
use orch_core::id::{CommitHash, EventId, MessageId, RunId, Slug, ThreadId, TreeHash};
use orch_core::lease::TokenDigest;
use orch_core::message::{MessageDraft, MessageExtras, MessageKind};
use orch_core::task::TaskText;
use orch_core::thread::AttemptReference;
use orch_core::thread::condition::TreeCondition;
use orch_core::time::TimeSpan;
use orch_core::worker::Worker;
use orch_core::worktree::{Worktree, WorktreeState};
use orch_store::table::id_high_water::{self, IdSequence};
use orch_store::table::supervisor::{self, Supervisor};
use orch_store::table::{
    agent, attempt, check_result, check_run, dependency, effect, event, lease_token, message, removal, task,
    thread, thread_condition, worker, worktree,
};
use orch_store::{Fault, Statement, Store, Transaction};

use crate::StoreOpener;
use crate::fixture::{
    NOW, attempt_row, new_run, new_task, new_thread, read_store, ready_task, test_slug, thread_head,
    write_store,
};

pub(crate) fn check_conformance(open: StoreOpener<'_>) {
    let mut store = open();
    numbers_are_raised(&mut store);
    everything_of_a_run_is_forgotten(&mut store);
}

fn draft_note(thread: ThreadId) -> MessageDraft {
    let body = thread.0.to_string();
    MessageDraft {
        from: test_slug("lead"),
        to: test_slug("w"),
        kind: MessageKind::Note,
        body,
        extra: MessageExtras::default(),
    }
}

fn numbers_are_raised(store: &mut Store) {
    let next = |store: &mut Store| {
        let thread = write_store(store, |tx| new_thread(tx, "w", 2)).id;
        (thread.0, write_store(store, |tx| message::insert(tx, thread, draft_note(thread), NOW)).id.0)
    };
    assert_eq!(next(store), (1, 1));
    write_store(store, |tx| id_high_water::raise_high_water(tx, IdSequence::Thread, 50));
    assert_eq!(next(store), (51, 2), "each kind has numbers of its own");
    write_store(store, |tx| {
        id_high_water::raise_high_water(tx, IdSequence::Thread, 7)?;
        id_high_water::raise_high_water(tx, IdSequence::Message, 90)?;
        id_high_water::raise_high_water(tx, IdSequence::Message, 80)
    });
    assert_eq!(read_store(store, thread::newest_id), ThreadId(51));
    assert_eq!(read_store(store, message::newest_id), MessageId(90));
    assert_eq!(next(store), (52, 91), "none is lowered");
}

/// The tables that hold rows of runs, each with how many rows one [`full_run`] has there.
const TABLES: [(Statement, i64); 19] = [
    (Statement::new("SELECT count(*) FROM run"), 1),
    (Statement::new("SELECT count(*) FROM task"), 2),
    (Statement::new("SELECT count(*) FROM task_text"), 1),
    (Statement::new("SELECT count(*) FROM task_label"), 1),
    (Statement::new("SELECT count(*) FROM dependency"), 1),
    (Statement::new("SELECT count(*) FROM attempt"), 1),
    (Statement::new("SELECT count(*) FROM attempt_text"), 1),
    (Statement::new("SELECT count(*) FROM thread"), 1),
    (Statement::new("SELECT count(*) FROM message"), 1),
    (Statement::new("SELECT count(*) FROM lease_token"), 1),
    (Statement::new("SELECT count(*) FROM thread_condition"), 1),
    (Statement::new("SELECT count(*) FROM worker"), 1),
    (Statement::new("SELECT count(*) FROM worktree"), 1),
    (Statement::new("SELECT count(*) FROM check_run"), 1),
    (Statement::new("SELECT count(*) FROM check_result"), 1),
    (Statement::new("SELECT count(*) FROM effect"), 1),
    (Statement::new("SELECT count(*) FROM supervisor"), 1),
    (Statement::new("SELECT count(*) FROM event_cursor"), 1),
    (Statement::new("SELECT count(*) FROM event WHERE run_id > 0"), 1),
];

fn row_counts(store: &mut Store) -> Vec<i64> {
    read_store(store, |tx| TABLES.iter().map(|(count, _)| tx.query_number(*count, &[])).collect())
}

/// A run with rows in every table.
fn full_run(tx: &mut Transaction<'_>, name: &str) -> Result<RunId, Fault> {
    let run = new_run(tx, name)?.id;
    let made = ready_task(tx, run, "a", 2, 0, &["ui"])?;
    task::save_text(tx, made.id, &TaskText { spec: Some("All of it.".to_owned()), ..TaskText::default() })?;
    let other = new_task(tx, run, "b")?;
    dependency::insert(tx, other.id, made.id)?;
    let id = attempt::next_id(tx)?;
    let reference = AttemptReference { run, task: made.id, attempt: id };
    let thread = thread::insert(tx, thread_head("w", 2, Some(reference)), NOW)?.id;
    attempt::insert(tx, attempt_row(id, &made, 1, thread), NOW)?;
    let text = AttemptText { log_tail: Some("It ends.".to_owned()), ..AttemptText::default() };
    attempt::save_text(tx, id, &text)?;
    message::insert(tx, thread, draft_note(thread), NOW)?;
    lease_token::insert(tx, thread, &TokenDigest("t".to_owned()), &test_slug("w"), NOW)?;
    let base = CommitHash::from_stored("1".repeat(40));
    let (tree, branch) = (format!("/r.orch/{name}"), format!("orch/{name}/a.1"));
    let (at, on) = (tree.clone(), branch.clone());
    let condition =
        TreeCondition { tree: at, branch: on, base: base.clone(), needs_commit: true, merges: None };
    thread_condition::insert(tx, thread, &condition)?;
    worker::upsert(tx, &worker_of(thread, test_slug("w")))?;
    let planned = Worktree {
        attempt: id,
        run,
        state: WorktreeState::Planned,
        path: tree,
        branch,
        base: base.clone(),
        behind: 0,
        head: None,
        merged: None,
        fell_off: false,
        continues: None,
        changes: None,
        slot: 0,
        salvage: None,
        updated_at: NOW,
    };
    worktree::insert(tx, &planned)?;
    let check = CheckRun {
        run,
        attempt: Some(id),
        stage: CheckStage::Attempt,
        source: CheckSource::Task,
        command: "make test".to_owned(),
        commit: base,
        state: CheckState::Passed,
        exit_status: Some(0),
        message: None,
        tree: Some(TreeHash::from_stored("4".repeat(40))),
        env_not_passed: Vec::new(),
        reused: false,
        flaky: false,
        duration: TimeSpan(1),
        log: None,
        at: NOW,
    };
    check_run::insert(tx, &check)?;
    save_check_result(tx, &check)?;
    effect::insert(tx, run, &Effect::PrepareWorktree { attempt: id, lead: None }, NOW)?;
    let process = name.to_owned();
    let entry = Supervisor { process, host: "h".to_owned(), run: Some(run), log: None, started_at: NOW };
    supervisor::upsert(tx, &entry)?;
    agent::advance_event_cursor(tx, &test_slug("lead"), Some(run), EventId(1))?;
    let about = EventSubject { run: Some(run), task: Some(made.id), attempt: Some(id), thread: Some(thread) };
    let (kind, agent, data) = (EventKind::Failed, Some(test_slug("w")), vec![("to", "ready".into())]);
    event::insert(tx, &NewEvent { kind, about, agent, by: None, data }, NOW)?;
    Ok(run)
}

/// Saves the result of a check for a key.
fn save_check_result(tx: &mut Transaction<'_>, check: &CheckRun) -> Result<(), Fault> {
    let known = KnownCheck {
        state: check.state,
        flaky: false,
        exit_status: check.exit_status,
        message: None,
        duration: check.duration,
        log: None,
        tail: None,
        env_not_passed: Vec::new(),
        attempt: None,
        series: "s".to_owned(),
        at: NOW,
    };
    check_result::save(tx, check.run, check.attempt, &CheckKey::from_digest("k".to_owned()), &known)
}

fn worker_of(thread: ThreadId, agent: Slug) -> Worker {
    Worker {
        thread,
        agent,
        host: "h".to_owned(),
        process: "1-2-3".to_owned(),
        tag: "t".to_owned(),
        profile: None,
        log: "/logs/1".to_owned(),
        grace: TimeSpan::from_seconds(10),
        session: None,
        started_at: NOW,
        output_at: None,
        commit_at: None,
        silent: false,
        activity: None,
        report: None,
        end: None,
    }
}

fn everything_of_a_run_is_forgotten(store: &mut Store) {
    let before = row_counts(store);
    let kept = write_store(store, |tx| full_run(tx, "kept"));
    let with_one = row_counts(store);
    for ((count, rows), (after, before)) in TABLES.iter().zip(with_one.iter().zip(&before)) {
        assert_eq!(after - before, *rows, "{}", count.text());
    }
    let forgotten = write_store(store, |tx| full_run(tx, "forgotten"));
    let newest = (
        read_store(store, thread::newest_id),
        read_store(store, message::newest_id),
        read_store(store, event::newest_id),
    );
    write_store(store, |tx| removal::delete_run(tx, forgotten));
    assert_eq!(row_counts(store), with_one, "the other run has all of its rows, and no other run has any");
    let of_kept = read_store(store, |tx| event::list_by_run(tx, kept, EventId(0), 9));
    assert_eq!(of_kept.len(), 1);
    assert_eq!(of_kept[0].thread.map(|thread| thread.0 + 1), Some(newest.0.0), "it is the earlier thread's");

    assert_eq!(read_store(store, event::newest_id), newest.2, "events have numbers without a gap");
    let emptied = read_store(store, |tx| event::list_by_run(tx, RunId(0), EventId(0), 9));
    let [emptied] = &emptied[..] else { panic!("{emptied:?}") };
    assert_eq!((emptied.thread, emptied.agent.as_ref(), emptied.data.as_str()), (None, None, "{}"));

    assert_eq!(read_store(store, thread::newest_id), newest.0, "a number that was public is not given again");
    assert_eq!(read_store(store, message::newest_id), newest.1);
    let next = write_store(store, |tx| new_thread(tx, "w", 2)).id;
    assert_eq!(next.0, newest.0.0 + 1);
}
