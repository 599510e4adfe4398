//! Runs.

use orch_core::id::RunId;
use orch_core::run::{Outcome, Pause, PauseReason, Run, RunState};
use orch_core::task::TaskState;
use orch_core::time::Time;
use orch_store::table::run;

use crate::Open;
use crate::fixture::{NOW, new_run, policy, read, slug, write};

pub(crate) fn exercise(open: Open<'_>) {
    let mut store = open();
    assert_eq!(read(&mut store, run::changed_last), None);
    let first = write(&mut store, |tx| new_run(tx, "first"));
    assert_eq!((first.state.clone(), first.policy.clone()), (RunState::Open, policy()));
    assert_eq!((first.counts.total(), first.created_at), (0, NOW));
    let second = write(&mut store, |tx| new_run(tx, "second"));
    assert!(read(&mut store, |tx| run::taken(tx, &slug("first"))));
    assert!(!read(&mut store, |tx| run::taken(tx, &slug("third"))));
    assert_eq!(read(&mut store, |tx| run::by_name(tx, &slug("first"))), Some(first.clone()));
    assert_eq!(read(&mut store, |tx| run::by_name(tx, &slug("third"))), None);
    assert_eq!(read(&mut store, run::count), 2);

    let pause = Pause {
        reason: PauseReason::Requested,
        message: Some("Lunch.".to_owned()),
        at: Time(5),
        until: Some(Time(9)),
    };
    let mut changed = Run {
        title: "Another title".to_owned(),
        goal: None,
        keys_made: 7,
        updated_at: Time(2_000),
        ..first.clone()
    };
    changed.policy.max_active = None;
    changed.policy.answer_after = None;
    for (index, state) in TaskState::ALL.into_iter().enumerate() {
        (0..=index).for_each(|_| changed.counts.add(state));
    }
    let states =
        [RunState::Paused(pause), RunState::Finished(Outcome::Partial), RunState::Cancelled, RunState::Open];
    for state in states {
        changed.state = state;
        write(&mut store, |tx| run::save(tx, &changed));
        assert_eq!(read(&mut store, |tx| run::load(tx, changed.id)), Some(changed.clone()));
        let unfinished = read(&mut store, run::unfinished);
        let expected = if changed.state.status().unfinished() { 2 } else { 1 };
        assert_eq!(unfinished.len(), expected, "{:?}", changed.state);
    }
    assert_eq!(read(&mut store, run::changed_last).unwrap().id, changed.id);
    let listed = |store: &mut _, before, limit| {
        let found = read(store, |tx| run::list(tx, before, limit));
        found.iter().map(|run| run.id).collect::<Vec<_>>()
    };
    assert_eq!(listed(&mut store, RunId(i64::MAX), 9), [second.id, first.id], "newest first");
    assert_eq!(listed(&mut store, second.id, 9), [first.id]);
    assert_eq!(listed(&mut store, RunId(i64::MAX), 1), [second.id]);
}
