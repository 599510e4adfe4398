//! Every `orch` command answers as if the store had just been reconciled, and writes only when there is news.

use orch_core::event::Wake;
use orch_core::lease::LeaseLength;
use orch_core::refusal::Refusal;
use orch_core::run::{Policy, RunStatus};
use orch_core::time::Span;
use orch_inbox::{Error, Session};
use orch_scheduler::{blocked, dep, events, graph, ready, run, status, task, tell, wait, why};
use orch_testkit::Desk;
use orch_testkit::desk::{policy, slug, task_ref, whole};

/// Whether a look at the store writes.
fn writes(desk: &mut Desk, look: impl FnOnce(&mut Session)) -> bool {
    let mut other = desk.place.store();
    let before = other.change_counter().unwrap();
    look(&mut desk.session);
    other.change_counter().unwrap() != before
}

fn look(session: &mut Session) {
    task::show(session, &task_ref("a")).unwrap();
}

#[test]
fn what_moves_no_task_is_no_news() {
    let mut desk = Desk::with_tasks(&["a"]);
    let stale = desk.start("a", "w").unwrap();
    desk.release(&stale).unwrap();
    let held = desk.claim("w").unwrap();
    assert!(writes(&mut desk, look), "a release and a claim are news");
    assert!(!writes(&mut desk, look), "news is news once");

    desk.renew(&held).unwrap();
    assert!(!writes(&mut desk, look), "a renewed lease is no news");
    desk.progress(&held, "Half of it.").unwrap();
    assert!(!writes(&mut desk, look), "progress is no news");
    tell::tell(&mut desk.session, None, &desk.lead, &task_ref("a"), "Mind the gap.").unwrap();
    assert!(!writes(&mut desk, look), "a note is no news");
    assert!(desk.done(&stale).is_err());
    assert!(!writes(&mut desk, look), "a late message is no news");
    desk.ask(&held, "Which one?").unwrap();
    assert!(writes(&mut desk, look), "a question is news");
    desk.progress(&held, "Waiting.").unwrap();
    desk.reply(held.thread, "The left one.").unwrap();
    desk.progress(&held, "Going on.").unwrap();
    assert_eq!(desk.state("a").name(), "running", "what is no news hides none");
    assert_eq!(desk.breaches(), []);
}

#[test]
fn every_look_sees_a_report_that_nobody_has_looked_at() {
    /// What a command shows of `b`, which waits for `a`, and of the run.
    type Shown = fn(&mut Session) -> String;
    let looks: [(&str, Shown); 10] = [
        ("task show", |session| {
            task::show(session, &task_ref("b")).unwrap().shown.task.state.name().to_owned()
        }),
        ("task list", |session| {
            let list = task::List { run: None, states: Vec::new(), label: None, page: whole() };
            task::list(session, &list).unwrap().items[1].task.state.name().to_owned()
        }),
        ("run show", |session| {
            run::show(session, None, &whole()).unwrap().tasks.items[1].task.state.name().to_owned()
        }),
        ("why", |session| why::why(session, &task_ref("b")).unwrap().shown.task.state.name().to_owned()),
        ("ready", |session| {
            let wanted = ready::Ready { run: None, label: None, page: whole() };
            ready::ready(session, &wanted).unwrap().items[0].task.state.name().to_owned()
        }),
        ("status", |session| status::status(session, None).unwrap().ready[0].task.state.name().to_owned()),
        ("graph", |session| graph::graph(session, None).unwrap().tasks[1].task.state.name().to_owned()),
        ("dep list", |session| {
            let edges = dep::list(session, &dep::Edges::Run(None), &whole()).unwrap();
            if edges.items[0].met { "ready".to_owned() } else { "waiting".to_owned() }
        }),
        ("events", |session| {
            let wanted = events::Events { run: None, task: Some(task_ref("b")), after: None, limit: 10 };
            events::events(session, &wanted).unwrap().items.pop().unwrap().kind.name().to_owned()
        }),
        ("wait", |session| {
            let request = wait::Wait {
                agent: slug("lead"),
                run: None,
                wakes: vec![Wake::Done],
                after: None,
                timeout: Span(1),
                limit: 10,
            };
            wait::wait(session, &request).map_or("waiting".to_owned(), |_| "ready".to_owned())
        }),
    ];
    for (command, shown) in looks {
        let mut desk = Desk::with_tasks(&["a", "b < a"]);
        let held = desk.start("a", "w").unwrap();
        desk.done(&held).unwrap();
        assert_eq!(shown(&mut desk.session), "ready", "orch {command}");
    }
}

#[test]
fn a_command_that_is_refused_does_not_undo_what_was_new() {
    let mut desk = Desk::with_tasks(&["a"]);
    let held = desk.start("a", "w").unwrap();
    desk.done(&held).unwrap();
    let refused = task::show(&mut desk.session, &task_ref("nothing")).unwrap_err();
    assert!(matches!(refused, Error::Refused(Refusal::TaskNotFound { .. })), "{refused:?}");
    assert!(!writes(&mut desk, look));
    assert_eq!(desk.show_run("r").unwrap().state.status(), RunStatus::Finished);
}

#[test]
fn a_lost_lease_is_seen_by_who_looks_and_by_blocked() {
    let mut desk = Desk::new();
    let lease = LeaseLength::new(Span::seconds(8)).unwrap();
    desk.run("r", Policy { lease, max_attempts: 1, ..policy() }).unwrap();
    desk.tasks("r", &["a", "b < a"]);
    for _ in 0..3 {
        desk.start("a", "w").unwrap();
        desk.clock().advance(Span::seconds(10));
    }
    let blocked = blocked::blocked(&mut desk.session, None, &whole()).unwrap();
    let stuck: Vec<String> = blocked.stuck.iter().map(|stuck| stuck.task.to_string()).collect();
    assert_eq!(stuck, ["r/a", "r/b"]);
    assert_eq!(desk.breaches(), []);
}
