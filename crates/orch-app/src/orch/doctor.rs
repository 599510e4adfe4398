//! `orch doctor`: the health of the store.

use orch_contract::orch::doctor::{DoctorResponse, FindingLevelView, FindingView};
use orch_contract::store::StoreIdentityView;
use orch_contract::{ErrorCode, ErrorView};
use orch_core::shell;
use orch_inbox::Session;
use orch_query::doctor::{FindingSeverity, HealthFinding, diagnose_store};
use serde::Serialize;

use crate::app::App;
use crate::error::AppError;
use crate::inbox::init::ENGINE;
use crate::request::{Answer, Reply, Request, RequestKey};

/// Checks the health of the store; an unsound store is an error.
#[derive(Debug, Serialize)]
pub struct DiagnoseStore {}

impl Request for DiagnoseStore {
    const COMMAND: &'static str = "orch doctor";
    type View = DoctorResponse;

    fn perform(&self, app: &mut App<'_>, _key: &RequestKey<'_>) -> Answer<DoctorResponse> {
        let session = app.session().map_err(with_file_hint)?;
        let findings = diagnose_store(session).map_err(|error| with_file_hint(error.into()))?;
        let response = doctor_response(session, findings.iter().map(store_finding).collect());
        if response.verdict == FindingLevelView::Error {
            return Err(unsound_store(&response.findings));
        }
        Ok(Reply::new(response))
    }
}

/// Returns the findings with the worst level as the verdict.
pub(super) fn doctor_response(session: &Session, findings: Vec<FindingView>) -> DoctorResponse {
    let described = session.describe_store(false);
    let store = StoreIdentityView {
        id: described.identity.id,
        path: described.path.display().to_string(),
        home: described.identity.home.path,
        engine: ENGINE.to_owned(),
        placement: session.placement().name().to_owned(),
    };
    let verdict = findings.iter().map(|finding| finding.level).max().unwrap_or(FindingLevelView::Ok);
    DoctorResponse { store, findings, verdict }
}

pub(super) fn store_finding(finding: &HealthFinding) -> FindingView {
    FindingView {
        check: finding.check.to_owned(),
        level: level_view(finding.level),
        message: finding.message.clone(),
    }
}

pub(super) fn level_view(level: FindingSeverity) -> FindingLevelView {
    match level {
        FindingSeverity::Ok => FindingLevelView::Ok,
        FindingSeverity::Warning => FindingLevelView::Warning,
        FindingSeverity::Error => FindingLevelView::Error,
    }
}

/// Points at the store's file: the usual hint of a corrupt store is this command itself.
fn with_file_hint(mut error: AppError) -> AppError {
    if error.code() == ErrorCode::StoreCorrupt {
        let place = error.view.details.as_ref().and_then(|details| details.get("place"));
        error.view.hint =
            place.and_then(serde_json::Value::as_str).map(|place| shell::join_words(["ls", "-la", place]));
    }
    error
}

fn unsound_store(findings: &[FindingView]) -> AppError {
    let first = findings.iter().find(|finding| finding.level == FindingLevelView::Error);
    let message = first.map_or("The store is not sound.", |finding| finding.message.as_str());
    // Findings are texts, which always have a JSON form.
    let list = serde_json::to_value(findings).unwrap_or_default();
    ErrorView::new(ErrorCode::StoreCorrupt, message)
        .with_detail("findings", list)
        .with_detail("verdict", "error")
        .into()
}
