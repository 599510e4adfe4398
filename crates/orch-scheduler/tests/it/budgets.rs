//! Budgets: what is set aside at a dispatch, and what follows when usage is recorded.

use std::collections::BTreeSet;

use orch_core::event::EventKind;
use orch_core::id::{AttemptName, Slug, ThreadId};
use orch_core::refusal::{NotReadyReason, Refusal};
use orch_core::run::budget::{LimitScope, UsageLimits};
use orch_core::run::reserve::BudgetShortage;
use orch_core::run::{Budget, CostSource, PauseReason, ResourceUsage, RunEdit, TokenUsage};
use orch_core::time::TimeSpan;
use orch_inbox::Error;
use orch_inbox::claim::ClaimRequest;
use orch_query::ready::{ReadyRequest, list_ready_tasks};
use orch_query::why::explain_task;
use orch_scheduler::budget::{BudgetVerdict, UsageRecord, load_allowance, record_usage};
use orch_scheduler::claim::claim_within_limits;
use orch_scheduler::dispatch::{self, DispatchRecipient};

use orch_scheduler::run as run_operation;
use orch_store::TxEnd;
use orch_store::driver::WriteDurability;
use orch_store::page::PageRequest;
use orch_store::table::thread;
use orch_store::table::usage::UsageSum;
use orch_testkit::TestSession;
use orch_testkit::test_session::{expect_fresh, parse_slug, task_ref, whole_page};

const DOLLAR: i64 = 1_000_000;

fn cost_limit(dollars: i64) -> UsageLimits {
    UsageLimits { cost_micros: Some(dollars * DOLLAR), ..UsageLimits::default() }
}

fn desk_with_budget(budget: Budget, tasks: &[&str]) -> TestSession {
    let mut desk = TestSession::with_tasks(tasks);
    edit_budget(&mut desk, budget);
    desk
}

fn edit_budget(desk: &mut TestSession, budget: Budget) {
    let edit = RunEdit { budget, ..RunEdit::default() };
    run_operation::edit_run(&mut desk.session, None, &desk.lead, None, &edit).map(expect_fresh).unwrap();
}

/// Returns the shortage for which a dispatch is refused.
fn shortage(desk: &mut TestSession, task: &str, to: &str) -> BudgetShortage {
    match desk.dispatch_task(task, to) {
        Err(Error::Refused(Refusal::TaskNotReady { reasons, .. })) => match reasons[..] {
            [NotReadyReason::Budget(shortage)] => shortage,
            ref other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

/// Records what the worker of a thread used: dollars, or nothing that is known, and tokens.
fn use_up(
    desk: &mut TestSession,
    task: &str,
    thread: ThreadId,
    dollars: Option<i64>,
    tokens: i64,
) -> BudgetVerdict {
    let attempt = AttemptName { task: desk.task_detail(task).shown.task.name, number: 1 };
    let profile = parse_slug("w");
    let tokens = (tokens > 0).then_some(TokenUsage { input: tokens, cached_input: 0, output: 0 });
    let spent = ResourceUsage { cost_micros: dollars.map(|it| it * DOLLAR), tokens, attempts: 0 };
    let source = if dollars.is_some() { CostSource::Reported } else { CostSource::Unknown };
    let more = UsageSum { spent, source, wall: TimeSpan(7) };
    let record =
        UsageRecord { attempt: &attempt, profile: Some(&profile), session: None, more, has_ended: false };
    let write = desk.session.write(WriteDurability::Process, |tx, now| {
        let found = thread::load(tx, thread)?.expect("the thread exists");
        Ok(TxEnd::Commit(record_usage(tx, &found, &record, now)?))
    });
    write.unwrap()
}

fn warnings(desk: &mut TestSession) -> Vec<String> {
    let events = desk.list_events(Some("r"));
    let warned = events.iter().filter(|event| event.kind == EventKind::BudgetWarning);
    warned.map(|event| event.data.clone()).collect()
}

#[test]
fn a_dispatch_needs_what_is_set_aside() {
    let budget =
        Budget { run: cost_limit(10), attempt_reserve_micros: Some(4 * DOLLAR), ..Budget::default() };
    let mut desk = desk_with_budget(budget, &["a", "b", "c", "d"]);
    let a = desk.start_task("a", "w").unwrap();
    desk.dispatch_task("b", "v").unwrap();
    let short = shortage(&mut desk, "c", "w");
    assert_eq!((short.left_micros, short.reserve_micros), (Some(2 * DOLLAR), Some(4 * DOLLAR)));
    assert!(short.is_held);
    // `why` and `ready` say the same.
    let reasons = explain_task(&mut desk.session, &task_ref("c")).unwrap().reasons;
    assert_eq!(reasons[0], NotReadyReason::Budget(short));
    let request = ReadyRequest { run: None, label: None, page: whole_page() };
    let ready = list_ready_tasks(&mut desk.session, &request).unwrap();
    assert_eq!((ready.tasks.items.len(), ready.tasks.total, ready.refused.len()), (0, 0, 2));
    // The total does not depend on the page.
    let first = ReadyRequest { page: PageRequest { limit: 1, after: None }, ..request };
    let ready = list_ready_tasks(&mut desk.session, &first).unwrap();
    assert_eq!((ready.tasks.items.len(), ready.tasks.total, ready.refused.len()), (0, 0, 1));
    assert!(ready.tasks.next.is_some());
    // What costs nothing needs nothing set aside.
    let agents = orch_core::known_agents::KnownAgents {
        free: BTreeSet::from([parse_slug("shell")]),
        ..Default::default()
    };
    let to = parse_slug("shell");
    let recipient = DispatchRecipient { to: Some(&to), agents: &agents };
    dispatch::dispatch_task(&mut desk.session, None, &desk.lead, &task_ref("d"), recipient).unwrap();
    desk.recall_task("d").unwrap();
    // What an ended attempt did not use is free again.
    use_up(&mut desk, "a", a.thread, Some(1), 0);
    assert_eq!(shortage(&mut desk, "c", "w").left_micros, Some(2 * DOLLAR));
    desk.close_done(&a).unwrap();
    desk.dispatch_task("c", "w").unwrap();
    assert_eq!(desk.broken_invariants(), []);
}

#[test]
fn without_a_reserve_the_first_attempt_of_a_profile_runs_alone() {
    let mut desk =
        desk_with_budget(Budget { run: cost_limit(10), ..Budget::default() }, &["a", "b", "c", "d"]);
    let a = desk.start_task("a", "w").unwrap();
    let short = shortage(&mut desk, "b", "w");
    assert_eq!((short.left_micros, short.reserve_micros), (Some(0), None));
    use_up(&mut desk, "a", a.thread, Some(4), 0);
    assert_eq!(shortage(&mut desk, "b", "w").reserve_micros, None, "its cost is not known before its end");
    desk.close_done(&a).unwrap();
    desk.dispatch_task("b", "w").unwrap();
    let short = shortage(&mut desk, "c", "w");
    assert_eq!((short.left_micros, short.reserve_micros), (Some(2 * DOLLAR), Some(4 * DOLLAR)));
    // All ready tasks together keep within the limit, too.
    let all = dispatch::DispatchAllRequest {
        run: None,
        to: vec![parse_slug("w")],
        limit: 9,
        agents: orch_core::known_agents::KnownAgents::default(),
    };
    edit_budget(&mut desk, Budget { run: cost_limit(12), ..Budget::default() });
    let all =
        dispatch::dispatch_all_ready(&mut desk.session, None, &desk.lead, &all).map(expect_fresh).unwrap();
    assert_eq!((all.dispatched.len(), all.refused.len()), (1, 1));
}

#[test]
fn a_worker_is_told_at_the_limit_of_its_attempt_and_of_its_task() {
    let budget = Budget { task: cost_limit(5), attempt: cost_limit(3), ..Budget::default() };
    let mut desk = desk_with_budget(budget, &["a"]);
    let a = desk.start_task("a", "w").unwrap();
    let verdict = use_up(&mut desk, "a", a.thread, Some(2), 0);
    assert_eq!((verdict.reached, verdict.cost_left), (None, Some(DOLLAR)));
    assert_eq!(warnings(&mut desk).len(), 0);
    let reference = desk.show_thread(a.thread).unwrap().0.head.reference.unwrap();
    let allowance = desk.session.read(|tx, now| load_allowance(tx, a.thread, reference, now)).unwrap();
    assert_eq!(allowance, Some(DOLLAR));
    let verdict = use_up(&mut desk, "a", a.thread, Some(2), 0);
    assert_eq!(verdict.reached.map(|limit| limit.scope), Some(LimitScope::Attempt));
    let warned = warnings(&mut desk);
    assert_eq!(warned.len(), 2, "80 % of both limits: {warned:?}");
    let messages = desk.show_thread(a.thread).unwrap().1;
    let told: Vec<String> = messages.into_iter().map(|message| message.content.body).collect();
    assert!(told.iter().any(|body| body.contains("4.00 of 3.00 US dollars")), "{told:?}");
    desk.close_failed(&a, false).unwrap();
    // Another attempt reaches the limit of the task, and none follows until that is raised.
    desk.clock().advance(TimeSpan::from_minutes(1));
    let a = desk.start_task("a", "w").unwrap();
    let verdict = use_up(&mut desk, "a", a.thread, Some(1), 0);
    assert_eq!(verdict.reached.map(|limit| limit.scope), Some(LimitScope::Task));
    desk.close_failed(&a, false).unwrap();
    desk.clock().advance(TimeSpan::from_minutes(1));
    let short = shortage(&mut desk, "a", "w");
    assert_eq!((short.limit.scope, short.left_micros, short.is_held), (LimitScope::Task, Some(0), false));
    assert_eq!(warnings(&mut desk).len(), 2, "each limit is warned of once");
    let blocked = orch_query::blocked::list_blockers(&mut desk.session, None, &whole_page()).unwrap();
    assert_eq!(blocked.stuck[0].reasons, [NotReadyReason::Budget(short)]);
    edit_budget(&mut desk, Budget { task: cost_limit(9), ..Budget::default() });
    desk.dispatch_task("a", "w").unwrap();
}

#[test]
fn at_the_limit_of_the_run_live_attempts_are_recalled_and_it_is_paused() {
    let budget =
        Budget { run: UsageLimits { tokens: Some(100), ..UsageLimits::default() }, ..Budget::default() };
    let mut desk = desk_with_budget(budget, &["a", "b", "c"]);
    let (a, b) = (desk.start_task("a", "w").unwrap(), desk.start_task("b", "w").unwrap());
    // A report that nobody has looked at yet is not lost.
    let c = desk.start_task("c", "w").unwrap();
    desk.close_done(&c).unwrap();
    assert_eq!(use_up(&mut desk, "a", a.thread, None, 80).tokens_left, Some(20));
    assert_eq!(warnings(&mut desk).len(), 1);
    let verdict = use_up(&mut desk, "b", b.thread, None, 20);
    assert_eq!(verdict.reached.map(|limit| limit.scope), Some(LimitScope::Run));
    assert_eq!(verdict.recalled, [a.thread, b.thread]);
    let run = desk.show_run("r").unwrap();
    assert_eq!(run.state.pause_reason(), Some(PauseReason::Budget));
    for (task, state) in [("a", "recalled"), ("b", "recalled"), ("c", "accepted")] {
        assert_eq!(desk.task_detail(task).attempts[0].attempt.state.name(), state, "{task}");
    }
    let detail = desk.task_detail("a");
    assert_eq!(detail.spent.cost_micros, None, "what is unknown is not 0");
    assert_eq!(detail.attempts[0].usage.spent.known_tokens(), 80);
    // No try was used up, and a raise resumes the run.
    assert_eq!(detail.shown.task.failures, 0);
    let raised =
        Budget { run: UsageLimits { tokens: Some(500), ..UsageLimits::default() }, ..Budget::default() };
    edit_budget(&mut desk, raised);
    assert_eq!(desk.show_run("r").unwrap().state.pause_reason(), None);
    desk.dispatch_task("a", "w").unwrap();
    assert_eq!(warnings(&mut desk).len(), 1);
    assert_eq!(desk.broken_invariants(), []);
}

#[test]
fn usage_is_listed_and_survives_the_run() {
    let mut desk = desk_with_budget(Budget::default(), &["a"]);
    let a = desk.start_task("a", "w").unwrap();
    use_up(&mut desk, "a", a.thread, Some(2), 5);
    use_up(&mut desk, "a", a.thread, Some(1), 5);
    let list = |desk: &mut TestSession, run: &str| {
        let request = orch_query::usage::UsageRequest {
            since: Some(TimeSpan::from_hours(1)),
            grouping: orch_store::table::usage::UsageGrouping::Everything,
            run: Some(Slug::new(run).unwrap()),
            page: whole_page(),
        };
        let page = orch_query::usage::list_usage(&mut desk.session, &request).unwrap();
        page.items
            .iter()
            .map(|row| (row.sum.spent.cost_micros, row.sum.spent.known_tokens()))
            .collect::<Vec<_>>()
    };
    assert_eq!(list(&mut desk, "r"), [(Some(3 * DOLLAR), 10)]);
    assert_eq!(list(&mut desk, "s"), []);
}

fn wall_limit(minutes: i64) -> UsageLimits {
    UsageLimits { wall: Some(TimeSpan::from_minutes(minutes)), ..UsageLimits::default() }
}

/// Claims by hand: a thread, or the next one of the queue; returns the thread, or the shortage.
fn claim_by_hand(desk: &mut TestSession, thread: Option<ThreadId>) -> Result<ThreadId, BudgetShortage> {
    let holder = parse_slug("w");
    let request = ClaimRequest { queue: None, holder, thread, lease: None, wait: None, again: false };
    match claim_within_limits(&mut desk.session, None, &request) {
        Ok(claimed) => Ok(expect_fresh(claimed).thread.thread.id),
        Err(Error::Refused(Refusal::TaskNotReady { reasons, .. })) => match reasons[..] {
            [NotReadyReason::Budget(shortage)] => Err(shortage),
            ref other => panic!("{other:?}"),
        },
        Err(other) => panic!("{other}"),
    }
}

fn dispatch_by_hand(desk: &mut TestSession, task: &str) -> ThreadId {
    desk.dispatch_task(task, "w").unwrap().attempt.thread.unwrap()
}

#[test]
fn a_claim_by_hand_is_refused_at_the_limit_of_the_run() {
    let mut desk = desk_with_budget(Budget { run: wall_limit(5), ..Budget::default() }, &["a", "b"]);
    let (a, b) = (dispatch_by_hand(&mut desk, "a"), dispatch_by_hand(&mut desk, "b"));
    assert_eq!(claim_by_hand(&mut desk, Some(a)), Ok(a));
    desk.clock().advance(TimeSpan::from_minutes(5));
    let short = claim_by_hand(&mut desk, Some(b)).unwrap_err();
    assert_eq!((short.limit.scope, short.limit.option()), (LimitScope::Run, "--max-wall D"));
    // As with a supervisor, the run is paused and its attempts are recalled.
    assert_eq!(desk.show_run("r").unwrap().state.pause_reason(), Some(PauseReason::Budget));
    for task in ["a", "b"] {
        assert_eq!(desk.task_detail(task).attempts[0].attempt.state.name(), "recalled", "{task}");
    }
    assert_eq!(desk.broken_invariants(), []);
}

#[test]
fn a_claim_by_hand_passes_over_a_task_at_its_limit() {
    let budget = Budget { task: cost_limit(5), ..Budget::default() };
    let mut desk = desk_with_budget(budget, &["a", "b"]);
    let first = desk.start_task("a", "w").unwrap();
    use_up(&mut desk, "a", first.thread, Some(4), 0);
    desk.close_failed(&first, false).unwrap();
    desk.clock().advance(TimeSpan::from_minutes(1));
    dispatch_by_hand(&mut desk, "a");
    let b = dispatch_by_hand(&mut desk, "b");
    // Meanwhile the limit was lowered.
    edit_budget(&mut desk, Budget { task: cost_limit(3), ..Budget::default() });
    assert_eq!(claim_by_hand(&mut desk, None), Ok(b));
    let detail = desk.task_detail("a");
    assert_eq!(detail.attempts[0].attempt.state.name(), "recalled");
    let short = shortage(&mut desk, "a", "w");
    assert_eq!((short.limit.scope, short.limit.option()), (LimitScope::Task, "--task-max-cost USD"));
    // Where nothing else is left, the claim says why.
    edit_budget(&mut desk, Budget { task: cost_limit(9), ..Budget::default() });
    dispatch_by_hand(&mut desk, "a");
    edit_budget(&mut desk, Budget { task: cost_limit(3), ..Budget::default() });
    assert_eq!(claim_by_hand(&mut desk, None), Err(short));
    assert_eq!(desk.broken_invariants(), []);
}
