//! Tables of every decision about a task.

use super::*;
use crate::id::{CommitHash, RunId, Slug, TaskId, TaskName, ThreadId};
use crate::lease::LeaseLength;
use crate::refusal::TreeRefusal;
use crate::run::decide::resume_run;
use crate::run::{
    AttemptRules, BaselineStatus, Budget, DoneWhen, PauseReason, ResourceUsage, RunGit, RunPause, RunState,
    TaskCounts,
};
use crate::task::ChecksStatus;

const NOW: Time = Time(1_000_000);

fn slug(name: &str) -> Slug {
    Slug::new(name).unwrap()
}

/// Returns a task in a state as it may be found: with an attempt where it must have one, with counters that fit.
fn task(state: TaskState) -> Task {
    let (unmet, broken) = match state {
        TaskState::Waiting => (1, 0),
        TaskState::Skipped => (1, 1),
        _ => (0, 0),
    };
    Task {
        id: TaskId(1),
        run: RunId(1),
        name: TaskName { run: slug("r"), key: slug("a") },
        title: "Do it".to_owned(),
        priority: 2,
        labels: Vec::new(),
        agent: None,
        state,
        unmet,
        broken,
        rank: 0,
        not_before: None,
        held: false,
        attempt: state.is_live().then_some(LastAttempt { id: AttemptId(1), number: 1 }),
        failures: 0,
        losses: 0,
        releases: 0,
        faults: 0,
        max_attempts: None,
        allow_empty: false,
        checks: ChecksStatus::None,
        created_at: Time(0),
        updated_at: Time(0),
    }
}

fn policy() -> Policy {
    Policy {
        done_when: DoneWhen::Reported,
        max_active: None,
        max_attempts: 3,
        retry_delay: TimeSpan::from_seconds(10),
        lease: LeaseLength::DEFAULT,
        answer_after: None,
    }
}

fn run(state: RunState) -> Run {
    Run {
        id: RunId(1),
        name: slug("r"),
        title: "R".to_owned(),
        goal: None,
        state,
        policy: policy(),
        rules: AttemptRules::default(),
        budget: Budget::default(),
        spent: ResourceUsage::default(),
        ground: None,
        folder: None,
        faults: 0,
        landing: None,
        counts: TaskCounts::default(),
        keys_made: 0,
        created_at: Time(0),
        updated_at: Time(0),
    }
}

fn paused() -> RunState {
    RunState::Paused(RunPause { reason: PauseReason::User, message: None, at: NOW, until: None })
}

/// Returns a reason as a word.
fn reason_name(reason: &NotReadyReason) -> &'static str {
    match reason {
        NotReadyReason::WaitingDependency { .. } => "waiting",
        NotReadyReason::Live { .. } => "live",
        NotReadyReason::Backoff { .. } => "backoff",
        NotReadyReason::Held => "held",
        NotReadyReason::RunPaused { .. } => "paused",
        NotReadyReason::NoAgent => "no agent",
        NotReadyReason::DependencyFailed { .. } => "broken",
        NotReadyReason::Finished { .. } => "finished",
        NotReadyReason::Cancelled => "cancelled",
        NotReadyReason::RunCancelled { .. } => "run cancelled",
        other => panic!("{other:?}"),
    }
}

/// Returns a refusal as words.
fn describe_refusal(refusal: &Refusal) -> String {
    match refusal {
        Refusal::AttemptLive { attempt, .. } => format!("live {attempt}"),
        Refusal::TaskNotReady { reasons, .. } => {
            format!("not ready: {}", reasons.iter().map(reason_name).collect::<Vec<_>>().join(" "))
        }
        Refusal::CapacityReached { max, active, .. } => format!("{active} of {max}"),
        Refusal::TaskFinished { state, .. } => format!("finished {}", state.name()),
        Refusal::TaskSkipped { .. } => "skipped".to_owned(),
        Refusal::NothingToRedo { state, .. } => format!("nothing to redo {}", state.name()),
        Refusal::NothingToRetry { state, .. } => format!("nothing to retry {}", state.name()),
        Refusal::AttemptNotFound { .. } => "no attempt".to_owned(),
        Refusal::RunNotOpen { status, .. } => format!("run {}", status.name()),
        other => panic!("{other:?}"),
    }
}

fn describe_outcome(decided: Result<Task, Refusal>) -> String {
    decided.map_or_else(|refusal| describe_refusal(&refusal), |task| task.state.name().to_owned())
}

#[test]
fn dispatches() {
    let check = |run: &Run, task: &Task, to: Option<&str>, expected: &str| {
        let got = decide_dispatch(run, task, to.map(slug).as_ref(), NOW);
        let got = got.map_or_else(|refusal| describe_refusal(&refusal), |agent| format!("to {agent}"));
        assert_eq!(got, expected, "{:?} {:?} {to:?}", run.state.status(), task.state);
    };
    let by_state = [
        (TaskState::Waiting, "not ready: waiting"),
        (TaskState::Ready, "to w"),
        (TaskState::Dispatched, "live r/a@1"),
        (TaskState::Running, "live r/a@1"),
        (TaskState::Blocked, "live r/a@1"),
        (TaskState::Reported, "live r/a@1"),
        (TaskState::Done, "not ready: finished"),
        (TaskState::Failed, "not ready: finished"),
        (TaskState::Skipped, "not ready: broken"),
        (TaskState::Cancelled, "not ready: cancelled"),
    ];
    assert_eq!(by_state.map(|(state, _)| state), TaskState::ALL);
    for (state, expected) in by_state {
        check(&run(RunState::Open), &task(state), Some("w"), expected);
    }
    let ready = task(TaskState::Ready);
    check(&run(paused()), &ready, Some("w"), "not ready: paused");
    check(&run(paused()), &task(TaskState::Waiting), Some("w"), "not ready: waiting paused");
    check(&run(paused()), &task(TaskState::Done), Some("w"), "not ready: finished");
    for state in [TaskState::Ready, TaskState::Failed, TaskState::Cancelled] {
        check(&run(RunState::Cancelled), &task(state), Some("w"), "not ready: run cancelled");
    }
    check(&run(RunState::Open), &ready, None, "not ready: no agent");
    let own = Task { agent: Some(slug("v")), ..ready.clone() };
    check(&run(RunState::Open), &own, None, "to v");
    check(&run(RunState::Open), &own, Some("w"), "to w");
    for (until, expected) in [(NOW.0 + 1, "not ready: backoff"), (NOW.0, "to w"), (0, "to w")] {
        check(
            &run(RunState::Open),
            &Task { not_before: Some(Time(until)), ..ready.clone() },
            Some("w"),
            expected,
        );
    }
}

#[test]
fn capacities() {
    let check = |max: Option<u32>, states: &[TaskState], expected: &str| {
        let mut run = run(RunState::Open);
        run.policy.max_active = max;
        states.iter().for_each(|state| run.counts.add_task(*state));
        let got = decide_dispatch(&run, &task(TaskState::Ready), Some(&slug("w")), NOW);
        let got = got.map_or_else(|refusal| describe_refusal(&refusal), |_| "free".to_owned());
        assert_eq!(got, expected, "{max:?} {states:?}");
    };
    use TaskState as T;
    check(None, &[T::Running; 50], "free");
    check(Some(2), &[T::Running], "free");
    check(Some(2), &[T::Running, T::Blocked], "2 of 2");
    check(Some(2), &[T::Dispatched, T::Blocked, T::Running], "3 of 2");
    check(Some(2), &[T::Reported, T::Reported, T::Running], "free");
    check(Some(1), &[T::Ready, T::Waiting, T::Done, T::Failed, T::Skipped, T::Cancelled], "free");
    // What is not ready is told so, also where the run is full.
    let mut full = run(RunState::Open);
    full.policy.max_active = Some(0);
    let refused = decide_dispatch(&full, &task(T::Waiting), Some(&slug("w")), NOW).unwrap_err();
    assert_eq!(describe_refusal(&refused), "not ready: waiting");
}

#[test]
fn attempts_are_numbered_on() {
    let before = Task {
        attempt: Some(LastAttempt { id: AttemptId(4), number: 2 }),
        not_before: Some(Time(5)),
        ..task(TaskState::Ready)
    };
    let after = start_attempt(&before, AttemptId(9), ChecksStatus::Pending, NOW);
    assert_eq!(after.attempt, Some(LastAttempt { id: AttemptId(9), number: 3 }));
    assert_eq!((after.state, after.not_before, after.updated_at), (TaskState::Dispatched, None, NOW));
    assert_eq!(
        start_attempt(&task(TaskState::Ready), AttemptId(1), ChecksStatus::None, NOW).attempt.unwrap().number,
        1
    );
}

/// Returns the result for a running task with these counters: its state, counters and retry delay.
fn end_and_describe(
    before: (u32, u32),
    how: UnsuccessfulEnd,
    status: RunStatus,
) -> (&'static str, u32, u32, Option<i64>) {
    let (failures, losses) = before;
    let before = Task { failures, losses, ..task(TaskState::Running) };
    let after = end_attempt(&before, how, &policy(), status, NOW);
    let delay = after.not_before.map(|at| (at - NOW).0);
    (after.state.name(), after.failures, after.losses, delay)
}

#[test]
fn unsuccessful_ends() {
    use UnsuccessfulEnd as U;
    let failed = U::Failed { last: false, at: NOW };
    let for_good = U::Failed { last: true, at: NOW };
    let a_while_ago = U::Failed { last: false, at: Time(NOW.0 - 30_000) };
    let open = RunStatus::Open;
    for (before, how, expected) in [
        ((0, 0), failed, ("ready", 1, 0, Some(10_000))),
        ((1, 0), failed, ("ready", 2, 0, Some(20_000))),
        ((2, 0), failed, ("failed", 3, 0, None)),
        ((0, 8), failed, ("ready", 1, 8, Some(10_000))),
        ((0, 0), a_while_ago, ("ready", 1, 0, Some(-20_000))),
        ((0, 0), for_good, ("failed", 1, 0, None)),
        ((0, 0), U::Rejected, ("ready", 1, 0, Some(10_000))),
        ((2, 0), U::Rejected, ("failed", 3, 0, None)),
        ((0, 0), U::Lost, ("ready", 0, 1, None)),
        ((2, 7), U::Lost, ("ready", 2, 8, None)),
        ((2, 8), U::Lost, ("failed", 2, 9, None)),
    ] {
        assert_eq!(end_and_describe(before, how, open), expected, "{before:?} {how:?}");
        assert_eq!(
            end_and_describe(before, how, RunStatus::Paused),
            expected,
            "a pause changes nothing: {how:?}"
        );
    }
    // In a cancelled run there is no next try.
    for (before, how, expected) in [
        ((0, 0), failed, ("cancelled", 1, 0, None)),
        ((2, 0), failed, ("failed", 3, 0, None)),
        ((0, 0), for_good, ("failed", 1, 0, None)),
        ((0, 0), U::Rejected, ("cancelled", 1, 0, None)),
        ((0, 0), U::Lost, ("cancelled", 0, 1, None)),
        ((0, 8), U::Lost, ("failed", 0, 9, None)),
    ] {
        assert_eq!(end_and_describe(before, how, RunStatus::Cancelled), expected, "{before:?} {how:?}");
    }
    // A task's own limit goes before the run's, for losses as well.
    let own = Task { max_attempts: Some(1), ..task(TaskState::Blocked) };
    assert_eq!(end_attempt(&own, failed, &policy(), open, NOW).state, TaskState::Failed);
    assert_eq!(end_attempt(&own, U::Lost, &policy(), open, NOW).state, TaskState::Ready);
    let lost_twice = Task { losses: 2, ..own };
    assert_eq!(end_attempt(&lost_twice, U::Lost, &policy(), open, NOW).state, TaskState::Failed);
}

#[test]
fn releases_have_a_limit_of_their_own() {
    for (releases, times, after, spent) in
        [(0, 1, 1, false), (6, 2, 8, false), (8, 1, 9, true), (0, 20, 20, true)]
    {
        let before = Task { releases, losses: 8, ..task(TaskState::Running) };
        let (task, over) = count_releases(&before, times, &policy());
        assert_eq!((task.releases, task.losses, over), (after, 8, spent), "{releases} + {times}");
    }
    let spent = Task { releases: 9, ..task(TaskState::Running) };
    let ended = end_attempt(&spent, UnsuccessfulEnd::Released, &policy(), RunStatus::Open, NOW);
    assert_eq!((ended.state, ended.losses, ended.failures), (TaskState::Failed, 0, 0));
}

#[test]
fn faults_of_the_tool_have_a_limit_of_their_own() {
    let fault = |faults| {
        let before = Task { faults, failures: 2, losses: 8, releases: 8, ..task(TaskState::Dispatched) };
        let after = end_attempt(&before, UnsuccessfulEnd::Unprepared(1), &policy(), RunStatus::Open, NOW);
        (after.state, after.faults, after.failures)
    };
    assert_eq!(fault(0), (TaskState::Ready, 1, 2));
    assert_eq!(fault(7), (TaskState::Ready, 8, 2));
    assert_eq!(fault(8), (TaskState::Failed, 9, 2));
}

#[test]
fn delays_double_up_to_a_cap() {
    for (first, failures, expected) in [
        (10_000, 1, 10_000),
        (10_000, 2, 20_000),
        (10_000, 5, 160_000),
        (10_000, 6, 300_000),
        (10_000, 1_000, 300_000),
        (0, 7, 0),
        (1, u32::MAX, 300_000),
        (3_600_000, 1, 3_600_000),
        (3_600_000, 4, 3_600_000),
        (i64::MAX, 9, i64::MAX),
    ] {
        assert_eq!(retry_delay(TimeSpan(first), failures).0, expected, "{first} {failures}");
    }
}

#[test]
fn tries_left_never_go_below_none() {
    for (failures, own, expected) in [(0, None, 3), (2, None, 1), (3, None, 0), (9, None, 0), (1, Some(9), 8)]
    {
        let task = Task { failures, max_attempts: own, ..task(TaskState::Ready) };
        assert_eq!(tries_left(&task, &policy()), expected, "{failures} {own:?}");
        let ended = Task { state: TaskState::Failed, ..task };
        assert_eq!(tries_left(&ended, &policy()), 0, "it failed for good, or was lost too often");
    }
}

/// Returns what each state says to a decision, in the order of [`TaskState::ALL`].
fn check_states(decide: impl Fn(&Task) -> String, expected: [&str; 10]) {
    for (state, expected) in TaskState::ALL.into_iter().zip(expected) {
        assert_eq!(decide(&task(state)), expected, "{}", state.name());
    }
}

#[test]
fn recalls() {
    let expected = [
        "no attempt",
        "no attempt",
        "ready",
        "ready",
        "ready",
        "ready",
        "no attempt",
        "no attempt",
        "no attempt",
        "no attempt",
    ];
    check_states(|task| describe_outcome(recall_attempt(task, RunStatus::Open, NOW)), expected);
    check_states(|task| describe_outcome(recall_attempt(task, RunStatus::Paused, NOW)), expected);
    check_states(
        |task| describe_outcome(recall_attempt(task, RunStatus::Cancelled, NOW)),
        expected.map(|word| if word == "ready" { "cancelled" } else { word }),
    );
    let counted = Task { failures: 1, losses: 2, ..task(TaskState::Running) };
    let recalled = recall_attempt(&counted, RunStatus::Open, NOW).unwrap();
    assert_eq!((recalled.failures, recalled.losses), (1, 2));
}

#[test]
fn cancels() {
    check_states(
        |task| match cancel_task(task, NOW) {
            Ok(Some(cancelled)) => cancelled.state.name().to_owned(),
            Ok(None) => "is so already".to_owned(),
            Err(refusal) => describe_refusal(&refusal),
        },
        [
            "cancelled",
            "cancelled",
            "cancelled",
            "cancelled",
            "cancelled",
            "cancelled",
            "finished done",
            "finished failed",
            "cancelled",
            "is so already",
        ],
    );
}

#[test]
fn retries() {
    check_states(
        |task| describe_outcome(retry_task(task, NOW)),
        [
            "nothing to retry waiting",
            "nothing to retry ready",
            "live r/a@1",
            "live r/a@1",
            "live r/a@1",
            "live r/a@1",
            "finished done",
            "ready",
            "skipped",
            "ready",
        ],
    );
    for (unmet, broken, expected) in [(0, 0, "ready"), (2, 0, "waiting"), (2, 1, "skipped")] {
        let spent = Task {
            unmet,
            broken,
            failures: 3,
            losses: 9,
            releases: 9,
            faults: 9,
            not_before: Some(NOW),
            attempt: Some(LastAttempt { id: AttemptId(8), number: 4 }),
            ..task(TaskState::Failed)
        };
        let fresh = retry_task(&spent, NOW).unwrap();
        assert_eq!((fresh.state.name(), fresh.failures, fresh.losses), (expected, 0, 0));
        assert_eq!((fresh.releases, fresh.faults), (0, 0));
        assert_eq!((fresh.not_before, fresh.attempt), (None, spent.attempt), "attempt numbers continue");
    }
}

#[test]
fn edits() {
    let harmless = TaskEdit {
        title: Some("Another".to_owned()),
        priority: Some(0),
        labels: Some(vec![slug("ui"), slug("ui")]),
        ..TaskEdit::default()
    };
    let finished = |state: &str| format!("finished {state}");
    let expected = [
        "waiting".to_owned(),
        "ready".to_owned(),
        "dispatched".to_owned(),
        "running".to_owned(),
        "blocked".to_owned(),
        "reported".to_owned(),
        finished("done"),
        finished("failed"),
        "skipped".to_owned(),
        finished("cancelled"),
    ];
    let expected: [&str; 10] = std::array::from_fn(|index| expected[index].as_str());
    check_states(|task| describe_outcome(edit_task(task, &harmless, NOW)), expected);
    let all =
        |change: TaskEdit| {
            check_states(
                |task| describe_outcome(edit_task(task, &change, NOW)),
                std::array::from_fn(|index| {
                    if TaskState::ALL[index].is_live() { "live r/a@1" } else { expected[index] }
                }),
            );
        };
    all(TaskEdit { spec: Some("More.".to_owned()), ..TaskEdit::default() });
    all(TaskEdit { accept: Some(Vec::new()), ..TaskEdit::default() });
    all(TaskEdit { verify: Some(Vec::new()), ..TaskEdit::default() });
    all(TaskEdit { agent: Some(None), ..TaskEdit::default() });
    all(TaskEdit { max_attempts: Some(1), ..TaskEdit::default() });
    all(TaskEdit { allow_empty: Some(true), ..TaskEdit::default() });

    let changed = edit_task(&task(TaskState::Running), &harmless, NOW).unwrap();
    let expected = Task {
        title: "Another".to_owned(),
        priority: 0,
        labels: vec![slug("ui")],
        updated_at: NOW,
        ..task(TaskState::Running)
    };
    assert_eq!(changed, expected);
    let named = Task { agent: Some(slug("w")), ..task(TaskState::Ready) };
    let unassigned = edit_task(&named, &TaskEdit { agent: Some(None), ..TaskEdit::default() }, NOW).unwrap();
    assert_eq!(unassigned.agent, None);
}

#[test]
fn rewirings() {
    check_states(
        |task| {
            require_rewirable(task).map_or_else(|refusal| describe_refusal(&refusal), |()| "may".to_owned())
        },
        [
            "may",
            "may",
            "live r/a@1",
            "live r/a@1",
            "live r/a@1",
            "live r/a@1",
            "finished done",
            "finished failed",
            "may",
            "finished cancelled",
        ],
    );
}

#[test]
fn standings_follow_the_counters_unless_an_attempt_or_an_end_holds_the_task() {
    for state in TaskState::ALL {
        for (unmet, broken, follows) in [(0, 0, "ready"), (1, 0, "waiting"), (2, 1, "skipped")] {
            let before = task(state);
            let after = recompute_readiness(&before, unmet, broken, NOW);
            let free = matches!(state, TaskState::Waiting | TaskState::Ready | TaskState::Skipped);
            let expected = if free { follows } else { state.name() };
            assert_eq!((after.state.name(), after.unmet, after.broken), (expected, unmet, broken));
            assert_eq!(after.updated_at == NOW, after.state != before.state, "a count alone is no change");
        }
    }
}

#[test]
fn the_end_of_an_attempt_is_noted() {
    use crate::attempt::state::AttemptEvent as E;
    let attempt = Attempt {
        id: AttemptId(1),
        run: RunId(1),
        task: TaskId(1),
        name: attempt_name(&task(TaskState::Running)).unwrap(),
        agent: slug("w"),
        state: AttemptState::Running,
        thread: Some(ThreadId(1)),
        outcome: None,
        reason: None,
        releases: 0,
        checks: ChecksStatus::None,
        created_at: Time(0),
        ended_at: None,
    };
    for (event, ended) in [
        (E::Ask, false),
        (E::Report, false),
        (E::Fail, true),
        (E::Lose, true),
        (E::Recall, true),
        (E::Cancel, true),
    ] {
        let moved = apply_attempt_event(&attempt, event, NOW);
        assert_eq!(moved.ended_at, ended.then_some(NOW), "{event:?}");
        assert_eq!(is_under_way(&moved), !ended, "{event:?}");
    }
    assert!(!is_under_way(&Attempt { state: AttemptState::Preparing, ..attempt }));
}

/// The git side of a run, whose baseline failed unless it is mended.
fn ground(is_mended: bool) -> RunGit {
    let commit = CommitHash::from_stored("1".repeat(40));
    RunGit {
        repository: "/r/.git".to_owned(),
        base: commit.clone(),
        base_branch: None,
        branch: "orch/r/main".to_owned(),
        tip: commit,
        seen: None,
        branch_prefix: "orch/r".to_owned(),
        root: "/r.orch/r".to_owned(),
        baseline: if is_mended { BaselineStatus::Pending } else { BaselineStatus::Failed },
    }
}

/// What resuming does in each pause, by whether its cause was removed.
#[test]
fn a_resume_that_cannot_help_is_refused() {
    for reason in PauseReason::ALL {
        for is_mended in [false, true] {
            let pause = RunPause { reason, message: None, at: NOW, until: None };
            let run = Run { ground: Some(ground(is_mended)), ..run(RunState::Paused(pause)) };
            let resumed = resume_run(&run, is_mended, NOW);
            let helps = match reason {
                PauseReason::Budget => false,
                PauseReason::Baseline | PauseReason::BranchMoved => is_mended,
                PauseReason::User
                | PauseReason::Stop
                | PauseReason::OperationFailed
                | PauseReason::Breaker
                | PauseReason::Disk => true,
            };
            match (helps, resumed) {
                (true, Ok(Some(resumed))) => assert_eq!(resumed.state, RunState::Open),
                (false, Err(Refusal::ResumeUseless { reason: named, .. })) => assert_eq!(named, reason),
                (false, Err(Refusal::Tree(TreeRefusal::BranchMoved { .. }))) => {
                    assert_eq!(reason, PauseReason::BranchMoved);
                }
                (_, other) => panic!("{reason:?} {is_mended}: {other:?}"),
            }
        }
    }
}
