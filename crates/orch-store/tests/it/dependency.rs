//! Edges.

use orch_core::id::{RunId, Slug, TaskId};
use orch_core::task::{Task, TaskState};
use orch_store::table::{dependency, task};
use orch_store::{Fault, Transaction};

use crate::StoreOpener;
use crate::fixture::{new_run, read_store, ready_task, test_slug, write_store};

/// d waits for a (done), b (failed) and c (ready); another run has an edge of its own.
pub(crate) fn check_conformance(open: StoreOpener<'_>) {
    let mut store = open();
    let (run, [a, b, c, d]) = write_store(&mut store, |tx| {
        let run = new_run(tx, "r")?.id;
        let other = new_run(tx, "other")?.id;
        let a = ready_task(tx, run, "a", 2, 1, &[])?;
        let b = ready_task(tx, run, "b", 2, 5, &[])?;
        let c = ready_task(tx, run, "c", 2, 3, &[])?;
        let d = ready_task(tx, run, "d", 2, 0, &[])?;
        task::save(tx, &Task { state: TaskState::Done, ..a.clone() })?;
        task::save(tx, &Task { state: TaskState::Failed, ..b.clone() })?;
        for on in [&a, &b, &c] {
            dependency::insert(tx, d.id, on.id)?;
        }
        let (e, f) = (ready_task(tx, other, "e", 2, 0, &[])?, ready_task(tx, other, "f", 2, 1, &[])?);
        dependency::insert(tx, e.id, f.id)?;
        Ok((run, [a.id, b.id, c.id, d.id]))
    });
    let tx = &mut store;
    assert!(read_store(tx, |tx| dependency::exists(tx, d, a)));
    assert!(!read_store(tx, |tx| dependency::exists(tx, a, d)));
    assert_eq!(read_store(tx, |tx| dependency::list_dependents(tx, c)), [d]);
    assert_eq!(read_store(tx, |tx| dependency::list_dependents_many(tx, &[c, d, a])), [(a, d), (c, d)]);
    assert_eq!(read_store(tx, |tx| dependency::ranked_dependents(tx, c)), [(d, 0)]);
    assert_eq!(read_store(tx, |tx| dependency::ranked_dependencies(tx, d)), [(a, 1), (b, 5), (c, 3)]);
    assert_eq!(read_store(tx, |tx| dependency::longest_dependent(tx, c)), Some(0));
    assert_eq!(read_store(tx, |tx| dependency::longest_dependent(tx, d)), None);
    let names = |keys: Vec<Slug>| keys.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(names(read_store(tx, |tx| dependency::dependency_keys(tx, d))), ["a", "b", "c"]);
    assert_eq!(names(read_store(tx, |tx| dependency::waits_for(tx, d))), ["c"], "what may still come");
    assert_eq!(read_store(tx, |tx| dependency::broken_keys_many(tx, &[a, d])), [(d, test_slug("b"))]);
    assert_eq!(read_store(tx, |tx| dependency::root_causes(tx, &[a, d], 9)), [(d, test_slug("b"))]);
    assert_eq!(read_store(tx, |tx| dependency::root_causes(tx, &[d], 0)), []);

    assert_eq!(read_store(tx, |tx| pairs(tx, run)), [(d, a), (d, b), (d, c)]);
    let none = TaskId(0);
    let (edges, total) = read_store(tx, |tx| dependency::edges_of_run(tx, run, (d, a), 1));
    assert_eq!((edges.len(), edges[0].on, edges[0].on_state, total), (1, b, TaskState::Failed, 3));
    assert_eq!((edges[0].task_name.to_string(), edges[0].on_name.to_string()), ("r/d".into(), "r/b".into()));
    let (edges, total) = read_store(tx, |tx| dependency::edges_of_task(tx, d, b, 10));
    assert_eq!((edges.iter().map(|edge| edge.on).collect::<Vec<_>>(), total), (vec![c], 3));
    let edges = read_store(tx, |tx| dependency::edges_on_task(tx, c, none, 10));
    assert_eq!(edges.iter().map(|edge| edge.task).collect::<Vec<_>>(), [d]);

    assert!(write_store(tx, |tx| dependency::delete(tx, d, a)));
    assert!(!write_store(tx, |tx| dependency::delete(tx, d, a)), "it no longer exists");
    assert_eq!(read_store(tx, |tx| pairs(tx, run)), [(d, b), (d, c)]);
}

/// Lists all edges of a run, as pairs (task, on).
fn pairs(tx: &mut Transaction<'_>, run: RunId) -> Result<Vec<(TaskId, TaskId)>, Fault> {
    let listed = dependency::list_by_range(tx, run, TaskId(0), TaskId(i64::MAX))?;
    Ok(listed.into_iter().map(|edge| (edge.task, edge.on)).collect())
}
