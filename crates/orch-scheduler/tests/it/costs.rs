//! What operations cost does not grow with the store: every row is found by an index.

use orch_core::id::MessageId;
use orch_core::lease::LeaseLength;
use orch_core::limit;
use orch_core::time::Span;
use orch_inbox::Session;
use orch_inbox::wait::{Wait, wait};
use orch_scheduler::ready::{Ready, ready};
use orch_scheduler::{blocked, status};
use orch_testkit::Desk;
use orch_testkit::desk::{slug, whole};

/// What there is little of, so that walking it is no walk: open runs, unseen news, threads that somebody holds, names.
const SHORT: [&str; 4] = ["run_unfinished", "thread_news", "thread_held", "agent"];

/// Whether a step of a plan walks something whose length is the store's.
fn walks(statement: &str, step: &str) -> bool {
    let Some(walked) = step.strip_prefix("SCAN ") else { return false };
    let short = walked.rsplit(' ').next().is_some_and(|index| SHORT.contains(&index));
    let newest_row = statement.ends_with("ORDER BY id DESC LIMIT 1");
    // What a subquery of the statement gathered is no table; its own steps are judged by themselves.
    let gathered = ["CONSTANT ROW", "recent", "timers"].contains(&walked);
    !(short || newest_row || gathered)
}

/// Every statement of the session that walks a table, with the step that does.
fn walking(session: &mut Session) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for plan in session.plans().unwrap() {
        for step in plan.steps.into_iter().filter(|step| walks(&plan.statement, step)) {
            found.push((plan.statement.clone(), step));
        }
    }
    found
}

#[test]
fn nothing_that_is_done_every_day_walks_a_table() {
    let mut desk = Desk::with_tasks(&["a", "b < a", "c < b"]);
    let held = desk.start("a", "w").unwrap();
    desk.progress(&held, "half").unwrap();
    desk.renew(&held).unwrap();
    desk.ask(&held, "Which one?").unwrap();
    blocked::blocked(&mut desk.session, None, &whole()).unwrap();
    status::status(&mut desk.session, None).unwrap();
    desk.reply(held.thread, "This one.").unwrap();
    desk.done(&held).unwrap();
    let held = desk.start("b", "w").unwrap();
    desk.release(&held).unwrap();
    desk.recall("b").unwrap();
    let held = desk.start("b", "w").unwrap();
    desk.fail(&held, false).unwrap();
    desk.send("w", LeaseLength::DEFAULT).unwrap();
    let held = desk.claim("w").unwrap();
    desk.done(&held).unwrap();
    let after = Some(MessageId(0));
    let request = Wait {
        agent: slug("w"),
        thread: None,
        kind: None,
        after,
        timeout: Span::seconds(1),
        limit: limit::LIST_DEFAULT,
    };
    wait(&mut desk.session, &request).unwrap();
    ready(&mut desk.session, &Ready { run: None, label: None, page: whole() }).unwrap();
    status::status(&mut desk.session, None).unwrap();
    desk.detail("b");
    assert_eq!(walking(&mut desk.session), []);
}

#[test]
fn a_walk_is_seen() {
    assert!(walks("SELECT count(*) FROM task", "SCAN task"));
    assert!(walks("SELECT count(*) FROM task", "SCAN task USING COVERING INDEX task_key"));
    assert!(!walks("SELECT id FROM thread WHERE news = 1", "SCAN thread USING INDEX thread_news"));
    assert!(!walks("SELECT at FROM event ORDER BY id DESC LIMIT 1", "SCAN event"));
}
