//! `inbox init` and `orch init`: create the store.

use orch_contract::store::{InitResponse, StoreView};
use orch_inbox::session::OpenedStore;
use serde::Serialize;

use crate::app::{App, location_text};
use crate::request::{Answer, Request, RequestKey, change_in_session};

/// Creates the store when none is found from here.
#[derive(Debug, Serialize)]
pub struct InitStore {}

impl Request for InitStore {
    const COMMAND: &'static str = "inbox init";
    type View = InitResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<InitResponse> {
        let (session, opened) = app.open_or_create_session()?;
        change_in_session(session, key, init_response, |session, receipt| {
            session.record_outcome(receipt, opened)
        })
    }
}

/// Creates the store of this folder's own repository, even where a parent folder has a store.
#[derive(Debug, Serialize)]
pub struct InitOwnStore {}

impl Request for InitOwnStore {
    const COMMAND: &'static str = "orch init";
    type View = InitResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<InitResponse> {
        let (session, opened) = app.open_or_create_own_session()?;
        change_in_session(session, key, init_response, |session, receipt| {
            session.record_outcome(receipt, opened)
        })
    }
}

fn init_response(opened: &OpenedStore) -> InitResponse {
    InitResponse {
        store: StoreView {
            location: location_text(&opened.location),
            created: opened.created,
            schema: opened.schema,
        },
    }
}
