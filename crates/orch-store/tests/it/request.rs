//! Receipts.

use orch_core::time::Time;
use orch_store::table::request::{self, Request};

use crate::Open;
use crate::fixture::{read, write};

pub(crate) fn exercise(open: Open<'_>) {
    let mut store = open();
    let recorded = |at| Request {
        fingerprint: "f".to_owned(),
        at: Time(at),
        answer: r#"{"thread":null}"#.to_owned(),
        subject: None,
    };
    assert_eq!(read(&mut store, |tx| request::load(tx, "k-1")), None);
    for at in 0..150 {
        write(&mut store, |tx| request::insert(tx, &format!("k-{at}"), &recorded(at)));
    }
    assert_eq!(read(&mut store, |tx| request::load(tx, "k-1")), Some(recorded(1)));
    let kept = |store: &mut _| {
        (0..150).filter(|at| read(store, |tx| request::load(tx, &format!("k-{at}"))).is_some()).count()
    };
    write(&mut store, |tx| request::forget(tx, Time(120)));
    assert_eq!(kept(&mut store), 50, "a hundred at a time, oldest first");
    write(&mut store, |tx| request::forget(tx, Time(120)));
    assert_eq!(kept(&mut store), 30);
    assert_eq!(read(&mut store, |tx| request::load(tx, "k-120")), Some(recorded(120)));
    let twice = store.write(orch_store::driver::Durability::Power, |tx| {
        request::insert(tx, "k-149", &recorded(1))?;
        Ok::<_, orch_store::Fault>(orch_store::Ending::Keep(()))
    });
    assert!(twice.is_err(), "one key, one answer");

    let under_way = Request { answer: String::new(), subject: Some("[1]".to_owned()), ..recorded(200) };
    for (key, kept) in [("k-200", true), ("k-201", false)] {
        write(&mut store, |tx| request::insert(tx, key, &under_way));
        assert_eq!(read(&mut store, |tx| request::load(tx, key)), Some(under_way.clone()));
        if kept {
            write(&mut store, |tx| request::answer(tx, key, "{}"));
        }
        write(&mut store, |tx| request::withdraw(tx, key));
        let found = read(&mut store, |tx| request::load(tx, key));
        assert_eq!(found.map(|request| request.answer), kept.then(|| "{}".to_owned()));
    }
}
