//! `orch drive --check`: the prerequisites of a supervisor.

use orch_contract::orch::doctor::{DoctorResponse, FindingLevelView, FindingView};
use orch_core::shell;
use orch_query::doctor::{FindingSeverity, diagnose_store};
use orch_supervisor::supervisor::preflight::{self, PreflightFinding};

use super::DriveSetup;
use super::plan::CheckedPlan;
use crate::app::App;
use crate::error::AppError;
use crate::orch::doctor::{doctor_response, level_view, store_finding};

impl DriveSetup {
    /// Checks the store and every prerequisite of the workers; what is known of the plan is among the findings.
    ///
    /// # Errors
    /// The run is unknown.
    pub fn check(&self, app: &mut App<'_>, plan: Option<&CheckedPlan>) -> Result<DoctorResponse, AppError> {
        let session = app.session()?;
        let mut findings: Vec<FindingView> = diagnose_store(session)?.iter().map(store_finding).collect();
        let checked = preflight::run_preflight(session, self.request.run.as_ref(), &self.pool)?;
        findings.extend(checked.into_iter().map(preflight_finding));
        findings.extend(plan.map(|plan| FindingView {
            check: "plan".to_owned(),
            level: FindingLevelView::Ok,
            message: plan.message.clone(),
        }));
        Ok(doctor_response(session, findings))
    }

    /// Refuses to start without a prerequisite, and warns of the rest, as far as the checks are quick.
    ///
    /// # Errors
    /// A prerequisite is missing, or the run is unknown.
    pub fn check_start(&self, app: &mut App<'_>) -> Result<(), AppError> {
        let run = self.request.run.as_ref();
        for found in preflight::run_quick_preflight(app.session()?, run, &self.pool)? {
            match found.level {
                FindingSeverity::Ok => {}
                FindingSeverity::Warning => app.add_warning(found.message),
                FindingSeverity::Error => {
                    let message = format!("Nothing was started: {}", found.message);
                    let hint = format!("orch drive --check{}", self.profile_options());
                    return Err(AppError::invalid_argument("--profile", message).with_hint(hint));
                }
            }
        }
        Ok(())
    }

    /// Returns the options that name the profiles.
    fn profile_options(&self) -> String {
        let slots = self.pool.seats.iter();
        slots.map(|slot| format!(" --profile {}", shell::quote_word(&slot.reference))).collect()
    }
}

fn preflight_finding(found: PreflightFinding) -> FindingView {
    FindingView { check: found.check, level: level_view(found.level), message: found.message }
}
