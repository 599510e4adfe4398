//! Agents and cursors.

use orch_core::id::{EventId, MessageId, RunId};
use orch_core::time::Time;
use orch_store::table::agent;

use crate::Open;
use crate::fixture::{read, slug, write};

pub(crate) fn exercise(open: Open<'_>) {
    names_and_sightings(open);
    cursors(open);
}

fn names_and_sightings(open: Open<'_>) {
    let mut store = open();
    let (w, v) = (slug("w"), slug("v"));
    let last_seen = |store: &mut _| read(store, |tx| Ok(agent::load(tx, &w)?.unwrap().last_seen_at));
    assert_eq!(read(&mut store, |tx| agent::load(tx, &w)), None);
    write(&mut store, |tx| agent::name(tx, &w, Time(5)));
    assert_eq!(last_seen(&mut store), None, "written to, not seen");
    for (at, shown) in [(10, 10), (10_009, 10), (10_010, 10_010), (5, 5)] {
        let due = read(&mut store, |tx| agent::sighting_due(tx, &w, Time(at)));
        assert_eq!(due, shown == at, "at {at}");
        write(&mut store, |tx| agent::see(tx, &w, Time(at)));
        assert_eq!(last_seen(&mut store), Some(Time(shown)), "at {at}: to the nearest ten seconds");
    }
    write(&mut store, |tx| agent::name(tx, &w, Time(99)));
    assert_eq!(last_seen(&mut store), Some(Time(5)), "naming somebody known changes nothing");

    write(&mut store, |tx| agent::see(tx, &v, Time(1)));
    let names = |store: &mut _, after: &str| {
        let found = read(store, |tx| agent::list(tx, after, 1));
        found.into_iter().map(|agent| agent.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(&mut store, ""), ["v"]);
    assert_eq!(names(&mut store, "v"), ["w"]);
    assert_eq!(names(&mut store, "w"), [""; 0]);
    assert_eq!(read(&mut store, agent::count), 2);
}

fn cursors(open: Open<'_>) {
    let mut store = open();
    let reader = slug("reader");
    assert!(!write(&mut store, |tx| agent::read_through(tx, &reader, MessageId(3))), "nobody is there");
    write(&mut store, |tx| agent::name(tx, &reader, Time(1)));
    for (through, moved, at) in [(3, true, 3), (3, false, 3), (2, false, 3), (7, true, 7)] {
        assert_eq!(write(&mut store, |tx| agent::read_through(tx, &reader, MessageId(through))), moved);
        let cursor = read(&mut store, |tx| Ok(agent::load(tx, &reader)?.unwrap().cursor));
        assert_eq!(cursor, MessageId(at), "a cursor never moves back");
    }
    let of = |store: &mut _, run| read(store, |tx| agent::event_cursor(tx, &reader, run));
    assert_eq!(of(&mut store, None), None);
    for (run, through) in [(None, 4), (Some(RunId(1)), 9), (None, 2)] {
        write(&mut store, |tx| agent::seen_through(tx, &reader, run, EventId(through)));
    }
    assert_eq!(of(&mut store, None), Some(EventId(4)));
    assert_eq!(of(&mut store, Some(RunId(1))), Some(EventId(9)));
    assert_eq!(of(&mut store, Some(RunId(2))), None);
}
