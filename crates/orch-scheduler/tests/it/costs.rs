//! What operations cost does not grow with the store: every row is found by an index.

use orch_core::id::MessageId;
use orch_core::lease::LeaseLength;
use orch_core::limit;
use orch_core::time::TimeSpan;
use orch_inbox::Session;
use orch_inbox::wait::{MessageWaitRequest, wait_for_messages};
use orch_scheduler::ready::{ReadyRequest, list_ready_tasks};
use orch_scheduler::{blocked, status};
use orch_testkit::TestSession;
use orch_testkit::test_session::{parse_slug, whole_page};

/// What there is little of, so that walking it is no walk: open runs, unseen news, threads that somebody holds, names.
const SHORT: [&str; 4] = ["run_unfinished", "thread_news", "thread_held", "agent"];

/// Whether a step of a plan walks something whose length is the store's.
fn scans_table(statement: &str, step: &str) -> bool {
    let Some(walked) = step.strip_prefix("SCAN ") else { return false };
    let short = walked.rsplit(' ').next().is_some_and(|index| SHORT.contains(&index));
    let newest_row = statement.ends_with("ORDER BY id DESC LIMIT 1");
    // What a subquery of the statement gathered is no table; its own steps are judged by themselves.
    let gathered = ["CONSTANT ROW", "recent", "timers"].contains(&walked);
    !(short || newest_row || gathered)
}

/// Every statement of the session that walks a table, with the step that does.
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
fn nothing_that_is_done_every_day_walks_a_table() {
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
fn a_walk_is_seen() {
    assert!(scans_table("SELECT count(*) FROM task", "SCAN task"));
    assert!(scans_table("SELECT count(*) FROM task", "SCAN task USING COVERING INDEX task_key"));
    assert!(!scans_table("SELECT id FROM thread WHERE news = 1", "SCAN thread USING INDEX thread_news"));
    assert!(!scans_table("SELECT at FROM event ORDER BY id DESC LIMIT 1", "SCAN event"));
}
