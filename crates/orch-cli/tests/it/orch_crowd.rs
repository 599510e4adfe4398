//! Many workers at once.

use std::collections::BTreeSet;

use crate::scheduling::json_text;
use crate::test_environment::TestEnvironment;

#[test]
fn sixteen_workers_share_one_name() {
    const TASKS: usize = 48;
    let place = TestEnvironment::with_run("r");
    let plan: String =
        (0..TASKS).map(|number| format!("{{\"key\":\"k{number}\",\"title\":\"x\"}}\n")).collect();
    place.orch(&["task", "add", "--file", "-"]).stdin(plan).ok();
    let sent = place.orch(&["dispatch", "--all", "--to", "pool"]).ok();
    assert_eq!(sent["dispatched"].as_array().unwrap().len(), TASKS);
    let worked: Vec<Vec<String>> = std::thread::scope(|scope| {
        let worker = |number: usize| {
            let (place, name) = (&place, format!("w{number}"));
            move || {
                let mut done = Vec::new();
                loop {
                    let claimed = place.inbox(&["claim", "--for", "pool", "--as", &name, "--empty-ok"]).ok();
                    if claimed["thread"].is_null() {
                        return done;
                    }
                    let held = crate::test_environment::ClaimedThread::from_claim(&claimed);
                    place.finish_work(&held, "It is `done`.\nReally.");
                    done.push(held.thread);
                }
            }
        };
        let workers: Vec<_> = (0..16).map(|number| scope.spawn(worker(number))).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    let threads: Vec<&String> = worked.iter().flatten().collect();
    assert_eq!(threads.len(), TASKS, "none twice");
    assert_eq!(threads.iter().collect::<BTreeSet<_>>().len(), TASKS, "none lost");
    let run = place.orch(&["run", "show", "--limit", "100"]).ok();
    assert_eq!((&run["counts"]["done"], &run["run"]["outcome"]), (&TASKS.into(), &"succeeded".into()));
    let attempt = place.orch(&["task", "show", "k0"]).ok()["attempts"][0].clone();
    assert_eq!(attempt["result"], "It is `done`.\nReally.");
    assert!(json_text(&attempt["agent"]).starts_with('w'));
    assert_eq!(place.orch(&["doctor"]).ok()["verdict"], "ok");
}

#[test]
fn leads_that_dispatch_at_once_dispatch_each_task_once() {
    let place = TestEnvironment::with_run("r");
    for _ in 0..10 {
        place.orch(&["task", "add", "x"]).ok();
    }
    let counts: Vec<usize> = std::thread::scope(|scope| {
        let lead =
            || place.orch(&["dispatch", "--all", "--to", "w"]).ok()["dispatched"].as_array().unwrap().len();
        let leads: Vec<_> = (0..4).map(|_| scope.spawn(lead)).collect();
        leads.into_iter().map(|lead| lead.join().unwrap()).collect()
    });
    assert_eq!(counts.iter().sum::<usize>(), 10, "{counts:?}");
    assert_eq!(place.inbox(&["list", "--for", "w"]).ok()["total"], 10);
}
