//! Tasks, labels, texts.

use orch_core::id::{AttemptId, RunId, TaskId};
use orch_core::task::{Checks, LastAttempt, Task, TaskState, TaskText};
use orch_core::time::Time;
use orch_store::Store;
use orch_store::table::task;

use crate::Open;
use crate::fixture::{NOW, load_task, new_run, new_task, read, ready_task, slug, write};

pub(crate) fn exercise(open: Open<'_>) {
    let mut store = open();
    let run = write(&mut store, |tx| new_run(tx, "r")).id;
    let other = write(&mut store, |tx| new_run(tx, "other")).id;
    everything_is_kept(&mut store, run);
    lists(&mut store, other);
    ready_order(&mut store, other);
}

fn everything_is_kept(store: &mut Store, run: RunId) {
    let text = TaskText {
        spec: Some("Do\nall of it.".to_owned()),
        accept: vec!["it works".to_owned()],
        verify: vec!["make test".to_owned(), "echo \"$HOME\"".to_owned()],
    };
    let labels = [slug("ui"), slug("api")];
    let (key, agent) = (slug("a"), slug("w"));
    let new = task::NewRow {
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
    let id = write(store, |tx| task::insert(tx, new, NOW));
    let made = read(store, |tx| load_task(tx, id));
    let expected = Task {
        id,
        run,
        name: orch_core::id::TaskName { run: slug("r"), key: slug("a") },
        title: "Do it".to_owned(),
        priority: 1,
        labels: labels.to_vec(),
        agent: Some(slug("w")),
        state: TaskState::Skipped,
        unmet: 3,
        broken: 2,
        rank: 4,
        not_before: None,
        attempt: None,
        failures: 0,
        losses: 0,
        max_attempts: Some(7),
        allow_empty: true,
        checks: Checks::None,
        created_at: NOW,
        updated_at: NOW,
    };
    assert_eq!(made, expected);
    assert_eq!(read(store, |tx| task::text(tx, id)), text);
    assert_eq!(read(store, |tx| task::by_key(tx, run, &key)), Some(expected.clone()));
    assert_eq!(read(store, |tx| task::by_key(tx, RunId(99), &key)), None);
    assert_eq!(read(store, |tx| task::id_by_key(tx, run, &key)), Some(id));
    moves_and_edits(store, expected);
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
        checks: Checks::Failed,
        updated_at: Time(8),
        ..before
    };
    write(store, |tx| task::save(tx, &moved));
    assert_eq!(read(store, |tx| load_task(tx, moved.id)), moved);
    assert!(read(store, |tx| task::is_ready(tx, moved.id)));
    let edited = Task {
        title: "Another".to_owned(),
        priority: 4,
        labels: vec![slug("api"), slug("db")],
        agent: None,
        max_attempts: None,
        allow_empty: false,
        updated_at: Time(10),
        ..moved.clone()
    };
    write(store, |tx| task::save_head(tx, &moved, &edited));
    assert_eq!(read(store, |tx| load_task(tx, moved.id)), edited);
    let labelled = |store: &mut Store, label: &str| {
        read(store, |tx| task::labelled(tx, moved.run, &slug(label), None, TaskId(0), 9)).1
    };
    assert_eq!(["ui", "api", "db"].map(|label| labelled(store, label)), [0, 1, 1]);
    write(store, |tx| task::set_rank(tx, moved.id, 77));
    assert_eq!(read(store, |tx| load_task(tx, moved.id)).rank, 77);
    write(store, |tx| task::save_text(tx, moved.id, &TaskText::default()));
    assert_eq!(read(store, |tx| task::text(tx, moved.id)), TaskText::default());
    assert_eq!(read(store, |tx| task::text(tx, TaskId(99))), TaskText::default());
}

fn keys(tasks: &[Task]) -> Vec<&str> {
    tasks.iter().map(|task| task.name.key.as_str()).collect()
}

fn lists(store: &mut Store, run: RunId) {
    let first = write(store, |tx| {
        let first = ready_task(tx, run, "a", 2, 0, &["ui"])?;
        let second = ready_task(tx, run, "b", 2, 0, &["ui"])?;
        new_task(tx, run, "c")?;
        task::save(tx, &Task { state: TaskState::Running, ..second })?;
        Ok(first.id)
    });
    let none = TaskId(0);
    assert_eq!(keys(&read(store, |tx| task::list(tx, run, none, 2))), ["a", "b"]);
    assert_eq!(keys(&read(store, |tx| task::list(tx, run, first, 9))), ["b", "c"]);
    let ready =
        |store: &mut Store, after| read(store, |tx| task::in_state(tx, run, TaskState::Ready, after, 9));
    assert_eq!(keys(&ready(store, none)), ["a", "c"]);
    assert_eq!(keys(&ready(store, first)), ["c"]);
    let ui = slug("ui");
    let (found, total) = read(store, |tx| task::labelled(tx, run, &ui, None, first, 9));
    assert_eq!((keys(&found), total), (vec!["b"], 2));
    let (found, total) = read(store, |tx| task::labelled(tx, run, &ui, Some(TaskState::Ready), none, 9));
    assert_eq!((keys(&found), total), (vec!["a"], 1));
    assert_eq!(read(store, |tx| task::ready_labelled(tx, run, &ui, NOW)), 1);
}

fn ready_order(store: &mut Store, run: RunId) {
    write(store, |tx| {
        ready_task(tx, run, "urgent", 0, 0, &[])?;
        ready_task(tx, run, "long", 2, 5, &["ui"])?;
        let soon = ready_task(tx, run, "soon", 0, 9, &["ui"])?;
        task::save(tx, &Task { not_before: Some(Time(NOW.0 + 1)), ..soon })
    });
    let ready = |store: &mut Store, label: Option<&str>, now, limit, offset| {
        let label = label.map(slug);
        let found = read(store, |tx| task::ready(tx, run, label.as_ref(), Time(now), limit, offset));
        found.iter().map(|task| task.name.key.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(ready(store, None, NOW.0, 9, 0), ["urgent", "long", "a", "c"]);
    assert_eq!(ready(store, None, NOW.0 + 1, 9, 0), ["soon", "urgent", "long", "a", "c"]);
    assert_eq!(ready(store, None, NOW.0, 2, 1), ["long", "a"]);
    assert_eq!(ready(store, Some("ui"), NOW.0, 9, 0), ["long", "a"]);
    assert_eq!(read(store, |tx| task::backing_off(tx, run, NOW)), 1);
    assert_eq!(read(store, |tx| task::backing_off(tx, run, Time(NOW.0 + 1))), 0);
    assert_eq!(read(store, |tx| task::next_try(tx, run, NOW)), Some(Time(NOW.0 + 1)));
    assert_eq!(read(store, |tx| task::next_try(tx, run, Time(NOW.0 + 1))), None);
    let longest = |store: &mut Store, priority| {
        read(store, |tx| task::longest_ready(tx, run, priority)).map(|task| task.name.key.to_string())
    };
    assert_eq!(longest(store, 2).as_deref(), Some("long"));
    let live = |store: &mut Store| {
        read(store, |tx| task::longest_live(tx, run)).map(|task| task.name.key.to_string())
    };
    assert_eq!(live(store).as_deref(), Some("b"), "the only one that is running");
    for (key, rank, state) in
        [("x", 4, TaskState::Blocked), ("y", 4, TaskState::Reported), ("z", 9, TaskState::Done)]
    {
        let made = write(store, |tx| ready_task(tx, run, key, 2, rank, &[]));
        write(store, |tx| task::save(tx, &Task { state, ..made.clone() }));
    }
    assert_eq!(live(store).as_deref(), Some("x"));
    assert_eq!(longest(store, 3), None);
}
