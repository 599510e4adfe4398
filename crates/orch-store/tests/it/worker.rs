//! Processes that work, supervisors that start them, and profiles that rest.

use orch_core::id::{RunId, ThreadId};
use orch_core::thread::Reference;
use orch_core::time::{Span, Time};
use orch_core::worker::{Worker, WorkerEnd, WorkerOutcome};
use orch_store::Store;
use orch_store::table::profile_rest::{self, ProfileRest};
use orch_store::table::supervisor::{self, Supervisor};
use orch_store::table::{attempt, thread, worker};

use crate::Open;
use crate::fixture::{NOW, attempt_row, head, new_run, new_task, new_thread, read, slug, write};

fn begun(thread: ThreadId) -> Worker {
    Worker {
        thread,
        agent: slug("crew"),
        host: "h".to_owned(),
        process: "1-2-3".to_owned(),
        tag: "t".to_owned(),
        profile: None,
        log: "/logs/1".to_owned(),
        grace: Span::seconds(10),
        session: None,
        started_at: NOW,
        output_at: None,
        commit_at: None,
        silent: false,
        activity: None,
        tokens: 0,
        cost_micros: 0,
        report: None,
        end: None,
    }
}

pub(crate) fn exercise(open: Open<'_>) {
    let mut store = open();
    let (run, of_run, alone) = write(&mut store, |tx| {
        let run = new_run(tx, "r")?;
        let made = new_task(tx, run.id, "a")?;
        let id = attempt::next(tx)?;
        let reference = Reference { run: run.id, task: made.id, attempt: id };
        let of_run = thread::insert(tx, head("crew", 2, Some(reference)), NOW)?;
        attempt::insert(tx, attempt_row(id, &made, 1, of_run.id), NOW)?;
        Ok((run.id, of_run.id, new_thread(tx, "crew", 2)?.id))
    });
    for thread in [alone, of_run] {
        write(&mut store, |tx| worker::put(tx, &begun(thread)));
    }
    let live = |store: &mut Store, run| {
        let live = read(store, |tx| worker::live(tx, run));
        live.into_iter().map(|worker| worker.thread).collect::<Vec<_>>()
    };
    let mut both = [of_run, alone];
    both.sort_unstable();
    assert_eq!(live(&mut store, None), both, "by thread");
    assert_eq!(live(&mut store, Some(run)), [of_run]);
    assert_eq!(live(&mut store, Some(RunId(99))), []);
    assert_eq!(read(&mut store, |tx| worker::load(tx, ThreadId(99))), None);

    let mut whole = Worker {
        process: "4-5-6".to_owned(),
        tag: "u".to_owned(),
        profile: Some(slug("claude")),
        session: Some("s".to_owned()),
        output_at: Some(Time(2_000)),
        commit_at: Some(Time(3_000)),
        silent: true,
        activity: Some("Reading.".to_owned()),
        tokens: 1 << 40,
        cost_micros: 7,
        report: Some("Done.".to_owned()),
        ..begun(of_run)
    };
    write(&mut store, |tx| worker::put(tx, &whole));
    assert_eq!(read(&mut store, |tx| worker::load(tx, of_run)), Some(whole.clone()), "in place of the first");
    assert_eq!(live(&mut store, None), both);
    for outcome in WorkerOutcome::ALL {
        let detail = Some("It failed.".to_owned()).filter(|_| outcome == WorkerOutcome::Failed);
        whole.end = Some(WorkerEnd { at: Time(4_000), outcome, detail });
        write(&mut store, |tx| worker::put(tx, &whole));
        assert_eq!(read(&mut store, |tx| worker::load(tx, of_run)), Some(whole.clone()));
        assert_eq!(live(&mut store, Some(run)), [], "{outcome:?}");
    }
    assert_eq!(live(&mut store, None), [alone]);
    write(&mut store, |tx| worker::put(tx, &begun(of_run)));
    assert_eq!(live(&mut store, Some(run)), [of_run], "the next worker of the thread");
    supervisors(&mut store, run);
    rests(&mut store);
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
        write(store, |tx| supervisor::put(tx, row));
    }
    assert_eq!(read(store, supervisor::all), [early.clone(), late.clone()], "oldest first");
    write(store, |tx| supervisor::put(tx, &one("2-2-2", None, 30)));
    assert_eq!(read(store, supervisor::all), [early, late.clone()], "what is known stays");
    write(store, |tx| supervisor::forget(tx, "2-2-2"));
    write(store, |tx| supervisor::forget(tx, "2-2-2"));
    assert_eq!(read(store, supervisor::all), [late]);
}

fn rests(store: &mut Store) {
    let rest = |profile: &str, until, failures| ProfileRest {
        profile: slug(profile),
        until,
        failures,
        reason: until.map(|_| "No quota.".to_owned()),
        at: NOW,
    };
    assert_eq!(read(store, |tx| profile_rest::load(tx, &slug("claude"))), None);
    for row in [rest("codex", None, 1), rest("claude", None, 1), rest("claude", Some(Time(9_000)), 2)] {
        write(store, |tx| profile_rest::put(tx, &row));
    }
    let claude = rest("claude", Some(Time(9_000)), 2);
    assert_eq!(read(store, |tx| profile_rest::load(tx, &slug("claude"))), Some(claude.clone()));
    assert_eq!(read(store, profile_rest::all), [claude, rest("codex", None, 1)], "by name");
    write(store, |tx| profile_rest::forget(tx, &slug("claude")));
    assert_eq!(read(store, profile_rest::all), [rest("codex", None, 1)]);
}
