//! `orch lead`: a client's session leads a run.

use orch_contract::ErrorCode;
use orch_contract::orch::lead::LeadResponse;
use orch_contract::run::RunHeader;
use orch_core::id::Slug;
use orch_scheduler::run::show_run;
use orch_store::page::PageRequest;
use serde::Serialize;

use crate::app::App;
use crate::client_session::session_of_environment;
use crate::error::AppError;
use crate::request::{Answer, Reply, Request, RequestKey};

/// Records that a session leads a run, so that its hooks tell it of the run.
#[derive(Debug, Serialize)]
pub struct TakeLead {
    /// The run; the only unfinished one when absent.
    pub run: Option<Slug>,
    /// The session; the one of the environment when absent.
    pub session: Option<String>,
}

impl Request for TakeLead {
    const COMMAND: &'static str = "orch lead";
    type View = LeadResponse;

    fn perform(&self, app: &mut App<'_>, _key: &RequestKey<'_>) -> Answer<LeadResponse> {
        let named =
            self.session.clone().map_or_else(|| session_of_environment(app.environment()), |id| Ok(Some(id)));
        let Some(session) = named? else {
            let message =
                "No session is known: the client sets no variable for it, and --session is missing.";
            return Err(
                AppError::new(ErrorCode::InvalidArgument, message).with_hint("orch lead --session ID")
            );
        };
        let page = PageRequest { limit: 1, after: None };
        let run = show_run(app.session()?, self.run.as_ref(), &page)?.run;
        app.change_session_record(&session, |record| record.take_lead(&run.name))?;
        Ok(Reply::new(LeadResponse { run: RunHeader::from_run(&run), session }))
    }
}
