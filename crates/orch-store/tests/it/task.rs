//! Tasks, labels, texts.

use orch_core::attempt::Attempt;
use orch_core::event::EventKind;
use orch_core::id::{AttemptId, CommitHash, EventId, RunId, TaskId};
use orch_core::lease::TokenDigest;
use orch_core::run::{ResourceUsage, ReviewPolicy, TokenUsage};
use orch_core::task::{ChecksStatus, LastAttempt, Task, TaskConflict, TaskState, TaskText};
use orch_core::time::{Time, TimeSpan};
use orch_store::Store;
use orch_store::table::{attempt, dependency, event, lease_token, task};

use crate::StoreOpener;
use crate::fixture::{
    NOW, attempt_row, load_task, new_run, new_task, new_thread, read_store, ready_task, test_slug,
    write_store,
};

pub(crate) fn check_conformance(open: StoreOpener<'_>) {
    let mut store = open();
    let run = write_store(&mut store, |tx| new_run(tx, "r")).id;
    let other = write_store(&mut store, |tx| new_run(tx, "other")).id;
    everything_is_kept(&mut store, run);
    lists(&mut store, other);
    ready_order(&mut store, other);
    spending_of_attempts(&mut store, other);
    idle_tasks(&mut store);
}

/// Idle tasks are cancelled together: dependents first, counted by state, with an event each; others stay.
fn idle_tasks(store: &mut Store) {
    let (run, above, below, done) = write_store(store, |tx| {
        let run = new_run(tx, "idle")?.id;
        let above = ready_task(tx, run, "above", 2, 1, &[])?.id;
        let below = new_task(tx, run, "below")?;
        let done = new_task(tx, run, "done")?;
        dependency::insert(tx, below.id, above)?;
        task::save(tx, &Task { state: TaskState::Waiting, unmet: 1, ..below.clone() })?;
        task::save(tx, &Task { state: TaskState::Done, ..done.clone() })?;
        Ok((run, above, below.id, done.id))
    });
    assert_eq!(read_store(store, |tx| task::list_idle_ids(tx, run, 10)), [below, above]);
    let all = [above, below, done];
    let counts = read_store(store, |tx| task::count_idle(tx, &all));
    assert_eq!(counts, [(TaskState::Ready, 1), (TaskState::Waiting, 1)]);
    write_store(store, |tx| {
        let to = (EventKind::Cancelled, TaskState::Cancelled);
        event::insert_idle_transitions(tx, &all, to, Some(&test_slug("lead")), NOW)?;
        task::cancel_idle(tx, &all, NOW)?;
        task::recount_broken(tx, &all)
    });
    let load = |store: &mut Store, id| read_store(store, |tx| load_task(tx, id));
    let (above, below, done) = (load(store, above), load(store, below), load(store, done));
    assert_eq!((above.state, above.broken), (TaskState::Cancelled, 0));
    assert_eq!((below.state, below.unmet, below.broken), (TaskState::Cancelled, 1, 1));
    assert_eq!(done.state, TaskState::Done);
    let events = read_store(store, |tx| event::list_by_run(tx, run, EventId(0), 10));
    let told: Vec<_> =
        events.iter().map(|event| (event.task.as_ref().unwrap().key.as_str(), event.data.as_str())).collect();
    assert_eq!(
        told,
        [
            ("below", r#"{"from":"waiting","to":"cancelled"}"#),
            ("above", r#"{"from":"ready","to":"cancelled"}"#)
        ]
    );
    assert_eq!(events[0].agent, Some(test_slug("lead")));
    let (unchecked, total) = read_store(store, |tx| task::list_unchecked(tx, run, 10));
    assert_eq!((unchecked[0].id, total), (done.id, 1));
}

/// A task has spent what its attempts have, and their time since they were claimed, that of a live one included.
fn spending_of_attempts(store: &mut Store, run: RunId) {
    let id = write_store(store, |tx| new_task(tx, run, "dear")).id;
    let spent = |store: &mut Store, now| read_store(store, |tx| task::load_usage(tx, id, now));
    assert_eq!(spent(store, NOW), (ResourceUsage::default(), TimeSpan(0)));
    let tokens = |times: i64| TokenUsage { input: 4 * times, cached_input: 3 * times, output: 2 * times };
    let more = ResourceUsage { cost_micros: Some(5), tokens: Some(tokens(1)), attempts: 1 };
    write_store(store, |tx| {
        for number in 1..=2 {
            let made = load_task(tx, id)?;
            let thread = new_thread(tx, "w", 2)?;
            let key = attempt::next_id(tx)?;
            let one = attempt::insert(tx, attempt_row(key, &made, number, thread.id), NOW)?;
            if number == 1 {
                attempt::save(tx, &Attempt { ended_at: Some(Time(NOW.0 + 7)), ..one })?;
            }
            let token = TokenDigest(format!("t{number}"));
            lease_token::insert(tx, thread.id, &token, &test_slug("w"), Time(NOW.0 + 2))?;
            task::add_usage(tx, id, more)?;
        }
        Ok(())
    });
    let both = ResourceUsage { cost_micros: Some(10), tokens: Some(tokens(2)), attempts: 2 };
    assert_eq!(spent(store, Time(NOW.0 + 20)), (both, TimeSpan(5 + 18)));
    let of_live = read_store(store, |tx| task::list_usage_of_tasks(tx, &[id, TaskId(99)], Time(NOW.0 + 20)));
    assert_eq!(of_live, [(id, both, TimeSpan(5 + 18))]);
    let of_ready = read_store(store, |tx| task::list_ready_usage(tx, run, Time(NOW.0 + 20)));
    assert_eq!(of_ready, [(id, both, TimeSpan(5 + 18))]);
    assert_eq!(
        read_store(store, |tx| task::load_usage(tx, TaskId(99), NOW)),
        (ResourceUsage::default(), TimeSpan(0))
    );
}

fn everything_is_kept(store: &mut Store, run: RunId) {
    let text = TaskText {
        spec: Some("Do\nall of it.".to_owned()),
        accept: vec!["it works".to_owned()],
        verify: vec!["make test".to_owned(), "echo \"$HOME\"".to_owned()],
        review: Some(ReviewPolicy::Protected),
        conflict: Some(TaskConflict {
            commit: CommitHash::from_stored("1".repeat(40)),
            from: "r/b@1".to_owned(),
            attempt: Some(AttemptId(7)),
            is_base: true,
        }),
    };
    let labels = [test_slug("ui"), test_slug("api")];
    let (key, agent) = (test_slug("a"), test_slug("w"));
    let new = task::NewTaskRow {
        run,
        key: &key,
        title: "Do it",
        priority: 1,
        labels: &labels,
        agent: Some(&agent),
        state: TaskState::Skipped,
        unmet: 3,
        broken: 2,
        rank: 4,
        max_attempts: Some(7),
        allow_empty: true,
        text: &text,
    };
    let id = write_store(store, |tx| task::insert(tx, new, NOW));
    let made = read_store(store, |tx| load_task(tx, id));
    let expected = Task {
        id,
        run,
        name: orch_core::id::TaskName { run: test_slug("r"), key: test_slug("a") },
        title: "Do it".to_owned(),
        priority: 1,
        labels: labels.to_vec(),
        agent: Some(test_slug("w")),
        state: TaskState::Skipped,
        unmet: 3,
        broken: 2,
        rank: 4,
        not_before: None,
        held: false,
        attempt: None,
        failures: 0,
        losses: 0,
        releases: 0,
        faults: 0,
        max_attempts: Some(7),
        allow_empty: true,
        checks: ChecksStatus::None,
        created_at: NOW,
        updated_at: NOW,
    };
    assert_eq!(made, expected);
    assert_eq!(read_store(store, |tx| task::load_text(tx, id)), text);
    assert_eq!(read_store(store, |tx| task::list_conflicts(tx, run)), [], "it is finished");
    conflicts_of_unfinished_tasks_are_listed(store, &expected, text.conflict.clone().unwrap());
    assert_eq!(read_store(store, |tx| task::load_texts(tx, &[TaskId(99), id])), [(id, text)]);
    assert_eq!(read_store(store, |tx| task::load_texts(tx, &[])), []);
    assert_eq!(read_store(store, |tx| task::load_by_key(tx, run, &key)), Some(expected.clone()));
    assert_eq!(read_store(store, |tx| task::load_by_key(tx, RunId(99), &key)), None);
    assert_eq!(read_store(store, |tx| task::id_by_key(tx, run, &key)), Some(id));
    moves_and_edits(store, expected);
}

fn conflicts_of_unfinished_tasks_are_listed(store: &mut Store, finished: &Task, conflict: TaskConflict) {
    let open = Task { state: TaskState::Waiting, broken: 0, ..finished.clone() };
    write_store(store, |tx| task::save(tx, &open));
    assert_eq!(read_store(store, |tx| task::list_conflicts(tx, finished.run)), [(finished.id, conflict)]);
    write_store(store, |tx| task::save(tx, finished));
}

fn moves_and_edits(store: &mut Store, before: Task) {
    let moved = Task {
        state: TaskState::Ready,
        unmet: 0,
        broken: 0,
        not_before: Some(Time(9)),
        attempt: Some(LastAttempt { id: AttemptId(5), number: 2 }),
        failures: 1,
        losses: 6,
        releases: 7,
        faults: 8,
        checks: ChecksStatus::Failed,
        updated_at: Time(8),
        ..before
    };
    write_store(store, |tx| task::save(tx, &moved));
    assert_eq!(read_store(store, |tx| load_task(tx, moved.id)), moved);
    assert_eq!(read_store(store, |tx| task::count_ready(tx, &[moved.id, TaskId(999)])), 1);
    let edited = Task {
        title: "Another".to_owned(),
        priority: 4,
        labels: vec![test_slug("api"), test_slug("db")],
        agent: None,
        max_attempts: None,
        allow_empty: false,
        updated_at: Time(10),
        ..moved.clone()
    };
    write_store(store, |tx| task::save_head(tx, &moved, &edited));
    assert_eq!(read_store(store, |tx| load_task(tx, moved.id)), edited);
    let labelled = |store: &mut Store, label: &str| {
        read_store(store, |tx| task::list_labelled(tx, moved.run, &test_slug(label), None, TaskId(0), 9)).1
    };
    assert_eq!(["ui", "api", "db"].map(|label| labelled(store, label)), [0, 1, 1]);
    let held = Task { held: true, updated_at: Time(11), ..edited.clone() };
    write_store(store, |tx| task::save_held(tx, &held));
    assert_eq!(read_store(store, |tx| load_task(tx, moved.id)), held);
    write_store(store, |tx| task::set_rank(tx, moved.id, 77));
    assert_eq!(read_store(store, |tx| load_task(tx, moved.id)).rank, 77);
    write_store(store, |tx| task::save_text(tx, moved.id, &TaskText::default()));
    assert_eq!(read_store(store, |tx| task::load_text(tx, moved.id)), TaskText::default());
    assert_eq!(read_store(store, |tx| task::load_text(tx, TaskId(99))), TaskText::default());
}

fn task_keys(tasks: &[Task]) -> Vec<&str> {
    tasks.iter().map(|task| task.name.key.as_str()).collect()
}

fn lists(store: &mut Store, run: RunId) {
    let first = write_store(store, |tx| {
        let first = ready_task(tx, run, "a", 2, 0, &["ui"])?;
        let second = ready_task(tx, run, "b", 2, 0, &["ui"])?;
        new_task(tx, run, "c")?;
        task::save(tx, &Task { state: TaskState::Running, ..second })?;
        Ok(first.id)
    });
    let none = TaskId(0);
    assert_eq!(task_keys(&read_store(store, |tx| task::list(tx, run, none, 2))), ["a", "b"]);
    assert_eq!(task_keys(&read_store(store, |tx| task::list(tx, run, first, 9))), ["b", "c"]);
    let ready = |store: &mut Store, after| {
        read_store(store, |tx| task::list_in_state(tx, run, TaskState::Ready, after, 9))
    };
    assert_eq!(task_keys(&ready(store, none)), ["a", "c"]);
    assert_eq!(task_keys(&ready(store, first)), ["c"]);
    let ui = test_slug("ui");
    let (found, total) = read_store(store, |tx| task::list_labelled(tx, run, &ui, None, first, 9));
    assert_eq!((task_keys(&found), total), (vec!["b"], 2));
    let (found, total) =
        read_store(store, |tx| task::list_labelled(tx, run, &ui, Some(TaskState::Ready), none, 9));
    assert_eq!((task_keys(&found), total), (vec!["a"], 1));
    assert_eq!(read_store(store, |tx| task::count_ready_labelled(tx, run, &ui, NOW)), 1);
}

fn ready_order(store: &mut Store, run: RunId) {
    write_store(store, |tx| {
        ready_task(tx, run, "urgent", 0, 0, &[])?;
        ready_task(tx, run, "long", 2, 5, &["ui"])?;
        let soon = ready_task(tx, run, "soon", 0, 9, &["ui"])?;
        task::save(tx, &Task { not_before: Some(Time(NOW.0 + 1)), ..soon })
    });
    let found = read_store(store, |tx| task::list_ready(tx, run, None, NOW, 1, None));
    let urgent = task::ReadyPosition { priority: found[0].priority, rank: found[0].rank, task: found[0].id };
    let ready = |store: &mut Store, label: Option<&str>, now, limit, after| {
        let label = label.map(test_slug);
        let found =
            read_store(store, |tx| task::list_ready(tx, run, label.as_ref(), Time(now), limit, after));
        found.iter().map(|task| task.name.key.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(ready(store, None, NOW.0, 9, None), ["urgent", "long", "a", "c"]);
    assert_eq!(ready(store, None, NOW.0 + 1, 9, None), ["soon", "urgent", "long", "a", "c"]);
    assert_eq!(ready(store, None, NOW.0, 2, Some(urgent)), ["long", "a"]);
    assert_eq!(ready(store, Some("ui"), NOW.0, 9, None), ["long", "a"]);
    assert_eq!(read_store(store, |tx| task::count_backing_off(tx, run, NOW)), 1);
    assert_eq!(read_store(store, |tx| task::count_backing_off(tx, run, Time(NOW.0 + 1))), 0);
    assert_eq!(read_store(store, |tx| task::next_retry_time(tx, run, NOW)), Some(Time(NOW.0 + 1)));
    assert_eq!(read_store(store, |tx| task::next_retry_time(tx, run, Time(NOW.0 + 1))), None);
    let first_of_chain = |store: &mut Store| {
        let path = read_store(store, |tx| task::critical_path(tx, run, 1));
        path.first().map(|(key, rank)| (key.to_string(), *rank))
    };
    assert_eq!(first_of_chain(store), Some(("soon".to_owned(), 9)));
    for (key, rank, state) in
        [("x", 6, TaskState::Blocked), ("y", 6, TaskState::Reported), ("z", 9, TaskState::Done)]
    {
        let made = write_store(store, |tx| ready_task(tx, run, key, 2, rank, &[]));
        write_store(store, |tx| task::save(tx, &Task { state, ..made.clone() }));
    }
    let soon = read_store(store, |tx| task::load_by_keys(tx, run, &[&test_slug("soon")])).remove(0);
    write_store(store, |tx| task::save(tx, &Task { state: TaskState::Done, ..soon.clone() }));
    assert_eq!(first_of_chain(store), Some(("x".to_owned(), 6)), "a live task, and the older one of two");
}
