//! What operations cost does not grow with the store: every row is found by an index, and the number of statements is
//! bounded. `BEGIN`, `COMMIT` and `ROLLBACK` count as statements.

use orch_core::id::MessageId;
use orch_core::lease::LeaseLength;
use orch_core::limit;
use orch_core::task::{TaskEdit, TaskState};
use orch_core::time::TimeSpan;
use orch_inbox::Session;
use orch_inbox::wait::{MessageWaitRequest, wait_for_messages};
use orch_query::ready::{ReadyRequest, list_ready_tasks};
use orch_query::task::{TaskListRequest, list_tasks};
use orch_query::{agents, blocked, status, why};
use orch_scheduler::plan;
use orch_testkit::TestSession;
use orch_testkit::test_session::{new_task, parse_slug, task_ref, whole_page};

/// Tables and indexes with few rows, which may be scanned: open runs, dirty threads, claimed threads, agents, the clock, delays,
/// operations that are still to be performed.
const SHORT: [&str; 8] = [
    "run_unfinished",
    "thread_news",
    "thread_held",
    "agent",
    "store_clock",
    "task_backoff",
    "profile_cooldown",
    "effect",
];

/// Returns whether a step of a plan scans something that grows with the store.
fn scans_table(statement: &str, step: &str) -> bool {
    let Some(walked) = step.strip_prefix("SCAN ") else { return false };
    let short = walked.rsplit(' ').next().is_some_and(|index| SHORT.contains(&index));
    let newest_row = walked == "event" && statement.contains("FROM event ORDER BY id DESC LIMIT 1");
    // The result of a subquery and a list of parameters are no tables; the steps of the subquery are checked by themselves.
    let gathered = ["CONSTANT ROW", "2-ROW VALUES CLAUSE", "recent", "timers"].contains(&walked)
        || ["part_", "json_each"].iter().any(|name| walked.starts_with(name));
    !(short || newest_row || gathered)
}

/// Returns every statement of the session that scans a table, with the step that does.
fn table_scans(session: &mut Session) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for plan in session.query_plans().unwrap() {
        for step in plan.steps.into_iter().filter(|step| scans_table(&plan.statement, step)) {
            found.push((plan.statement.clone(), step));
        }
    }
    found
}

#[test]
fn no_frequent_operation_scans_a_table() {
    let mut desk = TestSession::with_tasks(&["a", "b < a", "c < b"]);
    let held = desk.start_task("a", "w").unwrap();
    desk.report_progress(&held, "half").unwrap();
    desk.renew_lease(&held).unwrap();
    desk.ask_question(&held, "Which one?").unwrap();
    blocked::list_blockers(&mut desk.session, None, &whole_page()).unwrap();
    status::load_overview(&mut desk.session, None).unwrap();
    desk.reply_to_thread(held.thread, "This one.").unwrap();
    desk.close_done(&held).unwrap();
    let held = desk.start_task("b", "w").unwrap();
    desk.release_thread(&held).unwrap();
    desk.recall_task("b").unwrap();
    let held = desk.start_task("b", "w").unwrap();
    desk.close_failed(&held, false).unwrap();
    desk.send_work("w", LeaseLength::DEFAULT).unwrap();
    let held = desk.claim_work("w").unwrap();
    desk.close_done(&held).unwrap();
    let after = Some(MessageId(0));
    let request = MessageWaitRequest {
        agent: parse_slug("w"),
        thread: None,
        kind: None,
        after,
        timeout: TimeSpan::from_seconds(1),
        limit: limit::LIST_DEFAULT,
    };
    wait_for_messages(&mut desk.session, &request).unwrap();
    list_ready_tasks(&mut desk.session, &ReadyRequest { run: None, label: None, page: whole_page() })
        .unwrap();
    status::load_overview(&mut desk.session, None).unwrap();
    desk.task_detail("b");
    assert_eq!(table_scans(&mut desk.session), []);
}

#[test]
fn a_scan_is_found() {
    assert!(scans_table("SELECT count(*) FROM task", "SCAN task"));
    assert!(scans_table("SELECT count(*) FROM task", "SCAN task USING COVERING INDEX task_key"));
    assert!(!scans_table("SELECT id FROM thread WHERE news = 1", "SCAN thread USING INDEX thread_news"));
    assert!(!scans_table("SELECT at FROM event ORDER BY id DESC LIMIT 1", "SCAN event"));
    assert!(scans_table("SELECT max(at) FROM event", "SCAN event"));
}

/// Counts the statements of an operation.
fn count_statements<T>(desk: &mut TestSession, run: impl FnOnce(&mut TestSession) -> T) -> u64 {
    let before = desk.session.statement_counts().statements;
    let _ = run(desk);
    desk.session.statement_counts().statements - before
}

/// A run whose tasks are all in the state that matters.
fn desk_with_tasks(count: usize) -> TestSession {
    let lines: Vec<String> = (0..count).map(|number| format!("t{number}")).collect();
    TestSession::with_tasks(&lines.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn a_worker_pays_a_bounded_number_of_statements() {
    let mut desk = TestSession::new();
    desk.send_work("w", LeaseLength::DEFAULT).unwrap();
    let mut held = None;
    let claim = count_statements(&mut desk, |desk| held = Some(desk.claim_work("w").unwrap()));
    let held = held.unwrap();
    desk.clock().advance(TimeSpan::from_minutes(1));
    let progress = count_statements(&mut desk, |desk| desk.report_progress(&held, "half").unwrap());
    desk.clock().advance(TimeSpan::from_minutes(1));
    let done = count_statements(&mut desk, |desk| desk.close_done(&held).unwrap());
    desk.send_work("w", LeaseLength::DEFAULT).unwrap();
    let held = desk.claim_work("w").unwrap();
    desk.clock().advance(TimeSpan::from_minutes(1));
    let renew = count_statements(&mut desk, |desk| desk.renew_lease(&held).unwrap());
    let counts = [("claim", claim, 8), ("progress", progress, 6), ("renew", renew, 6), ("done", done, 10)];
    for (name, count, ceiling) in counts {
        assert!(count <= ceiling, "{counts:?}: {name}");
    }
}

/// The statements of the lead's queries in a run with this many tasks in each state.
fn costs_of_queries(tasks: usize) -> Vec<(&'static str, u64)> {
    let mut desk = desk_with_tasks(tasks * 4);
    for number in 0..tasks {
        let held = desk.start_task(&format!("t{number}"), "w").unwrap();
        desk.ask_question(&held, "Which one?").unwrap();
        let held = desk.start_task(&format!("t{}", tasks + number), "w").unwrap();
        desk.report_progress(&held, "half").unwrap();
        let held = desk.start_task(&format!("t{}", 2 * tasks + number), "w").unwrap();
        desk.close_failed(&held, true).unwrap();
    }
    desk.reconcile_all().unwrap();
    let page = whole_page();
    let ready = ReadyRequest { run: None, label: None, page: page.clone() };
    let list = TaskListRequest {
        run: None,
        states: vec![TaskState::Running, TaskState::Failed],
        label: None,
        page: page.clone(),
    };
    vec![
        (
            "status",
            count_statements(&mut desk, |desk| status::load_overview(&mut desk.session, None).unwrap()),
        ),
        ("ready", count_statements(&mut desk, |desk| list_ready_tasks(&mut desk.session, &ready).unwrap())),
        (
            "blocked",
            count_statements(&mut desk, |desk| {
                blocked::list_blockers(&mut desk.session, None, &page).unwrap()
            }),
        ),
        (
            "why",
            count_statements(&mut desk, |desk| {
                why::explain_task(&mut desk.session, &task_ref("t0")).unwrap()
            }),
        ),
        ("list", count_statements(&mut desk, |desk| list_tasks(&mut desk.session, &list).unwrap())),
        (
            "agents",
            count_statements(&mut desk, |desk| agents::list_agents(&mut desk.session, None, &page).unwrap()),
        ),
    ]
}

#[test]
fn queries_cost_the_same_whatever_they_show() {
    let (few, many) = (costs_of_queries(1), costs_of_queries(12));
    assert_eq!(few, many);
    assert!(many[0].1 <= 15, "status: {many:?}");
}

/// The statements of applying this many reports of success.
fn cost_of_reports(count: usize) -> u64 {
    let mut desk = desk_with_tasks(count);
    for number in 0..count {
        let dispatched = desk.dispatch_task(&format!("t{number}"), "w").unwrap();
        let held = desk.claim_thread("w", dispatched.thread.unwrap().thread.id).unwrap();
        desk.close_done(&held).unwrap();
    }
    count_statements(&mut desk, |desk| desk.reconcile_all().unwrap())
}

#[test]
fn a_report_costs_six_writes_and_no_reads_of_its_own() {
    let (one, many) = (cost_of_reports(1), cost_of_reports(20));
    assert!(many - one <= 6 * 19, "{one} and {many}");
}

/// The statements of adding a plan in which each task depends on the three before it.
fn cost_of_plan(count: usize) -> u64 {
    let mut desk = desk_with_tasks(1);
    let planned = |number: usize| {
        let after: Vec<String> = (number.saturating_sub(3)..number)
            .map(|number| format!("p{number}"))
            .chain(["t0".to_owned()])
            .collect();
        let after: Vec<&str> = after.iter().map(String::as_str).collect();
        plan::PlannedTask {
            task: new_task(&format!("p{number}"), &after),
            named: TaskEdit::default(),
            names_after: true,
            line: 1,
        }
    };
    let plan = plan::TaskPlan { tasks: (0..count).map(planned).collect(), ..plan::TaskPlan::default() };
    let lead = desk.lead.clone();
    count_statements(&mut desk, |desk| plan::add_plan(&mut desk.session, None, &lead, None, &plan).unwrap())
}

#[test]
fn a_planned_task_costs_six_writes_and_no_reads_of_its_own() {
    let (few, many) = (cost_of_plan(5), cost_of_plan(40));
    assert!(many - few <= 6 * 35, "{few} and {many}");
}
