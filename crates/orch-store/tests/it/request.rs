//! Receipts.

use orch_core::time::Time;
use orch_store::table::request::{self, RequestReceipt};

use crate::StoreOpener;
use crate::fixture::{read_store, write_store};

pub(crate) fn check_conformance(open: StoreOpener<'_>) {
    let mut store = open();
    let recorded = |at| RequestReceipt {
        fingerprint: "f".to_owned(),
        at: Time(at),
        answer: r#"{"thread":null}"#.to_owned(),
        subject: None,
    };
    assert_eq!(read_store(&mut store, |tx| request::load(tx, "k-1")), None);
    for at in 0..150 {
        write_store(&mut store, |tx| request::insert(tx, &format!("k-{at}"), &recorded(at)));
    }
    assert_eq!(read_store(&mut store, |tx| request::load(tx, "k-1")), Some(recorded(1)));
    let kept = |store: &mut _| {
        (0..150).filter(|at| read_store(store, |tx| request::load(tx, &format!("k-{at}"))).is_some()).count()
    };
    write_store(&mut store, |tx| request::delete_expired(tx, Time(120)));
    assert_eq!(kept(&mut store), 50, "a hundred at a time, oldest first");
    write_store(&mut store, |tx| request::delete_expired(tx, Time(120)));
    assert_eq!(kept(&mut store), 30);
    assert_eq!(read_store(&mut store, |tx| request::load(tx, "k-120")), Some(recorded(120)));
    let twice = store.write(orch_store::driver::WriteDurability::Power, |tx| {
        request::insert(tx, "k-149", &recorded(1))?;
        Ok::<_, orch_store::Fault>(orch_store::TxEnd::Commit(()))
    });
    assert!(twice.is_err(), "one key, one answer");

    let under_way =
        RequestReceipt { answer: String::new(), subject: Some("[1]".to_owned()), ..recorded(200) };
    for (key, kept) in [("k-200", true), ("k-201", false)] {
        write_store(&mut store, |tx| request::insert(tx, key, &under_way));
        assert_eq!(read_store(&mut store, |tx| request::load(tx, key)), Some(under_way.clone()));
        if kept {
            write_store(&mut store, |tx| request::record_answer(tx, key, "{}"));
        }
        write_store(&mut store, |tx| request::delete_unanswered(tx, key));
        let found = read_store(&mut store, |tx| request::load(tx, key));
        assert_eq!(found.map(|request| request.answer), kept.then(|| "{}".to_owned()));
    }
}
