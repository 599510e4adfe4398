//! Dispatching, failing, retrying and recalling.

use orch_core::refusal::{NotReadyReason, Refusal};
use orch_core::run::Policy;
use orch_core::thread::ThreadStatus;
use orch_core::time::TimeSpan;
use orch_inbox::Error;
use orch_inbox::claim::{self, ClaimRequest};
use orch_query::blocked;
use orch_scheduler::run::RunAction as RunVerb;
use orch_scheduler::task::TaskAction;
use orch_scheduler::{dispatch, task};
use orch_testkit::TestSession;
use orch_testkit::test_session::{default_policy, expect_fresh, new_task, parse_slug, task_ref, whole_page};

/// Why a dispatch was refused.
fn refusal_reasons(outcome: Result<dispatch::DispatchOutcome, Error>) -> Vec<NotReadyReason> {
    match outcome {
        Err(Error::Refused(Refusal::TaskNotReady { reasons, .. })) => reasons,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_failed_try_delays_the_next_one_twice_as_long_each_time() {
    let mut desk = TestSession::new();
    desk.make_run("r", Policy { max_attempts: 4, ..default_policy() }).unwrap();
    desk.add_tasks("r", &["a"]);
    for delay in [10, 20, 40] {
        let held = desk.start_task("a", "w").unwrap();
        desk.close_failed(&held, false).unwrap();
        let task = desk.task_detail("a").shown.task;
        let until = task.not_before.unwrap();
        assert_eq!((task.state.name(), until - task.updated_at), ("ready", TimeSpan::from_seconds(delay)));
        desk.clock().advance(TimeSpan(TimeSpan::from_seconds(delay).0 - 1));
        assert_eq!(refusal_reasons(desk.dispatch_task("a", "w")), [NotReadyReason::Backoff { until }]);
        desk.clock().advance(TimeSpan(1));
    }
    let held = desk.start_task("a", "w").unwrap();
    desk.close_failed(&held, false).unwrap();
    let task = desk.task_detail("a").shown.task;
    assert_eq!((task.state.name(), task.failures, task.not_before), ("failed", 4, None));
    assert_eq!(desk.broken_invariants(), []);
}

#[test]
fn a_failure_for_good_needs_no_more_tries() {
    let mut desk = TestSession::with_tasks(&["a"]);
    let held = desk.start_task("a", "w").unwrap();
    desk.close_failed(&held, true).unwrap();
    assert_eq!(desk.task_state("a").name(), "failed");
    desk.change_task("a", TaskAction::Retry).unwrap();
    let task = desk.task_detail("a").shown.task;
    assert_eq!((task.state.name(), task.failures, task.losses), ("ready", 0, 0));
}

#[test]
fn a_recall_counts_for_nothing_and_closes_the_thread() {
    let mut desk = TestSession::with_tasks(&["a"]);
    let held = desk.start_task("a", "w").unwrap();
    desk.ask_question(&held, "Which one?").unwrap();
    desk.recall_task("a").unwrap();
    let detail = desk.task_detail("a");
    let task = detail.shown.task;
    assert_eq!((task.state.name(), task.failures, task.losses), ("ready", 0, 0));
    assert_eq!(detail.attempts[0].attempt.state.name(), "recalled");
    assert_eq!(desk.show_thread(held.thread).unwrap().0.state.status(), ThreadStatus::Cancelled);
    let refused = desk.recall_task("a").unwrap_err();
    assert!(matches!(refused, Error::Refused(Refusal::AttemptNotFound { .. })), "{refused:?}");
    assert_eq!(desk.dispatch_task("a", "v").unwrap().attempt.name.number, 2);
    assert_eq!(desk.broken_invariants(), []);
}

#[test]
fn a_task_that_is_not_ready_says_why() {
    let mut desk = TestSession::with_tasks(&["a", "b < a"]);
    assert_eq!(
        refusal_reasons(desk.dispatch_task("b", "w")),
        [NotReadyReason::WaitingDependency { on: vec![parse_slug("a")] }]
    );
    let refused = dispatch::dispatch_task(
        &mut desk.session,
        None,
        &desk.lead,
        &task_ref("a"),
        dispatch::DispatchRecipient::agent(None),
    )
    .map(expect_fresh);
    assert_eq!(refusal_reasons(refused), [NotReadyReason::NoAgent]);
    let held = desk.start_task("a", "w").unwrap();
    let refused = desk.dispatch_task("a", "w").unwrap_err();
    assert!(matches!(refused, Error::Refused(Refusal::AttemptLive { .. })), "{refused:?}");
    desk.close_failed(&held, true).unwrap();
    assert!(matches!(refusal_reasons(desk.dispatch_task("a", "w"))[..], [NotReadyReason::Finished { .. }]));
    assert_eq!(
        refusal_reasons(desk.dispatch_task("b", "w")),
        [NotReadyReason::DependencyFailed { on: vec![parse_slug("a")], root: Some(parse_slug("a")) }]
    );
    desk.add_tasks("r", &["c < b"]);
    desk.change_run("r", RunVerb::Cancel).unwrap_err();
    desk.add_tasks("r", &["d", "e"]);
    desk.change_run("r", RunVerb::Pause).unwrap();
    assert_eq!(
        refusal_reasons(desk.dispatch_task("d", "w")),
        [NotReadyReason::RunPaused { run: parse_slug("r"), reason: orch_core::run::PauseReason::User }]
    );
    desk.change_task("e", TaskAction::Cancel).unwrap();
    assert_eq!(refusal_reasons(desk.dispatch_task("e", "w")), [NotReadyReason::Cancelled]);
}

#[test]
fn at_capacity_nothing_more_is_dispatched() {
    let mut desk = TestSession::new();
    desk.make_run("r", Policy { max_active: Some(2), ..default_policy() }).unwrap();
    desk.add_tasks("r", &["a", "b", "c"]);
    let held = desk.start_task("a", "w").unwrap();
    desk.dispatch_task("b", "w").unwrap();
    let refused = desk.dispatch_task("c", "w").unwrap_err();
    assert!(
        matches!(refused, Error::Refused(Refusal::CapacityReached { max: 2, active: 2, .. })),
        "{refused:?}"
    );
    desk.close_done(&held).unwrap();
    desk.dispatch_task("c", "w").unwrap();
}

#[test]
fn dispatching_all_is_by_priority_then_chain_then_age_and_shares_the_work() {
    let mut desk = TestSession::with_tasks(&["old", "young", "head", "middle < head", "tail < middle"]);
    let mut urgent = new_task("urgent", &[]);
    urgent.priority = 0;
    task::add_task(&mut desk.session, None, &desk.lead, None, &urgent).unwrap();
    let request = dispatch::DispatchAllRequest {
        run: None,
        to: vec![parse_slug("v"), parse_slug("w")],
        limit: 3,
        agents: orch_core::known_agents::KnownAgents::default(),
    };
    let all =
        expect_fresh(dispatch::dispatch_all_ready(&mut desk.session, None, &desk.lead, &request).unwrap());
    let sent: Vec<_> = all
        .dispatched
        .iter()
        .map(|one| (one.task.task.name.key.as_str(), one.attempt.agent.as_str()))
        .collect();
    assert_eq!(sent, [("urgent", "v"), ("head", "w"), ("old", "v")]);
    assert_eq!(desk.broken_invariants(), []);
}

#[test]
fn dispatching_all_goes_on_behind_what_it_refuses() {
    let mut desk = TestSession::with_tasks(&["a", "b"]);
    let mut own = new_task("c", &[]);
    own.agent = Some(parse_slug("w"));
    task::add_task(&mut desk.session, None, &desk.lead, None, &own).unwrap();
    let request = dispatch::DispatchAllRequest {
        run: None,
        to: Vec::new(),
        limit: 1,
        agents: orch_core::known_agents::KnownAgents::default(),
    };
    let all =
        expect_fresh(dispatch::dispatch_all_ready(&mut desk.session, None, &desk.lead, &request).unwrap());
    assert_eq!(all.dispatched.len(), 1);
    assert_eq!(all.refused.len(), 2);
    assert_eq!(desk.task_states(&["a", "b", "c"]), ["ready", "ready", "dispatched"]);
}

#[test]
fn a_shared_name_is_seen_when_somebody_works_for_it() {
    let mut desk = TestSession::with_tasks(&["a", "b"]);
    assert!(!desk.dispatch_task("a", "crew").unwrap().agent_seen);
    let (queue, holder) = (Some(parse_slug("crew")), parse_slug("ana"));
    let claim = ClaimRequest { queue, holder, thread: None, lease: None, wait: None, again: false };
    claim::claim_thread(&mut desk.session, None, &claim).unwrap();
    assert!(desk.dispatch_task("b", "crew").unwrap().agent_seen);
    let held_up = blocked::list_blockers(&mut desk.session, None, &whole_page()).unwrap();
    assert_eq!(held_up.stuck, [], "it will be claimed");
}

#[test]
fn cancelling_its_thread_cancels_a_task() {
    let mut desk = TestSession::with_tasks(&["a", "b < a"]);
    let held = desk.start_task("a", "w").unwrap();
    desk.cancel_thread(held.thread).unwrap();
    assert_eq!(desk.task_states(&["a", "b"]), ["cancelled", "skipped"]);
    desk.change_task("a", TaskAction::Retry).unwrap();
    assert_eq!(desk.task_states(&["a", "b"]), ["ready", "waiting"]);
    assert_eq!(desk.broken_invariants(), []);
}

#[test]
fn an_attempt_belongs_to_who_did_it_even_if_nobody_looked_meanwhile() {
    let mut desk = TestSession::with_tasks(&["a", "b"]);
    for (key, good) in [("a", true), ("b", false)] {
        let thread = desk.dispatch_task(key, "crew").unwrap().attempt.thread.unwrap();
        let held = desk.claim_thread("w", thread).unwrap();
        let closed = if good { desk.close_done(&held) } else { desk.close_failed(&held, true) };
        closed.unwrap();
        assert_eq!(desk.task_detail(key).attempts[0].attempt.agent, parse_slug("w"), "{key}");
    }
}

#[test]
fn dispatching_all_runs_goes_by_one_order_and_round_those_that_are_full() {
    let mut desk = TestSession::new();
    desk.make_run("full", Policy { max_active: Some(1), ..default_policy() }).unwrap();
    desk.make_run("free", default_policy()).unwrap();
    let mut add = |run: &str, key: &str, priority: u8| {
        let new = orch_core::task::NewTask { priority, ..new_task(key, &[]) };
        task::add_task(&mut desk.session, None, &desk.lead, Some(&parse_slug(run)), &new).unwrap();
    };
    add("full", "a", 1);
    add("full", "b", 1);
    add("full", "c", 1);
    add("free", "d", 0);
    add("free", "e", 2);
    let request = dispatch::DispatchAllRequest {
        run: None,
        to: vec![parse_slug("w")],
        limit: 3,
        agents: orch_core::known_agents::KnownAgents::default(),
    };
    let all =
        expect_fresh(dispatch::dispatch_all_ready(&mut desk.session, None, &desk.lead, &request).unwrap());
    let sent: Vec<_> = all.dispatched.iter().map(|one| one.task.task.name.to_string()).collect();
    assert_eq!(sent, ["free/d", "full/a", "free/e"]);
    let refused: Vec<_> = all.refused.iter().map(|(task, _)| task.to_string()).collect();
    assert_eq!(refused, ["full/b"], "once a run is full only the first is named");
}

#[test]
fn a_delay_counts_from_the_failure_not_from_when_somebody_looked() {
    let mut desk = TestSession::with_tasks(&["a", "b"]);
    let failing = desk.start_task("a", "w").unwrap();
    let working = desk.start_task("b", "w").unwrap();
    desk.clock().advance(TimeSpan::from_seconds(30));
    desk.close_failed(&failing, false).unwrap();
    desk.close_done(&working).unwrap();
    desk.clock().advance(TimeSpan::from_minutes(5));
    assert_eq!(desk.dispatch_task("a", "w").unwrap().attempt.name.number, 2, "the delay is long over");
    for (key, index) in [("a", 1), ("b", 0)] {
        let attempt = desk.task_detail(key).attempts[index].attempt.clone();
        assert_eq!(attempt.ended_at.unwrap() - attempt.created_at, TimeSpan::from_seconds(30), "{key}");
    }
    assert_eq!(desk.broken_invariants(), []);
}
