//! Worktrees, what threads ask of them, the checks that ran in them, and what is to be done with them.

use orch_core::check::{CheckRun, CheckSource, CheckStage, CheckState};
use orch_core::effect::{EffectKind, Holder};
use orch_core::id::{AttemptId, Commit, EffectId, RunId};
use orch_core::run::{Baseline, Ground};
use orch_core::thread::condition::{Condition, Found};
use orch_core::time::{Span, Time};
use orch_core::worktree::{Worktree, WorktreeState};
use orch_store::Store;
use orch_store::table::{
    attempt, check_run, dependency, effect, run as run_table, task, thread_condition, worktree,
};

use crate::Open;
use crate::fixture::{NOW, attempt_row, new_run, new_task, new_thread, policy, read, slug, write};

fn commit(digit: char) -> Commit {
    Commit::stored(digit.to_string().repeat(40))
}

fn tree(attempt: AttemptId, run: RunId, slot: u32) -> Worktree {
    Worktree {
        attempt,
        run,
        state: WorktreeState::Planned,
        path: format!("/r.orch/{}", attempt.0),
        branch: format!("orch/r/a.{}", attempt.0),
        base: commit('1'),
        behind: 2,
        head: None,
        merged: None,
        changes: None,
        slot,
        salvage: None,
        updated_at: NOW,
    }
}

pub(crate) fn exercise(open: Open<'_>) {
    let mut store = open();
    let (run, first_task, waiting, ids) = write(&mut store, |tx| {
        let run = new_run(tx, "r")?;
        let mut ids = Vec::new();
        for key in ["a", "b"] {
            let made = new_task(tx, run.id, key)?;
            let thread = new_thread(tx, "crew", 2)?;
            let id = attempt::next(tx)?;
            attempt::insert(tx, attempt_row(id, &made, 1, thread.id), NOW)?;
            task::save(tx, &orch_core::task::decide::dispatched(&made, id, made.checks, NOW))?;
            ids.push((made.id, id));
        }
        let waiting = new_task(tx, run.id, "c")?;
        for (on, _) in &ids {
            dependency::insert(tx, waiting.id, *on)?;
        }
        let first_task = ids[0].0;
        let ids: Vec<AttemptId> = ids.into_iter().map(|(_, attempt)| attempt).collect();
        Ok((run.id, first_task, waiting.id, ids))
    });
    for (slot, id) in ids.iter().enumerate() {
        write(&mut store, |tx| worktree::insert(tx, &tree(*id, run, u32::try_from(slot).unwrap())));
    }
    assert_eq!(read(&mut store, worktree::slots), [0, 1]);
    let mut first = tree(ids[0], run, 0);
    assert_eq!(read(&mut store, |tx| worktree::load(tx, ids[0])), Some(first.clone()));
    first.state = WorktreeState::Removed;
    (first.head, first.merged) = (Some(commit('2')), Some(commit('3')));
    (first.changes, first.salvage) = (Some("{}".to_owned()), Some("refs/orch/salvage/r/a.1".to_owned()));
    write(&mut store, |tx| worktree::save(tx, &first));
    assert_eq!(read(&mut store, |tx| worktree::load(tx, ids[0])), Some(first.clone()));
    let of = |store: &mut Store, after| read(store, |tx| worktree::of_run(tx, run, after, 9));
    assert_eq!(of(&mut store, AttemptId(0)).len(), 2);
    assert_eq!(of(&mut store, ids[0]), [tree(ids[1], run, 1)]);
    assert_eq!(read(&mut store, |tx| worktree::there(tx, run)), [tree(ids[1], run, 1)]);
    assert_eq!(read(&mut store, |tx| worktree::count(tx, run)), 2);
    let below = read(&mut store, |tx| worktree::of_dependencies(tx, waiting));
    assert_eq!(below, [first, tree(ids[1], run, 1)]);
    let at = |store: &mut Store, path: &str| read(store, |tx| worktree::at(tx, path));
    assert_eq!(at(&mut store, "/r.orch/2"), Some(tree(ids[1], run, 1)));
    assert_eq!(at(&mut store, "/r.orch/1"), None, "it was removed");
    assert_eq!(
        read(&mut store, |tx| attempt::by_number(tx, first_task, 1)).map(|found| found.id),
        Some(ids[0])
    );
    assert_eq!(read(&mut store, |tx| attempt::by_number(tx, first_task, 2)), None);
    places(&mut store);
    conditions(&mut store);
    checks(&mut store, run, ids[0]);
    effects(&mut store, run, ids[0]);
}

/// What is known of the places in one repository.
fn places(store: &mut Store) {
    let ground = Ground {
        repository: "/r/.git".to_owned(),
        base: commit('1'),
        base_branch: None,
        branch: "orch/g/main".to_owned(),
        branch_prefix: "orch/g".to_owned(),
        root: "/r.orch/g".to_owned(),
        baseline: Baseline::Pending,
    };
    let (run, id) = write(store, |tx| {
        let name = slug("g");
        let new = run_table::NewRow {
            name: &name,
            title: "A run",
            goal: None,
            policy: &policy(),
            ground: Some(&ground),
        };
        let run = run_table::insert(tx, new, NOW)?;
        let made = new_task(tx, run, "a")?;
        let thread = new_thread(tx, "crew", 2)?;
        let id = attempt::next(tx)?;
        attempt::insert(tx, attempt_row(id, &made, 1, thread.id), NOW)?;
        worktree::insert(tx, &tree(id, run, 7))?;
        Ok((run, id))
    });
    let found = read(store, |tx| worktree::places(tx, "/r/.git"));
    let state = WorktreeState::Planned;
    let (path, branch) = (format!("/r.orch/{}", id.0), format!("orch/r/a.{}", id.0));
    assert_eq!(found, [worktree::Places { path, branch, state, leaf: "g/a.1".to_owned() }]);
    let grounds = read(store, run_table::with_ground);
    assert_eq!(grounds.iter().map(|run| run.id).collect::<Vec<_>>(), [run]);
}

fn conditions(store: &mut Store) {
    let condition =
        Condition { tree: "/t".to_owned(), branch: "b".to_owned(), base: commit('1'), needs_commit: true };
    let thread = write(store, |tx| {
        let thread = new_thread(tx, "crew", 2)?;
        thread_condition::insert(tx, thread.id, &condition)?;
        Ok(thread.id)
    });
    assert_eq!(read(store, |tx| thread_condition::load(tx, thread)), Some(condition));
    assert_eq!(read(store, |tx| thread_condition::found(tx, thread)), None);
    let found = Found { head: commit('2'), changes: Some("{}".to_owned()) };
    write(store, |tx| thread_condition::note(tx, thread, &found));
    assert_eq!(read(store, |tx| thread_condition::found(tx, thread)), Some(found));
}

fn checks(store: &mut Store, run: RunId, attempt: AttemptId) {
    let check = CheckRun {
        run,
        attempt: Some(attempt),
        stage: CheckStage::Attempt,
        source: CheckSource::Task,
        command: "make test".to_owned(),
        commit: commit('2'),
        state: CheckState::Failed,
        exit_status: Some(2),
        message: Some("It failed.".to_owned()),
        duration: Span(12),
        log: Some("/logs/1".to_owned()),
        at: Time(9),
    };
    let merged = CheckRun { stage: CheckStage::Merge, exit_status: None, log: None, ..check.clone() };
    let base = CheckRun { attempt: None, stage: CheckStage::Baseline, ..check.clone() };
    for one in [&check, &merged, &base] {
        write(store, |tx| check_run::insert(tx, one));
    }
    assert_eq!(read(store, |tx| check_run::of_attempt(tx, attempt)), [check, merged.clone()]);
    assert_eq!(read(store, |tx| check_run::of_stage(tx, run, CheckStage::Baseline)), [base]);
    write(store, |tx| check_run::clear(tx, attempt, CheckStage::Attempt));
    assert_eq!(read(store, |tx| check_run::of_attempt(tx, attempt)), [merged]);
    write(store, |tx| check_run::clear_run(tx, run, CheckStage::Baseline));
    assert_eq!(read(store, |tx| check_run::of_stage(tx, run, CheckStage::Baseline)), []);
}

fn effects(store: &mut Store, run: RunId, attempt: AttemptId) {
    assert!(!read(store, effect::any));
    for _ in 0..2 {
        write(store, |tx| effect::insert(tx, EffectKind::Verify, run, Some(attempt), NOW));
        write(store, |tx| effect::insert(tx, EffectKind::Branch, run, None, NOW));
    }
    let all = read(store, |tx| effect::all(tx, Some(run)));
    assert_eq!(all.iter().map(|one| one.kind).collect::<Vec<_>>(), [EffectKind::Verify, EffectKind::Branch]);
    assert_eq!(read(store, |tx| effect::all(tx, Some(RunId(99)))), []);
    let id = all[0].id;
    let holder = Holder { host: "h".to_owned(), process: "1-2-3".to_owned(), until: Time(99) };
    write(store, |tx| effect::hold(tx, id, &holder, 1));
    assert!(write(store, |tx| effect::intend(tx, id, 1, "{}")));
    let held = read(store, |tx| effect::of(tx, EffectKind::Verify, run, Some(attempt))).unwrap();
    assert_eq!((held.holder.as_ref(), held.taken, held.intent.as_deref()), (Some(&holder), 1, Some("{}")));
    write(store, |tx| effect::hold(tx, id, &holder, 2));
    assert!(!write(store, |tx| effect::intend(tx, id, 1, "late")), "an older taking writes nothing");
    assert!(!write(store, |tx| effect::finish(tx, id, 1)), "and ends nothing");
    assert!(!write(store, |tx| effect::let_go(tx, id, 1)));
    assert!(write(store, |tx| effect::let_go(tx, id, 2)));
    assert_eq!(read(store, |tx| effect::load(tx, id)).unwrap().holder, None);
    assert!(write(store, |tx| effect::finish(tx, id, 2)));
    assert_eq!(read(store, |tx| effect::load(tx, id)), None);
    assert_eq!(read(store, |tx| effect::load(tx, EffectId(99))), None);
    write(store, |tx| effect::withdraw(tx, EffectKind::Branch, run, None));
    assert!(!read(store, effect::any));
}
