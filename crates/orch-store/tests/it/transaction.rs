//! Transactions: whole or not at all, and as if each were alone.

use orch_core::event::{About, EventKind, NewEvent};
use orch_core::run::Run;
use orch_core::time::Time;
use orch_store::driver::Durability;
use orch_store::table::{agent, event, run};
use orch_store::{Ending, Fault, Store};

use crate::Open;
use crate::fixture::{NOW, new_run, read, slug, write};

pub(crate) fn exercise(open: Open<'_>) {
    endings(open);
    a_reader_sees_one_state(open);
    writers_wait_for_each_other(open);
    the_change_counter_tells_of_others(open);
    time_never_goes_back(open);
    a_write_runs_twice_and_happens_once(open);
    everything_that_is_asked_is_counted(open);
}

/// An error that is not the store's.
#[derive(Debug, PartialEq)]
struct Refused;

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        panic!("{fault:?}")
    }
}

fn endings(open: Open<'_>) {
    let mut store = open();
    let mut other = open();
    let mut end = |name: &str, ending: fn() -> Result<Ending<&'static str, Refused>, Refused>| {
        store.write(Durability::Power, |tx| {
            agent::name(tx, &slug(name), NOW)?;
            assert!(agent::load(tx, &slug(name))?.is_some(), "a transaction sees what it wrote");
            ending()
        })
    };
    let outcomes = [
        ("keep", end("keep", || Ok(Ending::Keep("kept"))), Ok("kept"), true),
        ("undo", end("undo", || Ok(Ending::Undo("seen"))), Ok("seen"), false),
        ("fail", end("fail", || Ok(Ending::KeepAndFail(Refused))), Err(Refused), true),
        ("refuse", end("refuse", || Err(Refused)), Err(Refused), false),
    ];
    for (name, outcome, expected, there) in outcomes {
        assert_eq!(outcome, expected, "{name}");
        let found = read(&mut other, |tx| agent::load(tx, &slug(name)));
        assert_eq!(found.is_some(), there, "{name}");
    }
    let renewed = store.write(Durability::Process, |tx| {
        agent::name(tx, &slug("process"), NOW)?;
        Ok::<_, Fault>(Ending::Keep(()))
    });
    assert!(renewed.is_ok());
    assert!(read(&mut other, |tx| agent::load(tx, &slug("process"))).is_some());
}

fn a_reader_sees_one_state(open: Open<'_>) {
    let mut reader = open();
    let mut writer = open();
    let (before, after) = reader
        .read(|tx| {
            let before = agent::count(tx)?;
            write(&mut writer, |tx| agent::name(tx, &slug("meanwhile"), NOW));
            Ok::<_, Fault>((before, agent::count(tx)?))
        })
        .unwrap();
    assert_eq!(before, after);
    assert_eq!(read(&mut reader, agent::count), before + 1);
}

/// Reads, thinks, and writes what it read plus one: lost if anybody came in between.
fn add_one(store: &mut Store) {
    write(store, |tx| {
        let found = run::by_name(tx, &slug("shared"))?.unwrap();
        run::save(tx, &Run { keys_made: found.keys_made + 1, ..found })
    });
}

fn writers_wait_for_each_other(open: Open<'_>) {
    const WRITERS: u32 = 6;
    const TIMES: u32 = 50;
    let mut store = open();
    write(&mut store, |tx| new_run(tx, "shared"));
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
    let found = read(&mut store, |tx| Ok(run::by_name(tx, &slug("shared"))?.unwrap()));
    assert_eq!(found.keys_made, WRITERS * TIMES);
}

fn the_change_counter_tells_of_others(open: Open<'_>) {
    let mut store = open();
    let mut other = open();
    let before = store.change_counter().unwrap();
    assert_eq!(store.change_counter().unwrap(), before);
    write(&mut store, |tx| agent::name(tx, &slug("mine"), NOW));
    assert_eq!(store.change_counter().unwrap(), before, "one's own commits are no news");
    write(&mut other, |tx| agent::name(tx, &slug("theirs"), NOW));
    assert_ne!(store.change_counter().unwrap(), before);
}

fn time_never_goes_back(open: Open<'_>) {
    let mut store = open();
    assert_eq!(read(&mut store, |tx| tx.now(Time(3))), Time(3));
    let told = NewEvent { kind: EventKind::Sent, about: About::default(), agent: None, data: Vec::new() };
    write(&mut store, |tx| event::insert(tx, &told, Time(900)));
    assert_eq!(read(&mut store, |tx| tx.now(Time(3))), Time(900));
    assert_eq!(read(&mut store, |tx| tx.now(Time(901))), Time(901));
    store.tend();
    assert_eq!(store.integrity().unwrap(), [""; 0]);
}

/// Tests are built so that every write of theirs runs twice: a store may have to run it again.
fn a_write_runs_twice_and_happens_once(open: Open<'_>) {
    let variable = option_env!("ORCH_TEST_RUN_TWICE");
    assert!(variable.is_some(), ".cargo/config.toml sets it");
    let twice = cfg!(debug_assertions) && variable == Some("1");
    let mut store = open();
    let before = read(&mut store, |tx| Ok(run::by_name(tx, &slug("shared"))?.unwrap()));
    let times = std::cell::Cell::new(0);
    write(&mut store, |tx| {
        times.set(times.get() + 1);
        let found = run::by_name(tx, &slug("shared"))?.unwrap();
        run::save(tx, &Run { keys_made: found.keys_made + 1, ..found })
    });
    let after = read(&mut store, |tx| Ok(run::by_name(tx, &slug("shared"))?.unwrap()));
    assert_eq!(times.get(), if twice { 2 } else { 1 });
    assert_eq!(after.keys_made, before.keys_made + 1);
}

fn everything_that_is_asked_is_counted(open: Open<'_>) {
    let mut store = open();
    let mut cost = |work: &dyn Fn(&mut Store)| {
        let before = store.statement_counts();
        work(&mut store);
        let cost = store.statement_counts() - before;
        (cost.statements, cost.transactions, cost.write_transactions)
    };
    let name = |store: &mut Store| write(store, |tx| agent::name(tx, &slug("counted"), NOW));
    let count = |store: &mut Store| assert!(read(store, agent::count) > 0);
    // A connection may have to say first how durable its writes are.
    let _ = cost(&name);
    assert_eq!(cost(&name), (3, 1, 1), "BEGIN, INSERT, COMMIT");
    assert_eq!(cost(&count), (3, 1, 0), "BEGIN, SELECT, ROLLBACK");
    assert_eq!(cost(&|store| drop(store.change_counter())), (1, 0, 0));
    let undone = |store: &mut Store| {
        store.write(Durability::Power, |tx| agent::count(tx).map(|_| Ending::Undo(()))).unwrap();
    };
    assert_eq!(cost(&undone), (3, 1, 1), "BEGIN, SELECT, ROLLBACK");
}
