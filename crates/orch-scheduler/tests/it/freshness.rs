//! Every `orch` command answers as if the store had just been reconciled, and writes only when there is news.

use orch_core::event::AwaitedEvent;
use orch_core::lease::LeaseLength;
use orch_core::refusal::Refusal;
use orch_core::run::{Policy, RunStatus};
use orch_core::time::TimeSpan;
use orch_inbox::{Error, Session};
use orch_query::ready;
use orch_query::{blocked, events, graph, status, wait, why};
use orch_scheduler::{dep, run, tell};
use orch_testkit::TestSession;
use orch_testkit::test_session::{default_policy, parse_slug, task_ref, whole_page};

/// Whether a look at the store writes.
fn writes_to_store(desk: &mut TestSession, look: impl FnOnce(&mut Session)) -> bool {
    let mut other = desk.place.open_store();
    let before = other.change_counter().unwrap();
    look(&mut desk.session);
    other.change_counter().unwrap() != before
}

fn read_status(session: &mut Session) {
    orch_query::task::show_task(session, &task_ref("a")).unwrap();
}

#[test]
fn what_moves_no_task_is_no_news() {
    let mut desk = TestSession::with_tasks(&["a"]);
    let stale = desk.start_task("a", "w").unwrap();
    desk.release_thread(&stale).unwrap();
    let held = desk.claim_work("w").unwrap();
    assert!(writes_to_store(&mut desk, read_status), "a release and a claim are news");
    assert!(!writes_to_store(&mut desk, read_status), "news is news once");

    desk.renew_lease(&held).unwrap();
    assert!(!writes_to_store(&mut desk, read_status), "a renewed lease is no news");
    desk.report_progress(&held, "Half of it.").unwrap();
    assert!(!writes_to_store(&mut desk, read_status), "progress is no news");
    tell::tell_worker(&mut desk.session, None, &desk.lead, &task_ref("a"), "Mind the gap.").unwrap();
    assert!(!writes_to_store(&mut desk, read_status), "a note is no news");
    assert!(desk.close_done(&stale).is_err());
    assert!(!writes_to_store(&mut desk, read_status), "a late message is no news");
    desk.ask_question(&held, "Which one?").unwrap();
    assert!(writes_to_store(&mut desk, read_status), "a question is news");
    desk.report_progress(&held, "Waiting.").unwrap();
    desk.reply_to_thread(held.thread, "The left one.").unwrap();
    desk.report_progress(&held, "Half done.").unwrap();
    assert_eq!(desk.task_state("a").name(), "running", "what is no news hides none");
    assert_eq!(desk.broken_invariants(), []);
}

#[test]
fn every_look_sees_a_report_that_nobody_has_looked_at() {
    /// What a command shows of `b`, which waits for `a`, and of the run.
    type ShownText = fn(&mut Session) -> String;
    let looks: [(&str, ShownText); 10] = [
        ("task show", |session| {
            orch_query::task::show_task(session, &task_ref("b")).unwrap().shown.task.state.name().to_owned()
        }),
        ("task list", |session| {
            let list = orch_query::task::TaskListRequest {
                run: None,
                states: Vec::new(),
                label: None,
                page: whole_page(),
            };
            orch_query::task::list_tasks(session, &list).unwrap().items[1].task.state.name().to_owned()
        }),
        ("run show", |session| {
            run::show_run(session, None, &whole_page()).unwrap().tasks.items[1].task.state.name().to_owned()
        }),
        ("why", |session| {
            why::explain_task(session, &task_ref("b")).unwrap().shown.task.state.name().to_owned()
        }),
        ("ready", |session| {
            let wanted = ready::ReadyRequest { run: None, label: None, page: whole_page() };
            ready::list_ready_tasks(session, &wanted).unwrap().tasks.items[0].task.state.name().to_owned()
        }),
        ("status", |session| {
            status::load_overview(session, None).unwrap().ready[0].task.state.name().to_owned()
        }),
        ("graph", |session| {
            let graph = graph::load_graph(session, None, &whole_page()).unwrap();
            graph.tasks.items[1].task.state.name().to_owned()
        }),
        ("dep list", |session| {
            let edges =
                dep::list_dependencies(session, &dep::DependencyFilter::Run(None), &whole_page()).unwrap();
            if edges.items[0].met { "ready".to_owned() } else { "waiting".to_owned() }
        }),
        ("events", |session| {
            let wanted =
                events::EventsRequest { run: None, task: Some(task_ref("b")), after: None, limit: 10 };
            events::list_events(session, &wanted).unwrap().items.pop().unwrap().kind.name().to_owned()
        }),
        ("wait", |session| {
            let request = wait::EventWaitRequest {
                agent: parse_slug("lead"),
                run: None,
                wakes: vec![AwaitedEvent::Done],
                after: None,
                timeout: TimeSpan(1),
                limit: 10,
            };
            wait::wait_for_events(session, &request).map_or("waiting".to_owned(), |_| "ready".to_owned())
        }),
    ];
    for (command, shown) in looks {
        let mut desk = TestSession::with_tasks(&["a", "b < a"]);
        let held = desk.start_task("a", "w").unwrap();
        desk.close_done(&held).unwrap();
        assert_eq!(shown(&mut desk.session), "ready", "orch {command}");
    }
}

#[test]
fn a_command_that_is_refused_does_not_undo_what_was_new() {
    let mut desk = TestSession::with_tasks(&["a"]);
    let held = desk.start_task("a", "w").unwrap();
    desk.close_done(&held).unwrap();
    let refused = orch_query::task::show_task(&mut desk.session, &task_ref("nothing")).unwrap_err();
    assert!(matches!(refused, Error::Refused(Refusal::TaskNotFound { .. })), "{refused:?}");
    assert!(!writes_to_store(&mut desk, read_status));
    assert_eq!(desk.show_run("r").unwrap().state.status(), RunStatus::Finished);
}

#[test]
fn a_lost_lease_is_seen_by_who_looks_and_by_blocked() {
    let mut desk = TestSession::new();
    let lease = LeaseLength::new(TimeSpan::from_seconds(8)).unwrap();
    desk.make_run("r", Policy { lease, max_attempts: 1, ..default_policy() }).unwrap();
    desk.add_tasks("r", &["a", "b < a"]);
    for _ in 0..3 {
        desk.start_task("a", "w").unwrap();
        desk.clock().advance(TimeSpan::from_seconds(10));
    }
    let blocked = blocked::list_blockers(&mut desk.session, None, &whole_page()).unwrap();
    let stuck: Vec<String> = blocked.stuck.iter().map(|stuck| stuck.task.to_string()).collect();
    assert_eq!(stuck, ["r/a", "r/b"]);
    assert_eq!(desk.broken_invariants(), []);
}
