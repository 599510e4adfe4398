//! Processes that work, supervisors that start them, and profiles that rest.

use orch_core::cooldown::{CooldownCause, ProfileCooldown};
use orch_core::id::{RunId, ThreadId};
use orch_core::thread::{AttemptReference, ThreadStatus};
use orch_core::time::{Time, TimeSpan};
use orch_core::worker::{Worker, WorkerEnd, WorkerOutcome};
use orch_store::Store;
use orch_store::table::profile_cooldown;
use orch_store::table::supervisor::{self, Supervisor};
use orch_store::table::{attempt, thread, worker};

use crate::StoreOpener;
use crate::fixture::{
    NOW, attempt_row, new_run, new_task, new_thread, read_store, test_slug, thread_head, write_store,
};

fn started_worker(thread: ThreadId) -> Worker {
    Worker {
        thread,
        agent: test_slug("crew"),
        host: "h".to_owned(),
        process: "1-2-3".to_owned(),
        tag: "t".to_owned(),
        profile: None,
        log: "/logs/1".to_owned(),
        grace: TimeSpan::from_seconds(10),
        session: None,
        started_at: NOW,
        output_at: None,
        commit_at: None,
        silent: false,
        activity: None,
        report: None,
        end: None,
    }
}

/// A worker waits for a slot until that or anything else of it is saved.
fn waiting_for_slots(store: &mut Store, of_run: ThreadId, alone: ThreadId) {
    write_store(store, |tx| worker::set_awaiting_slot(tx, of_run, Some("It waits.")));
    assert!(read_store(store, |tx| worker::is_awaiting_slot(tx, of_run)));
    assert!(!read_store(store, |tx| worker::is_awaiting_slot(tx, alone)));
    let waiting = read_store(store, worker::list_live_with_threads);
    assert_eq!(
        waiting.iter().filter(|live| live.awaits_slot).map(|live| live.worker.thread).collect::<Vec<_>>(),
        [of_run]
    );
    write_store(store, |tx| worker::upsert(tx, &started_worker(of_run)));
    assert!(!read_store(store, |tx| worker::is_awaiting_slot(tx, of_run)), "it has begun");
}

pub(crate) fn check_conformance(open: StoreOpener<'_>) {
    let mut store = open();
    let (run, task, of_run, alone) = write_store(&mut store, |tx| {
        let run = new_run(tx, "r")?;
        let made = new_task(tx, run.id, "a")?;
        let id = attempt::next_id(tx)?;
        let reference = AttemptReference { run: run.id, task: made.id, attempt: id };
        let of_run = thread::insert(tx, thread_head("crew", 2, Some(reference)), NOW)?;
        attempt::insert(tx, attempt_row(id, &made, 1, of_run.id), NOW)?;
        Ok((run.id, made.id, of_run.id, new_thread(tx, "crew", 2)?.id))
    });
    for thread in [alone, of_run] {
        write_store(&mut store, |tx| worker::upsert(tx, &started_worker(thread)));
    }
    let live = |store: &mut Store, run| {
        let live = read_store(store, |tx| worker::list_live(tx, run));
        live.into_iter().map(|worker| worker.thread).collect::<Vec<_>>()
    };
    let mut both = [of_run, alone];
    both.sort_unstable();
    assert_eq!(live(&mut store, None), both, "by thread");
    assert_eq!(live(&mut store, Some(run)), [of_run]);
    assert_eq!(live(&mut store, Some(RunId(99))), []);
    let with_threads = read_store(&mut store, worker::list_live_with_threads);
    let mut expected = [(of_run, Some(run), Some(task)), (alone, None, None)];
    expected.sort_unstable();
    let found: Vec<_> = with_threads.iter().map(|live| (live.worker.thread, live.run, live.task)).collect();
    assert_eq!(found, expected);
    assert!(with_threads.iter().all(|live| live.status == ThreadStatus::Queued && !live.awaits_slot));
    waiting_for_slots(&mut store, of_run, alone);
    assert_eq!(with_threads[0].worker, started_worker(expected[0].0));
    assert_eq!(read_store(&mut store, |tx| worker::load(tx, ThreadId(99))), None);

    let mut whole = Worker {
        process: "4-5-6".to_owned(),
        tag: "u".to_owned(),
        profile: Some(test_slug("claude")),
        session: Some("s".to_owned()),
        output_at: Some(Time(2_000)),
        commit_at: Some(Time(3_000)),
        silent: true,
        activity: Some("Reading.".to_owned()),
        report: Some("Done.".to_owned()),
        ..started_worker(of_run)
    };
    write_store(&mut store, |tx| worker::upsert(tx, &whole));
    assert_eq!(
        read_store(&mut store, |tx| worker::load(tx, of_run)),
        Some(whole.clone()),
        "in place of the first"
    );
    assert_eq!(live(&mut store, None), both);
    let profiles = read_store(&mut store, |tx| worker::last_profiles(tx, 9));
    assert_eq!(profiles.iter().filter(|name| *name == "claude").count(), 1, "each once: {profiles:?}");
    for outcome in WorkerOutcome::ALL {
        let detail = Some("It failed.".to_owned()).filter(|_| outcome == WorkerOutcome::Failed);
        whole.end = Some(WorkerEnd { at: Time(4_000), outcome, detail });
        write_store(&mut store, |tx| worker::upsert(tx, &whole));
        assert_eq!(read_store(&mut store, |tx| worker::load(tx, of_run)), Some(whole.clone()));
        assert_eq!(live(&mut store, Some(run)), [], "{outcome:?}");
    }
    assert_eq!(live(&mut store, None), [alone]);
    write_store(&mut store, |tx| worker::upsert(tx, &started_worker(of_run)));
    assert_eq!(live(&mut store, Some(run)), [of_run], "the next worker of the thread");
    supervisors(&mut store, run);
    profile_cooldowns(&mut store);
}

fn supervisors(store: &mut Store, run: RunId) {
    let one = |process: &str, run, at| Supervisor {
        process: process.to_owned(),
        host: "h".to_owned(),
        run,
        log: None,
        started_at: Time(at),
    };
    let late = Supervisor { log: Some("/logs/drive".to_owned()), ..one("1-1-1", None, 20) };
    let early = one("2-2-2", Some(run), 10);
    for row in [&late, &early] {
        write_store(store, |tx| supervisor::upsert(tx, row));
    }
    assert_eq!(read_store(store, supervisor::list_all), [early.clone(), late.clone()], "oldest first");
    write_store(store, |tx| supervisor::upsert(tx, &one("2-2-2", None, 30)));
    assert_eq!(read_store(store, supervisor::list_all), [early, late.clone()], "what is known stays");
    write_store(store, |tx| supervisor::delete(tx, "2-2-2"));
    write_store(store, |tx| supervisor::delete(tx, "2-2-2"));
    assert_eq!(read_store(store, supervisor::list_all), [late]);
}

fn profile_cooldowns(store: &mut Store) {
    let rest = |profile: &str, until, failures| ProfileCooldown {
        profile: test_slug(profile),
        cause: CooldownCause::Quota,
        since: NOW,
        until,
        told_by_provider: until.is_some(),
        episodes: failures,
        quick_failures: failures + 1,
        reason: until.map(|_| "No quota.".to_owned()),
        run: until.map(|_| RunId(7)),
        over: until.is_none(),
    };
    assert_eq!(read_store(store, |tx| profile_cooldown::load(tx, &test_slug("claude"))), None);
    for row in [rest("codex", None, 1), rest("claude", None, 1), rest("claude", Some(Time(9_000)), 2)] {
        write_store(store, |tx| profile_cooldown::upsert(tx, &row));
    }
    let claude = rest("claude", Some(Time(9_000)), 2);
    assert_eq!(
        read_store(store, |tx| profile_cooldown::load(tx, &test_slug("claude"))),
        Some(claude.clone())
    );
    assert_eq!(read_store(store, profile_cooldown::list_all), [claude, rest("codex", None, 1)], "by name");
    write_store(store, |tx| profile_cooldown::delete(tx, &test_slug("claude")));
    assert_eq!(read_store(store, profile_cooldown::list_all), [rest("codex", None, 1)]);
}
