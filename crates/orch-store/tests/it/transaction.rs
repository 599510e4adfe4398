//! Transactions: whole or not at all, and as if each were alone.

use orch_core::event::{EventKind, EventSubject, NewEvent};
use orch_core::run::Run;
use orch_core::store_clock::{BootId, BootTime, ClockChange, ClockReading};
use orch_core::time::{Time, TimeSpan};
use orch_store::driver::WriteDurability;
use orch_store::table::{agent, event, run, store_clock};
use orch_store::{Fault, Store, TxEnd};

use crate::StoreOpener;
use crate::fixture::{NOW, new_run, read_store, test_slug, write_store};

pub(crate) fn check_conformance(open: StoreOpener<'_>) {
    transaction_ends(open);
    a_reader_sees_one_state(open);
    writers_wait_for_each_other(open);
    the_change_counter_tells_of_others(open);
    time_follows_the_boot_clock(open);
    a_write_runs_twice_and_happens_once(open);
    everything_that_is_asked_is_counted(open);
}

/// An error that is not the store's.
#[derive(Debug, PartialEq)]
struct TestRefusal;

impl From<Fault> for TestRefusal {
    fn from(fault: Fault) -> Self {
        panic!("{fault:?}")
    }
}

fn transaction_ends(open: StoreOpener<'_>) {
    let mut store = open();
    let mut other = open();
    let mut end = |name: &str, ending: fn() -> Result<TxEnd<&'static str, TestRefusal>, TestRefusal>| {
        store.write(WriteDurability::Power, |tx| {
            agent::register_name(tx, &test_slug(name), NOW)?;
            assert!(agent::load(tx, &test_slug(name))?.is_some(), "a transaction sees what it wrote");
            ending()
        })
    };
    let outcomes = [
        ("keep", end("keep", || Ok(TxEnd::Commit("kept"))), Ok("kept"), true),
        ("undo", end("undo", || Ok(TxEnd::Rollback("seen"))), Ok("seen"), false),
        ("fail", end("fail", || Ok(TxEnd::CommitThenFail(TestRefusal))), Err(TestRefusal), true),
        ("refuse", end("refuse", || Err(TestRefusal)), Err(TestRefusal), false),
    ];
    for (name, outcome, expected, there) in outcomes {
        assert_eq!(outcome, expected, "{name}");
        let found = read_store(&mut other, |tx| agent::load(tx, &test_slug(name)));
        assert_eq!(found.is_some(), there, "{name}");
    }
    let renewed = store.write(WriteDurability::Process, |tx| {
        agent::register_name(tx, &test_slug("process"), NOW)?;
        Ok::<_, Fault>(TxEnd::Commit(()))
    });
    assert!(renewed.is_ok());
    assert!(read_store(&mut other, |tx| agent::load(tx, &test_slug("process"))).is_some());
}

fn a_reader_sees_one_state(open: StoreOpener<'_>) {
    let mut reader = open();
    let mut writer = open();
    let (before, after) = reader
        .read(|tx| {
            let before = agent::count(tx)?;
            write_store(&mut writer, |tx| agent::register_name(tx, &test_slug("meanwhile"), NOW));
            Ok::<_, Fault>((before, agent::count(tx)?))
        })
        .unwrap();
    assert_eq!(before, after);
    assert_eq!(read_store(&mut reader, agent::count), before + 1);
}

/// Reads, pauses, and writes the value plus one: an update is lost if another transaction runs in between.
fn add_one(store: &mut Store) {
    write_store(store, |tx| {
        let found = run::load_by_name(tx, &test_slug("shared"))?.unwrap();
        run::save(tx, &Run { keys_made: found.keys_made + 1, ..found })
    });
}

fn writers_wait_for_each_other(open: StoreOpener<'_>) {
    const WRITERS: u32 = 6;
    const TIMES: u32 = 50;
    let mut store = open();
    write_store(&mut store, |tx| new_run(tx, "shared"));
    std::thread::scope(|scope| {
        for _ in 0..WRITERS {
            scope.spawn(|| {
                let mut store = open();
                for _ in 0..TIMES {
                    add_one(&mut store);
                }
            });
        }
    });
    let found = read_store(&mut store, |tx| Ok(run::load_by_name(tx, &test_slug("shared"))?.unwrap()));
    assert_eq!(found.keys_made, WRITERS * TIMES);
}

fn the_change_counter_tells_of_others(open: StoreOpener<'_>) {
    let mut store = open();
    let mut other = open();
    let before = store.change_counter().unwrap();
    assert_eq!(store.change_counter().unwrap(), before);
    write_store(&mut store, |tx| agent::register_name(tx, &test_slug("mine"), NOW));
    assert_eq!(store.change_counter().unwrap(), before, "one's own commits are no news");
    write_store(&mut other, |tx| agent::register_name(tx, &test_slug("theirs"), NOW));
    assert_ne!(store.change_counter().unwrap(), before);
}

fn time_follows_the_boot_clock(open: StoreOpener<'_>) {
    let mut store = open();
    let reading = |wall, elapsed| {
        let boot = BootTime { boot: BootId(1), elapsed: TimeSpan(elapsed) };
        ClockReading { wall: Time(wall), boot: Some(boot) }
    };
    let time = |store: &mut Store, reading| read_store(store, |tx| tx.transaction_time(&reading));
    assert_eq!(time(&mut store, reading(90_000, 5)), Time(90_000), "the first wall clock is believed");
    let told = NewEvent {
        kind: EventKind::Sent,
        about: EventSubject::default(),
        agent: None,
        by: None,
        data: Vec::new(),
    };
    write_store(&mut store, |tx| event::insert(tx, &told, Time(900_000)));
    assert_eq!(time(&mut store, reading(80_000, 5)), Time(80_000), "events do not move the clock");
    let change = write_store(&mut store, |tx| {
        tx.transaction_time(&reading(90_000, 5))?;
        let change = tx.clock_judgement().and_then(|judged| judged.change).unwrap();
        store_clock::apply_change(tx, &change)?;
        Ok(change)
    });
    assert!(matches!(change, ClockChange::Restart(_)), "{change:?}");
    let anchor = read_store(&mut store, store_clock::load_anchor).unwrap();
    assert_eq!((anchor.time, anchor.boot.elapsed), (Time(90_000), TimeSpan(5)));
    for jump in [1_000_000, -80_000] {
        assert_eq!(time(&mut store, reading(90_000 + jump, 1_005)), Time(91_000), "{jump}");
    }
    store.checkpoint_if_due();
    assert_eq!(store.check_integrity().unwrap(), [""; 0]);
}

/// Tests are built so that every write of theirs runs twice: a store may have to run it again.
fn a_write_runs_twice_and_happens_once(open: StoreOpener<'_>) {
    let variable = option_env!("ORCH_TEST_RUN_TWICE");
    assert!(variable.is_some(), ".cargo/config.toml sets it");
    let twice = cfg!(debug_assertions) && variable == Some("1");
    let mut store = open();
    let before = read_store(&mut store, |tx| Ok(run::load_by_name(tx, &test_slug("shared"))?.unwrap()));
    let times = std::cell::Cell::new(0);
    write_store(&mut store, |tx| {
        times.set(times.get() + 1);
        let found = run::load_by_name(tx, &test_slug("shared"))?.unwrap();
        run::save(tx, &Run { keys_made: found.keys_made + 1, ..found })
    });
    let after = read_store(&mut store, |tx| Ok(run::load_by_name(tx, &test_slug("shared"))?.unwrap()));
    assert_eq!(times.get(), if twice { 2 } else { 1 });
    assert_eq!(after.keys_made, before.keys_made + 1);
}

fn everything_that_is_asked_is_counted(open: StoreOpener<'_>) {
    let mut store = open();
    let mut cost = |work: &dyn Fn(&mut Store)| {
        let before = store.statement_counts();
        work(&mut store);
        let cost = store.statement_counts() - before;
        (cost.statements, cost.transactions, cost.write_transactions)
    };
    let name = |store: &mut Store| {
        assert!(!write_store(store, |tx| agent::register_name(tx, &test_slug("counted"), NOW)));
    };
    let count = |store: &mut Store| assert!(read_store(store, agent::count) > 0);
    // A connection may have to say first how durable its writes are.
    let _ = cost(&name);
    assert_eq!(cost(&name), (3, 1, 1), "BEGIN, INSERT, COMMIT");
    assert_eq!(cost(&count), (3, 1, 0), "BEGIN, SELECT, ROLLBACK");
    assert_eq!(cost(&|store| drop(store.change_counter())), (1, 0, 0));
    let undone = |store: &mut Store| {
        store.write(WriteDurability::Power, |tx| agent::count(tx).map(|_| TxEnd::Rollback(()))).unwrap();
    };
    assert_eq!(cost(&undone), (3, 1, 1), "BEGIN, SELECT, ROLLBACK");
}
