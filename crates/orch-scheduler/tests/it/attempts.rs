//! Dispatching, failing, retrying and recalling.

use orch_core::refusal::{Reason, Refusal};
use orch_core::run::Policy;
use orch_core::thread::ThreadStatus;
use orch_core::time::Span;
use orch_inbox::Error;
use orch_inbox::claim::{self, Claim};
use orch_scheduler::run::Verb as RunVerb;
use orch_scheduler::task::Verb;
use orch_scheduler::{blocked, dispatch, task};
use orch_testkit::Desk;
use orch_testkit::desk::{fresh, new_task, policy, slug, task_ref, whole};

/// Why a dispatch was refused.
fn reasons(outcome: Result<dispatch::Dispatched, Error>) -> Vec<Reason> {
    match outcome {
        Err(Error::Refused(Refusal::TaskNotReady { reasons, .. })) => reasons,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_failed_try_delays_the_next_one_twice_as_long_each_time() {
    let mut desk = Desk::new();
    desk.run("r", Policy { max_attempts: 4, ..policy() }).unwrap();
    desk.tasks("r", &["a"]);
    for delay in [10, 20, 40] {
        let held = desk.start("a", "w").unwrap();
        desk.fail(&held, false).unwrap();
        let task = desk.detail("a").shown.task;
        let until = task.not_before.unwrap();
        assert_eq!((task.state.name(), until - task.updated_at), ("ready", Span::seconds(delay)));
        desk.clock().advance(Span(Span::seconds(delay).0 - 1));
        assert_eq!(reasons(desk.dispatch("a", "w")), [Reason::Backoff { until }]);
        desk.clock().advance(Span(1));
    }
    let held = desk.start("a", "w").unwrap();
    desk.fail(&held, false).unwrap();
    let task = desk.detail("a").shown.task;
    assert_eq!((task.state.name(), task.failures, task.not_before), ("failed", 4, None));
    assert_eq!(desk.breaches(), []);
}

#[test]
fn a_failure_for_good_needs_no_more_tries() {
    let mut desk = Desk::with_tasks(&["a"]);
    let held = desk.start("a", "w").unwrap();
    desk.fail(&held, true).unwrap();
    assert_eq!(desk.state("a").name(), "failed");
    desk.change_task("a", Verb::Retry).unwrap();
    let task = desk.detail("a").shown.task;
    assert_eq!((task.state.name(), task.failures, task.losses), ("ready", 0, 0));
}

#[test]
fn a_recall_counts_for_nothing_and_closes_the_thread() {
    let mut desk = Desk::with_tasks(&["a"]);
    let held = desk.start("a", "w").unwrap();
    desk.ask(&held, "Which one?").unwrap();
    desk.recall("a").unwrap();
    let detail = desk.detail("a");
    let task = detail.shown.task;
    assert_eq!((task.state.name(), task.failures, task.losses), ("ready", 0, 0));
    assert_eq!(detail.attempts[0].attempt.state.name(), "recalled");
    assert_eq!(desk.show_thread(held.thread).unwrap().0.state.status(), ThreadStatus::Cancelled);
    let refused = desk.recall("a").unwrap_err();
    assert!(matches!(refused, Error::Refused(Refusal::AttemptNotFound { .. })), "{refused:?}");
    assert_eq!(desk.dispatch("a", "v").unwrap().attempt.name.number, 2);
    assert_eq!(desk.breaches(), []);
}

#[test]
fn a_task_that_is_not_ready_says_why() {
    let mut desk = Desk::with_tasks(&["a", "b < a"]);
    assert_eq!(reasons(desk.dispatch("b", "w")), [Reason::WaitingDependency { on: vec![slug("a")] }]);
    let nobody = dispatch::one(&mut desk.session, None, &desk.lead, &task_ref("a"), None).map(fresh);
    assert_eq!(reasons(nobody), [Reason::NoAgent]);
    let held = desk.start("a", "w").unwrap();
    let refused = desk.dispatch("a", "w").unwrap_err();
    assert!(matches!(refused, Error::Refused(Refusal::AttemptLive { .. })), "{refused:?}");
    desk.fail(&held, true).unwrap();
    assert!(matches!(reasons(desk.dispatch("a", "w"))[..], [Reason::Finished { .. }]));
    assert_eq!(
        reasons(desk.dispatch("b", "w")),
        [Reason::DependencyFailed { on: vec![slug("a")], root: Some(slug("a")) }]
    );
    desk.tasks("r", &["c < b"]);
    desk.change_run("r", RunVerb::Cancel).unwrap_err();
    desk.tasks("r", &["d", "e"]);
    desk.change_run("r", RunVerb::Pause).unwrap();
    assert_eq!(reasons(desk.dispatch("d", "w")), [Reason::RunPaused { run: slug("r") }]);
    desk.change_task("e", Verb::Cancel).unwrap();
    assert_eq!(reasons(desk.dispatch("e", "w")), [Reason::Cancelled]);
}

#[test]
fn at_capacity_nothing_more_is_dispatched() {
    let mut desk = Desk::new();
    desk.run("r", Policy { max_active: Some(2), ..policy() }).unwrap();
    desk.tasks("r", &["a", "b", "c"]);
    let held = desk.start("a", "w").unwrap();
    desk.dispatch("b", "w").unwrap();
    let refused = desk.dispatch("c", "w").unwrap_err();
    assert!(
        matches!(refused, Error::Refused(Refusal::CapacityReached { max: 2, active: 2, .. })),
        "{refused:?}"
    );
    desk.done(&held).unwrap();
    desk.dispatch("c", "w").unwrap();
}

#[test]
fn dispatching_all_is_by_priority_then_chain_then_age_and_shares_the_work() {
    let mut desk = Desk::with_tasks(&["old", "young", "head", "middle < head", "tail < middle"]);
    let mut urgent = new_task("urgent", &[]);
    urgent.priority = 0;
    task::add(&mut desk.session, None, &desk.lead, None, &urgent).unwrap();
    let request = dispatch::All { run: None, to: vec![slug("v"), slug("w")], limit: 3 };
    let all = fresh(dispatch::all(&mut desk.session, None, &desk.lead, &request).unwrap());
    let sent: Vec<_> = all
        .dispatched
        .iter()
        .map(|one| (one.task.task.name.key.as_str(), one.attempt.agent.as_str()))
        .collect();
    assert_eq!(sent, [("urgent", "v"), ("head", "w"), ("old", "v")]);
    assert_eq!(desk.breaches(), []);
}

#[test]
fn dispatching_all_goes_on_behind_what_it_refuses() {
    let mut desk = Desk::with_tasks(&["a", "b"]);
    let mut own = new_task("c", &[]);
    own.agent = Some(slug("w"));
    task::add(&mut desk.session, None, &desk.lead, None, &own).unwrap();
    let request = dispatch::All { run: None, to: Vec::new(), limit: 1 };
    let all = fresh(dispatch::all(&mut desk.session, None, &desk.lead, &request).unwrap());
    assert_eq!(all.dispatched.len(), 1);
    assert_eq!(all.refused.len(), 2);
    assert_eq!(desk.states(&["a", "b", "c"]), ["ready", "ready", "dispatched"]);
}

#[test]
fn a_shared_name_is_seen_when_somebody_works_for_it() {
    let mut desk = Desk::with_tasks(&["a", "b"]);
    assert!(!desk.dispatch("a", "crew").unwrap().agent_seen);
    let (queue, holder) = (Some(slug("crew")), slug("ana"));
    let claim = Claim { queue, holder, thread: None, lease: None, wait: None, again: false };
    claim::claim(&mut desk.session, None, &claim).unwrap();
    assert!(desk.dispatch("b", "crew").unwrap().agent_seen);
    let held_up = blocked::blocked(&mut desk.session, None, &whole()).unwrap();
    assert_eq!(held_up.stuck, [], "it will be claimed");
}

#[test]
fn cancelling_its_thread_cancels_a_task() {
    let mut desk = Desk::with_tasks(&["a", "b < a"]);
    let held = desk.start("a", "w").unwrap();
    desk.cancel_thread(held.thread).unwrap();
    assert_eq!(desk.states(&["a", "b"]), ["cancelled", "skipped"]);
    desk.change_task("a", Verb::Retry).unwrap();
    assert_eq!(desk.states(&["a", "b"]), ["ready", "waiting"]);
    assert_eq!(desk.breaches(), []);
}

#[test]
fn an_attempt_belongs_to_who_did_it_even_if_nobody_looked_meanwhile() {
    let mut desk = Desk::with_tasks(&["a", "b"]);
    for (key, good) in [("a", true), ("b", false)] {
        let thread = desk.dispatch(key, "crew").unwrap().attempt.thread.unwrap();
        let held = desk.claim_thread("w", thread).unwrap();
        let closed = if good { desk.done(&held) } else { desk.fail(&held, true) };
        closed.unwrap();
        assert_eq!(desk.detail(key).attempts[0].attempt.agent, slug("w"), "{key}");
    }
}

#[test]
fn dispatching_all_runs_goes_by_one_order_and_round_those_that_are_full() {
    let mut desk = Desk::new();
    desk.run("full", Policy { max_active: Some(1), ..policy() }).unwrap();
    desk.run("free", policy()).unwrap();
    let mut add = |run: &str, key: &str, priority: u8| {
        let new = orch_core::task::NewTask { priority, ..new_task(key, &[]) };
        task::add(&mut desk.session, None, &desk.lead, Some(&slug(run)), &new).unwrap();
    };
    add("full", "a", 1);
    add("full", "b", 1);
    add("full", "c", 1);
    add("free", "d", 0);
    add("free", "e", 2);
    let request = dispatch::All { run: None, to: vec![slug("w")], limit: 3 };
    let all = fresh(dispatch::all(&mut desk.session, None, &desk.lead, &request).unwrap());
    let sent: Vec<_> = all.dispatched.iter().map(|one| one.task.task.name.to_string()).collect();
    assert_eq!(sent, ["free/d", "full/a", "free/e"]);
    let refused: Vec<_> = all.refused.iter().map(|(task, _)| task.to_string()).collect();
    assert_eq!(refused, ["full/b"], "once a run is full only the first is named");
}

#[test]
fn a_delay_counts_from_the_failure_not_from_when_somebody_looked() {
    let mut desk = Desk::with_tasks(&["a", "b"]);
    let failing = desk.start("a", "w").unwrap();
    let working = desk.start("b", "w").unwrap();
    desk.clock().advance(Span::seconds(30));
    desk.fail(&failing, false).unwrap();
    desk.done(&working).unwrap();
    desk.clock().advance(Span::minutes(5));
    assert_eq!(desk.dispatch("a", "w").unwrap().attempt.name.number, 2, "the delay is long over");
    for (key, index) in [("a", 1), ("b", 0)] {
        let attempt = desk.detail(key).attempts[index].attempt.clone();
        assert_eq!(attempt.ended_at.unwrap() - attempt.created_at, Span::seconds(30), "{key}");
    }
    assert_eq!(desk.breaches(), []);
}
