//! Tokens that were given.

use orch_core::id::ThreadId;
use orch_core::lease::TokenDigest;
use orch_store::table::lease_token;

use crate::StoreOpener;
use crate::fixture::{NOW, read_store, test_slug, write_store};

pub(crate) fn check_conformance(open: StoreOpener<'_>) {
    let mut store = open();
    let token = TokenDigest("d1".to_owned());
    let other = TokenDigest("d2".to_owned());
    let thread = ThreadId(1);
    assert_eq!(read_store(&mut store, |tx| lease_token::first_claim(tx, thread)), None);
    write_store(&mut store, |tx| lease_token::insert(tx, thread, &token, &test_slug("w"), NOW));
    assert_eq!(read_store(&mut store, |tx| lease_token::first_claim(tx, thread)), Some(NOW));
    assert_eq!(
        read_store(&mut store, |tx| lease_token::find_holder(tx, thread, &token)),
        Some(test_slug("w"))
    );
    assert_eq!(read_store(&mut store, |tx| lease_token::find_holder(tx, thread, &other)), None);
    assert_eq!(read_store(&mut store, |tx| lease_token::find_holder(tx, ThreadId(2), &token)), None);
    write_store(&mut store, |tx| lease_token::insert(tx, thread, &token, &test_slug("v"), NOW));
    assert_eq!(
        read_store(&mut store, |tx| lease_token::find_holder(tx, thread, &token)),
        Some(test_slug("v")),
        "given again"
    );
}
