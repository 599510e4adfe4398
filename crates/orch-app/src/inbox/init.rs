//! `inbox init` and `orch init`: create the store.

use std::path::{Path, PathBuf};

use orch_contract::ErrorCode;
use orch_contract::store::{InitResponse, StoreView};
use orch_core::id::Slug;
use orch_core::placement::StorePlacement;
use orch_inbox::Error;
use orch_inbox::session::OpenedStore;
use orch_scheduler::store_copy::adopt_copy;
use orch_store::{Fault, StoreLocation, location};
use serde::Serialize;

use crate::app::{App, location_text, working_folder};
use crate::error::AppError;
use crate::request::{Answer, Reply, Request, RequestKey, change_in_session, serialize_path};

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

/// The decision about a store that is not at its recorded place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PlacementChoice {
    /// It was moved here.
    Moved,
    /// It is a copy, and becomes a store of its own.
    Copy,
}

/// Creates the store of this folder's own repository, or decides about one that was moved, copied or left in a work tree.
#[derive(Debug, Serialize)]
pub struct InitOwnStore {
    /// The lead who decides.
    #[serde(skip)]
    pub agent: Slug,
    /// The decision about a store that is not at its recorded place.
    pub choice: Option<PlacementChoice>,
    /// The folder of a store in the work tree, which is moved to the git folder.
    #[serde(serialize_with = "serialize_path")]
    pub adopt: Option<PathBuf>,
}

impl Request for InitOwnStore {
    const COMMAND: &'static str = "orch init";
    type View = InitResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<InitResponse> {
        if let Some(folder) = &self.adopt {
            let location = app.adopt_store(folder)?;
            let (session, opened) = app.create_session_at(&location)?;
            session.record_move()?;
            return Ok(Reply::new(init_response(&session.describe_store(opened.created))));
        }
        let Some(choice) = self.choice else {
            let (session, opened) = app.open_or_create_own_session()?;
            if !session.is_writable() {
                // It shows the place; the warning says what to decide.
                return Ok(Reply::new(init_response(&opened)));
            }
            return change_in_session(session, key, init_response, |session, receipt| {
                session.record_outcome(receipt, session.describe_store(opened.created))
            });
        };
        let session = app.session()?;
        match (choice, session.placement()) {
            (_, StorePlacement::Home | StorePlacement::OtherPath) => {}
            (PlacementChoice::Moved, StorePlacement::Copied) => session.require_writable()?,
            (PlacementChoice::Moved, StorePlacement::Moved | StorePlacement::Undecided) => {
                session.record_move()?;
            }
            (
                PlacementChoice::Copy,
                StorePlacement::Moved | StorePlacement::Copied | StorePlacement::Undecided,
            ) => adopt_copy(session, &self.agent)?,
        }
        Ok(Reply::new(init_response(&session.describe_store(false))))
    }
}

impl App<'_> {
    /// Moves a store from the work tree to the git folder, if it is the user's own and not tracked.
    fn adopt_store(&self, folder: &Path) -> Result<StoreLocation, AppError> {
        let (folder, store) = location::find_in_folder(&working_folder()?.join(folder))?;
        let folder = folder.as_path();
        let mut session = self.open_session_at(&store)?;
        let untrusted =
            |problem: &str| Fault::Untrusted { path: folder.to_owned(), problem: problem.to_owned() };
        let repository = session.world().discover_repository(folder).map_err(Error::from)?;
        if repository.has_tracked_files(folder).map_err(Error::from)? {
            let error = AppError::from(untrusted("the repository tracks it, so its author may have made it"));
            return Err(error.with_hint("orch init"));
        }
        if let Some(processes) = session.live_processes()? {
            let place = folder.display().to_string();
            return Err(AppError::new(
                ErrorCode::StoreInUse,
                format!("The store at {place} is in use: {}.", processes.join(", ")),
            )
            .with_hint("orch stop"));
        }
        drop(session);
        location::move_into_repository(folder).map_err(|fault| match fault {
            Fault::TwoStores { place } => AppError::invalid_argument(
                "--adopt",
                format!("The repository has a store already, in {}.", place.display()),
            ),
            fault => fault.into(),
        })
    }
}

/// The database engine of a store.
pub(crate) const ENGINE: &str = "sqlite";

fn init_response(opened: &OpenedStore) -> InitResponse {
    InitResponse {
        store: StoreView {
            location: location_text(&opened.location),
            created: opened.created,
            schema: opened.schema,
            id: opened.identity.id.clone(),
            path: opened.path.display().to_string(),
            home: opened.identity.home.path.clone(),
            engine: ENGINE.to_owned(),
        },
    }
}
