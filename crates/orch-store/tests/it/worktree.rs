//! Worktrees, what threads ask of them, the checks that ran in them, and the effects on them.

use orch_core::check::{CheckKey, CheckRun, CheckSource, CheckStage, CheckState, KnownCheck};
use orch_core::effect::{Effect, EffectHolder, EffectKey, EffectKind, PendingEffect, RecordedMerge};
use orch_core::id::{AttemptId, CommitHash, EffectId, RunId, TreeHash};
use orch_core::operation_failure::{OperationFailure, OperationFaultCause, OperationRetries};
use orch_core::run::{BaselineStatus, RunGit};
use orch_core::task::TaskState;
use orch_core::thread::condition::{ClosingSnapshot, TreeCondition};
use orch_core::time::{Time, TimeSpan};
use orch_core::worktree::{Worktree, WorktreeState};
use orch_store::Store;
use orch_store::table::{
    attempt, check_result, check_run, dependency, effect, run as run_table, task, thread_condition, worktree,
};

use crate::StoreOpener;
use crate::fixture::{
    NOW, attempt_row, new_run, new_task, new_thread, read_store, test_policy, test_slug, write_store,
};

fn test_commit(digit: char) -> CommitHash {
    CommitHash::from_stored(digit.to_string().repeat(40))
}

fn test_worktree(attempt: AttemptId, run: RunId, slot: u32) -> Worktree {
    Worktree {
        attempt,
        run,
        state: WorktreeState::Planned,
        path: format!("/r.orch/{}", attempt.0),
        branch: format!("orch/r/a.{}", attempt.0),
        base: test_commit('1'),
        behind: 2,
        head: None,
        merged: None,
        fell_off: false,
        continues: None,
        changes: None,
        slot,
        salvage: None,
        updated_at: NOW,
    }
}

pub(crate) fn check_conformance(open: StoreOpener<'_>) {
    let mut store = open();
    let (run, [first_task, _], waiting, ids) = write_store(&mut store, |tx| {
        let run = new_run(tx, "r")?;
        let mut ids = Vec::new();
        for key in ["a", "b"] {
            let made = new_task(tx, run.id, key)?;
            let thread = new_thread(tx, "crew", 2)?;
            let id = attempt::next_id(tx)?;
            attempt::insert(tx, attempt_row(id, &made, 1, thread.id), NOW)?;
            task::save(tx, &orch_core::task::decide::start_attempt(&made, id, made.checks, NOW))?;
            ids.push((made.id, id));
        }
        let waiting = new_task(tx, run.id, "c")?;
        for (on, _) in &ids {
            dependency::insert(tx, waiting.id, *on)?;
        }
        let tasks = [ids[0].0, ids[1].0];
        let ids: Vec<AttemptId> = ids.into_iter().map(|(_, attempt)| attempt).collect();
        Ok((run.id, tasks, waiting.id, ids))
    });
    for (slot, id) in ids.iter().enumerate() {
        write_store(&mut store, |tx| {
            worktree::insert(tx, &test_worktree(*id, run, u32::try_from(slot).unwrap()))
        });
    }
    let mut first = test_worktree(ids[0], run, 0);
    slots_are_saved(&mut store, ids[0]);
    assert_eq!(read_store(&mut store, |tx| worktree::load(tx, ids[0])), Some(first.clone()));
    first.state = WorktreeState::Removed;
    (first.head, first.merged) = (Some(test_commit('2')), Some(test_commit('3')));
    (first.changes, first.salvage) = (Some("{}".to_owned()), Some("refs/orch/salvage/r/a.1".to_owned()));
    write_store(&mut store, |tx| worktree::save(tx, &first));
    assert_eq!(read_store(&mut store, |tx| worktree::load(tx, ids[0])), Some(first.clone()));
    let of = |store: &mut Store, after| read_store(store, |tx| worktree::list_by_run(tx, run, after, 9));
    assert_eq!(of(&mut store, AttemptId(0)).len(), 2);
    assert_eq!(of(&mut store, ids[0]), [test_worktree(ids[1], run, 1)]);
    assert_eq!(
        read_store(&mut store, |tx| worktree::list_not_removed(tx, run)),
        [test_worktree(ids[1], run, 1)]
    );
    assert_eq!(read_store(&mut store, |tx| worktree::count(tx, run)), 2);
    assert_eq!(read_store(&mut store, |tx| worktree::count_rework(tx, first_task)), 0);
    let list_unmerged =
        |store: &mut Store, state| read_store(store, |tx| worktree::list_unmerged_attempts(tx, run, state));
    assert_eq!(
        list_unmerged(&mut store, TaskState::Dispatched),
        [ids[1]],
        "the first is on the run's branch"
    );
    assert_eq!(list_unmerged(&mut store, TaskState::Done), []);
    let below = read_store(&mut store, |tx| worktree::list_of_dependencies(tx, waiting));
    let commits: Vec<_> = below.iter().map(|tree| (waiting, tree.accepted_commit().clone())).collect();
    assert_eq!(read_store(&mut store, |tx| worktree::list_commits_for_ready(tx, run)), commits);
    assert_eq!(below, [first, test_worktree(ids[1], run, 1)]);
    let at = |store: &mut Store, path: &str| read_store(store, |tx| worktree::load_by_path(tx, path));
    assert_eq!(at(&mut store, "/r.orch/2"), Some(test_worktree(ids[1], run, 1)));
    assert_eq!(at(&mut store, "/r.orch/1"), None, "it was removed");
    assert_eq!(
        read_store(&mut store, |tx| attempt::load_by_number(tx, first_task, 1)).map(|found| found.id),
        Some(ids[0])
    );
    assert_eq!(read_store(&mut store, |tx| attempt::load_by_number(tx, first_task, 2)), None);
    fallen_attempts(&mut store, run, &ids);
    attempt_locations(&mut store);
    conditions(&mut store);
    checks(&mut store, run, ids[0]);
    check_results(&mut store, run, ids[0]);
    effects(&mut store, run, ids[0]);
}

/// A merged attempt whose commit falls off the run's branch, and is merged again.
fn fallen_attempts(store: &mut Store, run: RunId, ids: &[AttemptId]) {
    let merged = |store: &mut Store| -> Vec<(AttemptId, bool)> {
        let trees = read_store(store, |tx| worktree::list_merged(tx, run));
        trees.into_iter().map(|tree| (tree.attempt, tree.fell_off)).collect()
    };
    let fallen = |store: &mut Store| read_store(store, |tx| worktree::list_fallen_tasks(tx, run)).len();
    assert_eq!((merged(store), fallen(store)), (vec![(ids[0], false)], 0));
    write_store(store, |tx| worktree::mark_fallen(tx, run, ids));
    assert_eq!(
        (merged(store), fallen(store)),
        (vec![(ids[0], true)], 1),
        "only what was merged can fall off"
    );
    write_store(store, |tx| worktree::mark_fallen(tx, run, &[]));
    assert_eq!((merged(store), fallen(store)), (vec![(ids[0], false)], 0));
    write_store(store, |tx| worktree::mark_fallen(tx, run, &ids[..1]));
    write_store(store, |tx| worktree::unmerge_fallen(tx, run));
    assert_eq!((merged(store), fallen(store)), (vec![], 1));
    let unmerged = read_store(store, |tx| worktree::list_unmerged_attempts(tx, run, TaskState::Cancelled));
    assert_eq!(unmerged, [ids[0]], "in whatever state its task is");
}

/// What is known of the places in one repository.
fn attempt_locations(store: &mut Store) {
    let ground = RunGit {
        repository: "/r/.git".to_owned(),
        base: test_commit('1'),
        base_branch: None,
        branch: "orch/g/main".to_owned(),
        tip: test_commit('1'),
        seen: None,
        branch_prefix: "orch/g".to_owned(),
        root: "/r.orch/g".to_owned(),
        baseline: BaselineStatus::Pending,
    };
    let (run, id) = write_store(store, |tx| {
        let name = test_slug("g");
        let new = run_table::NewRunRow {
            name: &name,
            title: "A run",
            goal: None,
            policy: &test_policy(),
            ground: Some(&ground),
            folder: None,
        };
        let run = run_table::insert(tx, new, NOW)?;
        let made = new_task(tx, run, "a")?;
        let thread = new_thread(tx, "crew", 2)?;
        let id = attempt::next_id(tx)?;
        attempt::insert(tx, attempt_row(id, &made, 1, thread.id), NOW)?;
        worktree::insert(tx, &test_worktree(id, run, 7))?;
        Ok((run, id))
    });
    let found = read_store(store, |tx| worktree::list_locations(tx, "/r/.git"));
    let state = WorktreeState::Planned;
    let (path, branch) = (format!("/r.orch/{}", id.0), format!("orch/r/a.{}", id.0));
    assert_eq!(
        found,
        [worktree::AttemptLocation {
            path,
            branch,
            state,
            leaf: "g/a.1".to_owned(),
            is_used: true,
            attempt: id
        }]
    );
    let grounds = read_store(store, run_table::list_with_git);
    assert_eq!(grounds.iter().map(|run| run.id).collect::<Vec<_>>(), [run]);
}

fn conditions(store: &mut Store) {
    let condition = TreeCondition {
        tree: "/t".to_owned(),
        branch: "b".to_owned(),
        base: test_commit('1'),
        needs_commit: true,
        merges: None,
    };
    let thread = write_store(store, |tx| {
        let thread = new_thread(tx, "crew", 2)?;
        thread_condition::insert(tx, thread.id, &condition)?;
        Ok(thread.id)
    });
    assert_eq!(read_store(store, |tx| thread_condition::load(tx, thread)), Some(condition));
    assert_eq!(read_store(store, |tx| thread_condition::load_snapshot(tx, thread)), None);
    let found = ClosingSnapshot { head: test_commit('2'), changes: Some("{}".to_owned()) };
    write_store(store, |tx| thread_condition::save_snapshot(tx, thread, &found));
    assert_eq!(read_store(store, |tx| thread_condition::load_snapshot(tx, thread)), Some(found));
}

fn checks(store: &mut Store, run: RunId, attempt: AttemptId) {
    let check = CheckRun {
        run,
        attempt: Some(attempt),
        stage: CheckStage::Attempt,
        source: CheckSource::Task,
        command: "make test".to_owned(),
        commit: test_commit('2'),
        state: CheckState::Failed,
        exit_status: Some(2),
        message: Some("It failed.".to_owned()),
        tree: Some(TreeHash::from_stored("4".repeat(40))),
        env_not_passed: Vec::new(),
        reused: true,
        flaky: true,
        duration: TimeSpan(12),
        log: Some("/logs/1".to_owned()),
        at: Time(9),
    };
    let merged = CheckRun { stage: CheckStage::Merge, exit_status: None, log: None, ..check.clone() };
    let base = CheckRun { attempt: None, stage: CheckStage::Baseline, ..check.clone() };
    for one in [&check, &merged, &base] {
        write_store(store, |tx| check_run::insert(tx, one));
    }
    let both = [check, merged.clone()];
    assert_eq!(read_store(store, |tx| check_run::list_by_attempt(tx, attempt)), both);
    let mut of_many = |ids: &[AttemptId]| read_store(store, |tx| check_run::list_by_attempts(tx, ids));
    assert_eq!((of_many(&[attempt, AttemptId(99)]), of_many(&[])), (both.to_vec(), Vec::new()));
    assert_eq!(read_store(store, |tx| check_run::list_by_stage(tx, run, CheckStage::Baseline)), [base]);
    let judged = read_store(store, |tx| check_run::list_by_attempt(tx, attempt));
    let of_attempt = judged.iter().filter(|check| check.stage == CheckStage::Attempt).count();
    write_store(store, |tx| check_run::take_over_attempt_checks(tx, attempt));
    let taken = read_store(store, |tx| check_run::list_by_attempt(tx, attempt));
    let of_merge: Vec<_> = taken.iter().filter(|check| check.stage == CheckStage::Merge).collect();
    assert_eq!(of_merge.len(), of_attempt, "they take the place of what the merge had");
    write_store(store, |tx| check_run::clear_attempt(tx, attempt, CheckStage::Merge));
    write_store(store, |tx| check_run::insert(tx, &merged));
    write_store(store, |tx| check_run::clear_attempt(tx, attempt, CheckStage::Attempt));
    assert_eq!(read_store(store, |tx| check_run::list_by_attempt(tx, attempt)), [merged]);
    write_store(store, |tx| check_run::clear_run(tx, run, CheckStage::Baseline));
    assert_eq!(read_store(store, |tx| check_run::list_by_stage(tx, run, CheckStage::Baseline)), []);
}

/// A result is known by its key, the newest ones are kept, and it ends with the run.
fn check_results(store: &mut Store, run: RunId, attempt: AttemptId) {
    let known = |state, at| KnownCheck {
        state,
        flaky: true,
        exit_status: Some(3),
        message: Some("It failed.".to_owned()),
        duration: TimeSpan(12),
        log: Some("/logs/1".to_owned()),
        tail: Some("line 7".to_owned()),
        env_not_passed: Vec::new(),
        attempt: None,
        series: "s".to_owned(),
        at: Time(at),
    };
    let key = |name: &str| CheckKey::from_digest(name.to_owned());
    let save = |store: &mut Store, name: &str, known: &KnownCheck| {
        write_store(store, |tx| check_result::save(tx, run, Some(attempt), &key(name), known));
    };
    let find = |store: &mut Store, since| {
        read_store(store, |tx| check_result::find(tx, run, &[key("a"), key("b")], Time(since)))
    };
    for (name, at) in [("a", 1), ("b", 2), ("c", 3)] {
        save(store, name, &known(CheckState::Failed, at));
    }
    save(store, "a", &known(CheckState::Passed, 7));
    let found = find(store, 3);
    let passed = KnownCheck { attempt: found[0].1.attempt.clone(), ..known(CheckState::Passed, 7) };
    assert_eq!(found, [(key("a"), passed)], "an older one does not count");
    assert_eq!(found[0].1.attempt.as_ref().map(ToString::to_string).as_deref(), Some("r/a@1"));
    assert_eq!(find(store, 0).len(), 2);
    write_store(store, |tx| check_result::prune(tx, run, 1));
    assert_eq!((read_store(store, |tx| check_result::count(tx, run)), find(store, 0)), (1, Vec::new()));
    write_store(store, |tx| check_result::clear(tx, run));
    assert_eq!(read_store(store, |tx| check_result::count(tx, run)), 0);
}

fn effects(store: &mut Store, run: RunId, attempt: AttemptId) {
    assert!(!read_store(store, effect::any_pending));
    let verify = Effect::VerifyAttempt { attempt, since: None };
    let keys =
        [EffectKey::of_attempt(EffectKind::Verify, run, attempt), EffectKey::of_run(EffectKind::Branch, run)];
    for _ in 0..2 {
        write_store(store, |tx| effect::insert(tx, run, &verify, NOW));
        write_store(store, |tx| effect::insert(tx, run, &Effect::CreateBranch, NOW));
    }
    let all = read_store(store, |tx| effect::list_pending(tx, Some(run)));
    assert_eq!(all.iter().map(PendingEffect::key).collect::<Vec<_>>(), keys);
    assert_eq!(read_store(store, |tx| effect::list_pending(tx, Some(RunId(99)))), []);
    let id = all[0].id;
    let holder = EffectHolder { host: "h".to_owned(), process: "1-2-3".to_owned(), until: Time(99) };
    write_store(store, |tx| effect::acquire_lease(tx, id, &holder, 1));
    let held = read_store(store, |tx| effect::find_pending(tx, keys[0])).unwrap();
    assert_eq!((held.holder.as_ref(), held.lease_number, &held.effect), (Some(&holder), 1, &verify));
    assert_eq!(write_store(store, |tx| effect::insert_held(tx, run, &verify, &holder, NOW)), None);
    write_store(store, |tx| effect::acquire_lease(tx, id, &holder, 2));
    assert!(
        !write_store(store, |tx| effect::save_payload(tx, id, 1, &verify)),
        "an older lease writes nothing"
    );
    assert!(!write_store(store, |tx| effect::delete_performed(tx, id, 1)), "and completes nothing");
    assert!(!write_store(store, |tx| effect::release_lease(tx, id, 1)));
    assert!(write_store(store, |tx| effect::release_lease(tx, id, 2)));
    assert_eq!(read_store(store, |tx| effect::load(tx, id)).unwrap().holder, None);
    failures_of_effects(store, run, id);
    let again = write_store(store, |tx| effect::insert_held(tx, run, &verify, &holder, NOW)).unwrap();
    assert_eq!((again.id, again.lease_number, again.holder), (id, 3, Some(holder.clone())));
    assert!(write_store(store, |tx| effect::delete_performed(tx, id, 3)));
    assert_eq!(read_store(store, |tx| effect::load(tx, id)), None);
    assert_eq!(read_store(store, |tx| effect::load(tx, EffectId(99))), None);
    recorded_merge(store, run, attempt, &holder);
    write_store(store, |tx| effect::withdraw_effect(tx, keys[1]));
    assert!(!read_store(store, effect::any_pending));
}

/// Asking for an effect again keeps what its performer recorded.
fn recorded_merge(store: &mut Store, run: RunId, attempt: AttemptId, holder: &EffectHolder) {
    let commit = CommitHash::from_stored("1".repeat(40));
    let merging = Effect::IntegrateRun { merging: Some(RecordedMerge { attempt, commit }) };
    let unknown = Effect::IntegrateRun { merging: None };
    let first = write_store(store, |tx| effect::insert_held(tx, run, &unknown, holder, NOW)).unwrap();
    assert_eq!((&first.effect, first.lease_number), (&unknown, 1));
    assert!(write_store(store, |tx| effect::save_payload(tx, first.id, 1, &merging)));
    assert!(write_store(store, |tx| effect::release_lease(tx, first.id, 1)));
    let again = write_store(store, |tx| effect::insert_held(tx, run, &unknown, holder, NOW)).unwrap();
    assert_eq!((&again.effect, again.lease_number), (&merging, 2));
    assert!(write_store(store, |tx| effect::delete_performed(tx, again.id, 2)));
}

fn slots_are_saved(store: &mut Store, id: AttemptId) {
    assert_eq!(read_store(store, worktree::used_slots), [0, 1]);
    for slot in [7, 0] {
        write_store(store, |tx| worktree::save_slot(tx, id, slot));
        assert_eq!(read_store(store, |tx| worktree::load(tx, id)).unwrap().slot, slot);
    }
}

/// A failure is saved under the newest lease, releases it, and is found until it is forgotten.
fn failures_of_effects(store: &mut Store, run: RunId, id: EffectId) {
    let failure = OperationFailure {
        cause: OperationFaultCause::Other,
        message: "It failed.".to_owned(),
        command: Some("git worktree add".to_owned()),
        exit_status: Some(128),
        last_lines: vec!["fatal".to_owned()],
        path: None,
    };
    let retries = OperationRetries { failures: 2, waits: 1, retry_at: Some(Time(99)), last: Some(failure) };
    assert_eq!(read_store(store, |tx| effect::list_failed(tx, run)), []);
    assert!(
        !write_store(store, |tx| effect::save_failure(tx, id, 1, &retries)),
        "an older lease says nothing"
    );
    assert!(write_store(store, |tx| effect::save_failure(tx, id, 2, &retries)));
    let found = read_store(store, |tx| effect::load(tx, id)).unwrap();
    assert_eq!((&found.retries, &found.holder), (&retries, &None));
    assert_eq!(read_store(store, |tx| effect::list_failed(tx, run)), std::slice::from_ref(&found));
    assert_eq!(read_store(store, effect::list_all_failed), std::slice::from_ref(&found));
    assert_eq!(read_store(store, |tx| effect::list_failed_many(tx, &[RunId(99), run])), [found]);
    assert_eq!(write_store(store, |tx| effect::end_delays(tx, run)), 1);
    assert_eq!(read_store(store, |tx| effect::load(tx, id)).unwrap().retries.retry_at, None);
    assert_eq!(write_store(store, |tx| effect::end_delays(tx, run)), 0, "nothing is delayed any more");
    assert_eq!(read_store(store, |tx| effect::list_held(tx, &[run])), []);
    assert_eq!(write_store(store, |tx| effect::forget_failures(tx, run, Some(EffectId(99)))), 0);
    assert_eq!(write_store(store, |tx| effect::forget_failures(tx, run, None)), 1);
    let forgotten = read_store(store, |tx| effect::load(tx, id)).unwrap().retries;
    assert_eq!(forgotten, OperationRetries::default());
}
