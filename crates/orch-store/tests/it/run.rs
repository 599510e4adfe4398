//! Runs.

use orch_core::id::{Commit, RunId};
use orch_core::run::{Baseline, Budget, Ground, Outcome, Pause, PauseReason, Rules, Run, RunState};
use orch_core::task::TaskState;
use orch_core::time::{Span, Time};
use orch_store::Store;
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

    stands_on(&mut store);
}

/// A run that begins from a commit, with everything that judges it.
fn stands_on(store: &mut Store) {
    let ground = Ground {
        repository: "/r/.git".to_owned(),
        base: Commit::stored("1".repeat(40)),
        base_branch: Some("main".to_owned()),
        branch: "orch/third/main".to_owned(),
        branch_prefix: "orch/third".to_owned(),
        root: "/r.orch/third".to_owned(),
        baseline: Baseline::Pending,
    };
    let name = slug("third");
    let (policy, text) = (policy(), |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect());
    let new = run::NewRow { name: &name, title: "T", goal: None, policy: &policy, ground: Some(&ground) };
    let id = write(store, |tx| run::insert(tx, new, NOW));
    let mut made = read(store, |tx| run::load(tx, id)).unwrap();
    assert_eq!((made.ground.as_ref(), &made.rules), (Some(&ground), &Rules::default()));
    made.ground = Some(Ground { baseline: Baseline::Failed, ..ground });
    made.faults = 2;
    made.rules = Rules {
        verify: text(&["make", "make test"]),
        setup: Some("npm ci".to_owned()),
        copy: text(&[".env"]),
        protect: text(&["Cargo.lock"]),
        check_limit: Span::minutes(2),
    };
    made.budget = Budget {
        max_wall: Some(Span::hours(1)),
        max_cost_micros: Some(5),
        max_tokens: Some(6),
        max_attempts_all: Some(7),
        task_wall: Some(Span::hours(2)),
        task_cost_micros: Some(8),
        task_tokens: Some(9),
    };
    write(store, |tx| {
        run::save(tx, &made)?;
        run::save_rules(tx, made.id, &made.rules, &made.budget)
    });
    assert_eq!(read(store, |tx| run::load(tx, made.id)), Some(made.clone()));
    write(store, |tx| run::forget(tx, made.id));
    assert_eq!(read(store, |tx| run::load(tx, made.id)), None);
}
