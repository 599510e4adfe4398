//! Agents and cursors.

use orch_core::id::{EventId, MessageId, RunId};
use orch_core::time::Time;
use orch_store::table::agent;

use crate::StoreOpener;
use crate::fixture::{read_store, test_slug, write_store};

pub(crate) fn check_conformance(open: StoreOpener<'_>) {
    names_and_sightings(open);
    cursors(open);
}

fn names_and_sightings(open: StoreOpener<'_>) {
    let mut store = open();
    let (w, v) = (test_slug("w"), test_slug("v"));
    let last_seen = |store: &mut _| read_store(store, |tx| Ok(agent::load(tx, &w)?.unwrap().last_seen_at));
    assert_eq!(read_store(&mut store, |tx| agent::load(tx, &w)), None);
    write_store(&mut store, |tx| agent::register_name(tx, &w, Time(5)));
    assert_eq!(last_seen(&mut store), None, "written to, not seen");
    for (at, shown) in [(10, 10), (10_009, 10), (10_010, 10_010), (5, 5)] {
        let due = read_store(&mut store, |tx| agent::sighting_due(tx, &w, Time(at)));
        assert_eq!(due, shown == at, "at {at}");
        write_store(&mut store, |tx| agent::record_sighting(tx, &w, Time(at)));
        assert_eq!(last_seen(&mut store), Some(Time(shown)), "at {at}: to the nearest ten seconds");
    }
    write_store(&mut store, |tx| agent::register_name(tx, &w, Time(99)));
    assert_eq!(last_seen(&mut store), Some(Time(5)), "naming a known agent changes nothing");

    write_store(&mut store, |tx| agent::record_sighting(tx, &v, Time(1)));
    let names = |store: &mut _, after: &str| {
        let found = read_store(store, |tx| agent::list_loads(tx, after, 1));
        found.into_iter().map(|load| load.agent.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(&mut store, ""), ["v"]);
    assert_eq!(names(&mut store, "v"), ["w"]);
    assert_eq!(names(&mut store, "w"), [""; 0]);
    assert_eq!(read_store(&mut store, agent::count), 2);
    write_store(&mut store, |tx| agent::register_name(tx, &test_slug("unseen"), Time(1)));
    let asked = [&w, &test_slug("unseen"), &test_slug("unknown")];
    assert_eq!(read_store(&mut store, |tx| agent::list_seen(tx, &asked)), std::slice::from_ref(&w));
    write_store(&mut store, |tx| agent::record_sighting_after(tx, &w, Some(Time(5)), Time(6)));
    assert_eq!(last_seen(&mut store), Some(Time(5)), "seen a moment ago");
    write_store(&mut store, |tx| agent::record_sighting_after(tx, &w, None, Time(6)));
    assert_eq!(last_seen(&mut store), Some(Time(6)));
    assert!(agent::is_sighting_due(Some(Time(9)), Time(8)), "a clock that was set back");
}

fn cursors(open: StoreOpener<'_>) {
    let mut store = open();
    let reader = test_slug("reader");
    assert!(
        !write_store(&mut store, |tx| agent::advance_cursor(tx, &reader, MessageId(3))),
        "no agent exists"
    );
    write_store(&mut store, |tx| agent::register_name(tx, &reader, Time(1)));
    for (through, moved, at) in [(3, true, 3), (3, false, 3), (2, false, 3), (7, true, 7)] {
        assert_eq!(
            write_store(&mut store, |tx| agent::advance_cursor(tx, &reader, MessageId(through))),
            moved
        );
        let cursor = read_store(&mut store, |tx| Ok(agent::load(tx, &reader)?.unwrap().cursor));
        assert_eq!(cursor, MessageId(at), "a cursor never moves back");
    }
    let of = |store: &mut _, run| read_store(store, |tx| agent::load_event_cursor(tx, &reader, run));
    assert_eq!(of(&mut store, None), None);
    for (run, through) in [(None, 4), (Some(RunId(1)), 9), (None, 2)] {
        write_store(&mut store, |tx| agent::advance_event_cursor(tx, &reader, run, EventId(through)));
    }
    assert_eq!(of(&mut store, None), Some(EventId(4)));
    assert_eq!(of(&mut store, Some(RunId(1))), Some(EventId(9)));
    assert_eq!(of(&mut store, Some(RunId(2))), None);
}
