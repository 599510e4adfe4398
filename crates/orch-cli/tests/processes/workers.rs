//! Sixteen workers on one store, each a loop of real commands: nothing is lost and nothing is done twice.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use orch_core::id::Slug;
use orch_core::lease::LeaseLength;
use orch_core::limit;
use orch_core::thread::ThreadKind;
use orch_testkit::crates::orch_inbox::send::{SendRequest, send_message};
use orch_testkit::program::{ProgramReply, TestPrograms};

use crate::fixture::ProcessFixture;

const WORKERS: usize = 16;
const WORKS: usize = 2_000;

/// How many are there before the workers begin.
const SENT_BEFORE: usize = 1_500;

#[test]
fn sixteen_workers_do_two_thousand_works_once_each() {
    check_everything_done_once(|number| format!("worker-{number}"));
}

#[test]
fn sixteen_workers_who_share_a_name_do_two_thousand_works_once_each() {
    check_everything_done_once(|_| "pool".to_owned());
}

/// Some works come while the workers are at it already; `name` says who the worker of a number is.
fn check_everything_done_once(name: impl Fn(usize) -> String) {
    let place = ProcessFixture::new();
    send_works(&place.programs, 0..SENT_BEFORE);
    let all_sent = AtomicBool::new(false);
    let done: Vec<(String, Vec<String>)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS)
            .map(|number| {
                let (programs, all_sent, name) = (&place.programs, &all_sent, name(number));
                scope.spawn(move || (name.clone(), work_until_empty(programs, &name, all_sent)))
            })
            .collect();
        send_works(&place.programs, SENT_BEFORE..WORKS);
        all_sent.store(true, Ordering::Release);
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });

    let mut by_thread = BTreeMap::new();
    for (worker, threads) in done {
        for thread in threads {
            let before = by_thread.insert(thread.clone(), worker.clone());
            assert!(before.is_none(), "{thread} was claimed by {before:?} and by {worker}");
        }
    }
    assert_eq!(by_thread.len(), WORKS, "every work was claimed");
    let list =
        place.programs.run_for_data(&["inbox", "list", "--for", "pool", "--state", "done", "--limit", "1"]);
    assert_eq!(list["total"], WORKS, "every work is done");
    let list = place.programs.run_for_data(&["inbox", "list", "--limit", "1"]);
    assert_eq!(list["total"], WORKS, "and there is nothing else");
    let doctor = place.programs.run_for_data(&["orch", "doctor"]);
    let errors = doctor["findings"].as_array().unwrap().iter().filter(|finding| finding["level"] == "error");
    assert_eq!(errors.count(), 0, "{doctor}");
}

fn send_works(programs: &TestPrograms, numbers: Range<usize>) {
    let mut session = programs.open_session();
    for number in numbers {
        let work = SendRequest::NewThread {
            from: Slug::new("lead").unwrap(),
            to: Slug::new("pool").unwrap(),
            subject: format!("Work {number}"),
            body: "Do it.".to_owned(),
            kind: ThreadKind::Work,
            priority: limit::PRIORITY_DEFAULT,
            lease: LeaseLength::DEFAULT,
            payload: None,
        };
        send_message(&mut session, None, &work).unwrap();
    }
}

/// Claims and finishes until there is nothing any more; returns what it finished.
fn work_until_empty(programs: &TestPrograms, name: &str, all_sent: &AtomicBool) -> Vec<String> {
    let mut finished = Vec::new();
    loop {
        // Looked at before the claim: what is empty after that stays empty.
        let no_more = all_sent.load(Ordering::Acquire);
        let claim = programs.run_command(&["inbox", "claim", "--for", "pool", "--as", name]);
        let claimed = match claim.program_reply() {
            ProgramReply::Ok { data, .. } => data,
            ProgramReply::Refused { code, .. } if code == "inbox_empty" && no_more => return finished,
            ProgramReply::Refused { code, .. } if code == "inbox_empty" => continue,
            _ => panic!("{claim}"),
        };
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let (thread, token) = (text(&claimed["thread"]["id"]), text(&claimed["lease"]["token"]));
        let done = programs.run_for_data(&["inbox", "done", &thread, "--token", &token, "--result", "Done."]);
        assert_eq!(done["thread"]["state"], "done");
        finished.push(thread);
    }
}
