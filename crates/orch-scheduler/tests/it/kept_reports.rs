//! Reports that were kept beside a log because the store could not be written, delivered after their wrapper was killed.

use orch_core::time::TimeSpan;
use orch_core::worker::{Worker, WorkerOutcome};
use orch_inbox::kept_report::{KeptEnd, KeptReport};
use orch_process::host_id;
use orch_scheduler::orphaned;
use orch_store::TxEnd;
use orch_store::driver::WriteDurability;
use orch_store::table::worker;
use orch_testkit::TestSession;
use orch_testkit::test_session::{HolderCredentials, parse_slug};

/// A worker whose wrapper was killed, with a log in a folder of the store.
fn record_orphan(desk: &mut TestSession, held: &HolderCredentials, report: Option<&str>) -> Worker {
    let log = desk.session.store_folder().join("worker.log").display().to_string();
    let row = |now| Worker {
        thread: held.thread,
        agent: parse_slug("w"),
        host: host_id().to_owned(),
        process: "killed".to_owned(),
        tag: format!("tag-{}", held.thread),
        profile: None,
        log: log.clone(),
        grace: TimeSpan(0),
        session: None,
        started_at: now,
        output_at: None,
        commit_at: None,
        silent: false,
        activity: None,
        report: report.map(str::to_owned),
        end: None,
    };
    let written = desk.session.write(WriteDurability::Process, |tx, now| {
        worker::upsert(tx, &row(now))?;
        Ok(TxEnd::Commit(row(now)))
    });
    written.unwrap()
}

fn end_of(desk: &mut TestSession, held: &HolderCredentials) -> WorkerOutcome {
    let row = desk.session.query(|tx| Ok(worker::load(tx, held.thread)?)).unwrap().unwrap();
    row.end.unwrap().outcome
}

#[test]
fn a_kept_report_is_delivered_when_its_worker_is_reaped() {
    let finished =
        |result: Option<&str>| KeptEnd::Finished { result: result.map(str::to_owned), snapshot: false };
    for (end, reported, state, outcome, words) in [
        (finished(Some("Done so.")), None, "done", WorkerOutcome::Reported, Some("Done so.")),
        (finished(None), Some("As I said."), "done", WorkerOutcome::Reported, Some("As I said.")),
        (
            KeptEnd::Failed { reason: "No way.".to_owned() },
            None,
            "ready",
            WorkerOutcome::Failed,
            Some("No way."),
        ),
        (KeptEnd::GivenBack, None, "dispatched", WorkerOutcome::Stopped, None),
    ] {
        let mut desk = TestSession::with_tasks(&["a"]);
        let held = desk.start_task("a", "w").unwrap();
        let row = record_orphan(&mut desk, &held, reported);
        KeptReport::new(held.thread, &held.token, end.clone()).keep(row.log.as_ref()).unwrap();
        orphaned::reap_worker(&mut desk.session, &row).unwrap();
        assert_eq!((desk.task_state("a").name(), end_of(&mut desk, &held)), (state, outcome), "{end:?}");
        if let Some(words) = words {
            let (_, messages) = desk.show_thread(held.thread).unwrap();
            assert_eq!(messages.last().unwrap().content.body, words);
        }
        assert!(!desk.session.store_folder().join("worker.log.report").exists(), "it is delivered once");
        assert_eq!(desk.task_detail("a").shown.task.losses, 0);
        assert_eq!(desk.broken_invariants(), []);
    }
}

#[test]
fn a_report_of_other_work_is_not_delivered() {
    let mut desk = TestSession::with_tasks(&["a"]);
    let held = desk.start_task("a", "w").unwrap();
    let row = record_orphan(&mut desk, &held, None);
    for token in ["another", ""] {
        let end = KeptEnd::Failed { reason: "No.".to_owned() };
        KeptReport::new(held.thread, token, end).keep(row.log.as_ref()).unwrap();
    }
    orphaned::reap_worker(&mut desk.session, &row).unwrap();
    let task = desk.task_detail("a").shown.task;
    assert_eq!((task.state.name(), task.losses, task.failures), ("ready", 1, 0));
    assert_eq!(end_of(&mut desk, &held), WorkerOutcome::Gone);
}
