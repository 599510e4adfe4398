//! Tokens that were given.

use orch_core::id::ThreadId;
use orch_core::lease::TokenDigest;
use orch_store::table::lease_token;

use crate::Open;
use crate::fixture::{NOW, read, slug, write};

pub(crate) fn exercise(open: Open<'_>) {
    let mut store = open();
    let token = TokenDigest("d1".to_owned());
    let other = TokenDigest("d2".to_owned());
    let thread = ThreadId(1);
    write(&mut store, |tx| lease_token::insert(tx, thread, &token, &slug("w"), NOW));
    assert_eq!(read(&mut store, |tx| lease_token::holder(tx, thread, &token)), Some(slug("w")));
    assert_eq!(read(&mut store, |tx| lease_token::holder(tx, thread, &other)), None);
    assert_eq!(read(&mut store, |tx| lease_token::holder(tx, ThreadId(2), &token)), None);
    write(&mut store, |tx| lease_token::insert(tx, thread, &token, &slug("v"), NOW));
    assert_eq!(
        read(&mut store, |tx| lease_token::holder(tx, thread, &token)),
        Some(slug("v")),
        "given again"
    );
}
