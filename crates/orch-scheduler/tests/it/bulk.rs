//! Stores with many tasks: what a command costs follows what it shows, and a run is cancelled in pieces.

use orch_core::limit;
use orch_core::run::RunStatus;
use orch_core::task::TaskState;
use orch_inbox::Session;
use orch_query::{graph, report};
use orch_scheduler::run::RunAction;
use orch_store::driver::WriteDurability;
use orch_store::page::PageRequest;
use orch_store::{Fault, Statement, TxEnd};
use orch_testkit::TestSession;

/// Tasks of the first run in rows of ten, each of which waits for the one above it.
const TASKS: Statement = Statement::new(
    "WITH RECURSIVE part_number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM part_number WHERE n < $1)
    INSERT INTO task (run_id, key, title, priority, state, unmet, broken, rank, failures, losses, allow_empty, checks, created_at, updated_at)
    SELECT 1, 't' || n, 'Task ' || n, 2, CASE WHEN n <= 10 THEN 'ready' ELSE 'waiting' END, n > 10, 0, ($1 - n) / 10, 0, 0, 0, 'none', 1, 1
    FROM part_number",
);
const EDGES: Statement =
    Statement::new("INSERT INTO dependency (task_id, on_id) SELECT id, id - 10 FROM task WHERE id > 10");
const EVENTS: Statement = Statement::new(
    "INSERT INTO event (at, kind, run_id, task_id, data, wakes)
    SELECT 1, 'task_added', 1, id, '{\"to\":\"' || state || '\"}', 0 FROM task ORDER BY id",
);
const COUNTS: Statement =
    Statement::new("UPDATE run SET ready = 10, waiting = $1 - 10, keys_made = $1 WHERE id = 1");

fn change_store(desk: &mut TestSession, statements: &[(Statement, &[i64])]) {
    let mut store = desk.place.open_store();
    let written: Result<(), Fault> = store.write(WriteDurability::Process, |tx| {
        for (statement, values) in statements {
            let values: Vec<_> = values.iter().map(|value| (*value).into()).collect();
            tx.execute(*statement, &values)?;
        }
        Ok(TxEnd::Commit(()))
    });
    written.unwrap();
}

/// A run of so many tasks, a multiple of ten.
fn run_of(count: i64) -> TestSession {
    let mut desk = TestSession::with_tasks(&[]);
    change_store(&mut desk, &[(TASKS, &[count]), (EDGES, &[]), (EVENTS, &[]), (COUNTS, &[count])]);
    assert_eq!(desk.broken_invariants(), []);
    desk
}

fn count_statements<T>(desk: &mut TestSession, work: impl FnOnce(&mut Session) -> T) -> (u64, T) {
    let before = desk.session.statement_counts().statements;
    let outcome = work(&mut desk.session);
    (desk.session.statement_counts().statements - before, outcome)
}

fn statuses(desk: &mut TestSession) -> (RunStatus, i64, i64) {
    let run = desk.show_run("r").unwrap();
    (run.state.status(), run.counts.in_state(TaskState::Cancelled), run.counts.total())
}

#[test]
fn a_report_and_a_graph_cost_what_they_show() {
    let mut costs = Vec::new();
    for count in [200, 20_000] {
        let mut desk = run_of(count);
        let page = PageRequest { limit: 150, after: None };
        let (drawn, graph) =
            count_statements(&mut desk, |session| graph::load_graph(session, None, &page).unwrap());
        assert_eq!((graph.tasks.items.len(), graph.tasks.total), (150, count.unsigned_abs()));
        assert_eq!((graph.edges.len(), graph.tasks.next.as_deref()), (140, Some("t150")));
        let (told, report) =
            count_statements(&mut desk, |session| report::load_report(session, None).unwrap());
        assert_eq!((report.left.first.len(), report.left.total), (100, count.unsigned_abs()));
        let (ended, run) = count_statements(&mut desk, |session| {
            let lead = orch_testkit::test_session::parse_slug("lead");
            orch_scheduler::run::change_run(session, None, &lead, None, RunAction::Cancel)
        });
        run.unwrap();
        assert_eq!(statuses(&mut desk), (RunStatus::Cancelled, count, count));
        assert_eq!(desk.broken_invariants(), []);
        costs.push((drawn, told, ended));
    }
    assert_eq!(costs[0], costs[1]);
}

#[test]
fn parts_of_a_graph_make_up_the_whole() {
    let mut desk = run_of(50);
    let (mut after, mut keys, mut edges) = (None, Vec::new(), 0);
    loop {
        let part = graph::load_graph(&mut desk.session, None, &PageRequest { limit: 20, after }).unwrap();
        keys.extend(part.tasks.items.iter().map(|shown| shown.task.name.key.to_string()));
        edges += part.edges.len();
        after = part.tasks.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(keys, (1..=50).map(|number| format!("t{number}")).collect::<Vec<_>>());
    assert_eq!(edges, 40);
}

#[test]
fn a_large_run_is_cancelled_in_pieces_and_a_killed_cancelling_goes_on() {
    let count = i64::from(limit::CANCEL_PIECE) + 20;
    let mut desk = run_of(count);
    desk.change_run("r", RunAction::Cancel).unwrap();
    assert_eq!(statuses(&mut desk), (RunStatus::Cancelled, count, count));
    assert_eq!(desk.broken_invariants(), []);

    // What the first transaction of a killed command leaves: the run is cancelled, the tasks above are not.
    let mut desk = run_of(40);
    let offered = desk.dispatch_task("t1", "w").unwrap().attempt.thread.unwrap();
    change_store(
        &mut desk,
        &[
            (Statement::new("UPDATE run SET state = 'cancelled', waiting = waiting - 10, cancelled = 10"), &[]),
            (Statement::new("UPDATE task SET state = 'cancelled' WHERE id > 30"), &[]),
            (
                Statement::new(
                    "INSERT INTO event (at, kind, run_id, task_id, data, wakes)
                    SELECT 1, 'cancelled', 1, id, '{\"from\":\"waiting\",\"to\":\"cancelled\"}', 0 FROM task WHERE id > 30",
                ),
                &[],
            ),
            (Statement::new("UPDATE thread SET withdrawn = 1"), &[]),
        ],
    );
    assert_eq!(desk.broken_invariants(), []);
    desk.change_run("r", RunAction::Cancel).unwrap();
    assert_eq!(statuses(&mut desk), (RunStatus::Cancelled, 40, 40));
    assert_eq!(desk.show_thread(offered).unwrap().0.state.status().name(), "cancelled");
    assert_eq!(desk.broken_invariants(), []);
    let events = desk.list_events(Some("r")).len();
    desk.change_run("r", RunAction::Cancel).unwrap();
    assert_eq!(desk.list_events(Some("r")).len(), events, "nothing is left to do");
}
