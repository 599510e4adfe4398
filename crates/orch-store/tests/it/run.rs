//! Runs.

use orch_core::check::{CheckIdentity, CheckPolicy, FlakyVerdict};
use orch_core::id::{CommitHash, RunId, Slug};
use orch_core::run::budget::UsageLimits;
use orch_core::run::{
    AttemptRules, BaselineStatus, BranchMovePolicy, Budget, LandingManner, PauseReason, ResourceUsage,
    ReviewPolicy, Run, RunGit, RunLanding, RunOutcome, RunPause, RunState, TokenUsage,
};
use orch_core::task::TaskState;
use orch_core::time::{Time, TimeSpan};
use orch_store::Store;
use orch_store::table::run;

use crate::StoreOpener;
use crate::fixture::{NOW, new_run, read_store, test_policy, test_slug, write_store};

pub(crate) fn check_conformance(open: StoreOpener<'_>) {
    let mut store = open();
    assert_eq!(read_store(&mut store, run::load_last_changed), None);
    let first = write_store(&mut store, |tx| new_run(tx, "first"));
    assert_eq!((first.state.clone(), first.policy.clone()), (RunState::Open, test_policy()));
    assert_eq!((first.counts.total(), first.created_at), (0, NOW));
    let second = write_store(&mut store, |tx| new_run(tx, "second"));
    assert!(read_store(&mut store, |tx| run::name_exists(tx, &test_slug("first"))));
    assert!(!read_store(&mut store, |tx| run::name_exists(tx, &test_slug("third"))));
    assert_eq!(read_store(&mut store, |tx| run::load_by_name(tx, &test_slug("first"))), Some(first.clone()));
    assert_eq!(read_store(&mut store, |tx| run::load_by_name(tx, &test_slug("third"))), None);
    assert_eq!(read_store(&mut store, run::count), 2);

    let pause = RunPause {
        reason: PauseReason::User,
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
        (0..=index).for_each(|_| changed.counts.add_task(state));
    }
    let states = [
        RunState::Paused(pause),
        RunState::Finished(RunOutcome::Partial),
        RunState::Cancelled,
        RunState::Open,
    ];
    for state in states {
        changed.state = state;
        write_store(&mut store, |tx| run::save(tx, &changed));
        assert_eq!(read_store(&mut store, |tx| run::load(tx, changed.id)), Some(changed.clone()));
        let unfinished = read_store(&mut store, run::list_unfinished);
        let expected = if changed.state.status().is_unfinished() { 2 } else { 1 };
        assert_eq!(unfinished.len(), expected, "{:?}", changed.state);
    }
    assert_eq!(read_store(&mut store, run::load_last_changed).unwrap().id, changed.id);
    let listed = |store: &mut _, before, limit| {
        let found = read_store(store, |tx| run::list(tx, before, limit));
        found.iter().map(|run| run.id).collect::<Vec<_>>()
    };
    assert_eq!(listed(&mut store, RunId(i64::MAX), 9), [second.id, first.id], "newest first");
    assert_eq!(listed(&mut store, second.id, 9), [first.id]);
    assert_eq!(listed(&mut store, RunId(i64::MAX), 1), [second.id]);

    spending_grows(&mut store, &changed);
    a_landing_is_kept(&mut store, &changed);
    run_git_is_kept(&mut store);
}

/// What is spent only grows, and no other change touches it.
fn spending_grows(store: &mut Store, run: &Run) {
    let tokens = |times: i64| TokenUsage { input: 4 * times, cached_input: 3 * times, output: 2 * times };
    let more = ResourceUsage { cost_micros: Some(5), tokens: Some(tokens(1)), attempts: 1 };
    let unknown = ResourceUsage { attempts: 1, ..ResourceUsage::default() };
    write_store(store, |tx| run::add_usage(tx, run.id, unknown));
    let counted = Run { spent: unknown, ..run.clone() };
    assert_eq!(read_store(store, |tx| run::load(tx, run.id)), Some(counted), "the unknown is not 0");
    for times in 1..=2 {
        write_store(store, |tx| run::add_usage(tx, run.id, more));
        let spent =
            ResourceUsage { cost_micros: Some(5 * times), tokens: Some(tokens(times)), attempts: times + 1 };
        assert_eq!(read_store(store, |tx| run::load(tx, run.id)), Some(Run { spent, ..run.clone() }));
        write_store(store, |tx| run::save(tx, run));
    }
}

/// The last landing replaces the one before, and no other change touches it.
fn a_landing_is_kept(store: &mut Store, run: &Run) {
    let first = RunLanding {
        onto: "main".to_owned(),
        commit: CommitHash::from_stored("1".repeat(40)),
        manner: LandingManner::Checked,
        reason: None,
        partial: true,
        tasks: 2,
        by: Slug::from_stored("lead".to_owned()),
        at: Time(7),
    };
    let manner = LandingManner::Unverified;
    let second = RunLanding { manner, reason: Some("urgent".to_owned()), ..first.clone() };
    for landing in [first, second] {
        write_store(store, |tx| run::save_landing(tx, run.id, &landing));
        write_store(store, |tx| run::save(tx, run));
        let loaded = read_store(store, |tx| run::load(tx, run.id)).unwrap();
        assert_eq!(loaded.landing, Some(landing));
    }
}

/// A run that begins from a commit, with everything that judges it.
fn other_rules() -> AttemptRules {
    let text = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    AttemptRules {
        verify: text(&["make", "make test"]),
        setup: Some("npm ci".to_owned()),
        copy: text(&[".env"]),
        protect: text(&["Cargo.lock"]),
        check_limit: TimeSpan::from_minutes(2),
        checks: CheckPolicy { by: CheckIdentity::Commit, retries: 4, flaky: FlakyVerdict::Fail },
        check_cache: text(&["target/"]),
        check_env: text(&["DATABASE_URL", "CI=1"]),
        inherits_env: true,
        setup_key: text(&["package-lock.json"]),
        setup_may_change: text(&["package-lock.json", "*.sum"]),
        on_branch_move: BranchMovePolicy::Pause,
        review: ReviewPolicy::Protected,
        trailers: false,
        run_hooks: true,
        rework: 3,
    }
}

fn run_git_is_kept(store: &mut Store) {
    let ground = RunGit {
        repository: "/r/.git".to_owned(),
        base: CommitHash::from_stored("1".repeat(40)),
        base_branch: Some("main".to_owned()),
        branch: "orch/third/main".to_owned(),
        branch_prefix: "orch/third".to_owned(),
        tip: CommitHash::from_stored("1".repeat(40)),
        seen: None,
        root: "/r.orch/third".to_owned(),
        baseline: BaselineStatus::Pending,
    };
    let name = test_slug("third");
    let policy = test_policy();
    let new = run::NewRunRow {
        name: &name,
        title: "T",
        goal: None,
        policy: &policy,
        ground: Some(&ground),
        folder: None,
    };
    let id = write_store(store, |tx| run::insert(tx, new, NOW));
    let mut made = read_store(store, |tx| run::load(tx, id)).unwrap();
    assert_eq!((made.ground.as_ref(), &made.rules), (Some(&ground), &AttemptRules::default()));
    made.ground = Some(RunGit {
        baseline: BaselineStatus::Failed,
        tip: CommitHash::from_stored("2".repeat(40)),
        seen: Some(CommitHash::from_stored("3".repeat(40))),
        ..ground
    });
    made.faults = 2;
    made.rules = other_rules();
    let limits = |first: i64| UsageLimits {
        wall: Some(TimeSpan(first)),
        cost_micros: Some(first + 1),
        tokens: Some(first + 2),
    };
    made.budget = Budget {
        run: limits(4),
        task: limits(7),
        attempt: limits(10),
        max_attempts_all: Some(13),
        attempt_reserve_micros: Some(14),
    };
    write_store(store, |tx| {
        run::save(tx, &made)?;
        run::save_rules(tx, made.id, &made.rules, &made.budget)
    });
    assert_eq!(read_store(store, |tx| run::load(tx, made.id)), Some(made.clone()));
    write_store(store, |tx| run::delete(tx, made.id));
    assert_eq!(read_store(store, |tx| run::load(tx, made.id)), None);
}
