//! Many at once on one store: nothing is lost, nothing is done twice.

use std::collections::BTreeSet;
use std::sync::Mutex;

use orch_core::id::ThreadId;
use orch_core::refusal::Refusal;
use orch_inbox::{Error, Session};
use orch_inbox::{claim, close};
use orch_scheduler::dispatch;
use orch_testkit::TestSession;
use orch_testkit::test_session::{expect_fresh, parse_slug};

const WORKERS: usize = 8;
const WORKS: usize = 500;

/// Claims and finishes until nothing is left; returns what it did.
fn claim_and_finish_all(session: &mut Session, name: &str) -> Vec<ThreadId> {
    let request = claim::ClaimRequest {
        queue: Some(parse_slug("crew")),
        holder: parse_slug(name),
        thread: None,
        lease: None,
        wait: None,
        again: false,
    };
    let mut done = Vec::new();
    loop {
        let claimed = match claim::claim_thread(session, None, &request) {
            Ok(answer) => expect_fresh(answer),
            Err(Error::Refused(Refusal::InboxEmpty { .. })) => return done,
            Err(other) => panic!("{other:?}"),
        };
        let thread = claimed.thread.thread.id;
        let result = format!("{name} did it.");
        let outcome = close::ThreadResult::Done { result, payload: None, artifacts: Vec::new() };
        let request = close::ThreadCloseRequest {
            thread,
            token: claimed.lease.token,
            outcome,
            here: None,
            snapshot: false,
            defer: false,
        };
        expect_fresh(close::close_thread(session, None, &request).unwrap());
        done.push(thread);
    }
}

#[test]
fn eight_workers_on_one_queue_do_each_work_once() {
    let mut desk = TestSession::new();
    desk.make_run("r", orch_testkit::test_session::default_policy()).unwrap();
    let keys: Vec<String> = (0..WORKS).map(|number| format!("k{number}")).collect();
    desk.add_tasks("r", &keys.iter().map(String::as_str).collect::<Vec<_>>());
    let all = dispatch::DispatchAllRequest {
        run: None,
        to: vec![parse_slug("crew")],
        limit: 10_000,
        agents: orch_core::known_agents::KnownAgents::default(),
    };
    let sent = expect_fresh(dispatch::dispatch_all_ready(&mut desk.session, None, &desk.lead, &all).unwrap());
    assert_eq!(sent.dispatched.len(), WORKS);

    let done = Mutex::new(Vec::new());
    let place = desk.place.clone();
    std::thread::scope(|scope| {
        for number in 0..WORKERS {
            let (place, done) = (&place, &done);
            scope.spawn(move || {
                let mine = claim_and_finish_all(&mut place.open_session(), &format!("w{number}"));
                done.lock().unwrap().extend(mine);
            });
        }
    });
    let done = done.into_inner().unwrap();
    assert_eq!(done.len(), WORKS);
    let distinct: BTreeSet<ThreadId> = done.into_iter().collect();
    assert_eq!(distinct.len(), WORKS);
    let run = desk.show_run("r").unwrap();
    assert_eq!(
        (run.state.status().name(), run.counts.in_state(orch_core::task::TaskState::Done)),
        ("finished", 500)
    );
    assert_eq!(desk.broken_invariants(), []);
}

#[test]
fn two_leads_dispatch_each_task_once() {
    let desk = TestSession::with_tasks(&["a", "b", "c", "d", "e", "f", "g", "h"]);
    let place = desk.place.clone();
    let sent: usize = std::thread::scope(|scope| {
        let lead = |name: &'static str| {
            let place = &place;
            scope.spawn(move || {
                let all = dispatch::DispatchAllRequest {
                    run: None,
                    to: vec![parse_slug("w")],
                    limit: 8,
                    agents: orch_core::known_agents::KnownAgents::default(),
                };
                let sent = expect_fresh(
                    dispatch::dispatch_all_ready(&mut place.open_session(), None, &parse_slug(name), &all)
                        .unwrap(),
                );
                sent.dispatched.len()
            })
        };
        [lead("one"), lead("other")].into_iter().map(|lead| lead.join().unwrap()).sum()
    });
    assert_eq!(sent, 8);
    assert_eq!(desk.broken_invariants(), []);
}
