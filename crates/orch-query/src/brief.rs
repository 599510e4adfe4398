//! `orch brief`: what a lead that lost its context needs to know about a run.

use orch_core::id::{EventId, Slug};
use orch_core::operation_failure::FailedOperation;
use orch_store::page::PageRequest;
use orch_store::table::event;

use crate::blocked;
use crate::blocked::StuckTask;
use crate::ps;
use crate::ps::ProcessList;
use crate::status;
use crate::status::RunOverview;
use orch_inbox::{Error, Session};

/// The parts of a brief.
#[derive(Clone, Debug)]
pub struct LeadBrief {
    /// The overview of the run.
    pub status: RunOverview,
    /// The first operations that failed repeatedly.
    pub operations: Vec<FailedOperation>,
    /// The first tasks that will not proceed by themselves.
    pub stuck: Vec<StuckTask>,
    /// How many such operations and tasks there are.
    pub stuck_total: u64,
    /// The processes that work on the run.
    pub processes: ProcessList,
    /// The profiles of the workers that were started last, the newest first.
    pub profiles: Vec<String>,
    /// The newest event that the brief covers.
    pub cursor: EventId,
}

/// How many questions and stuck tasks are loaded.
const SHOWN: u32 = 40;

/// Loads a brief.
///
/// # Errors
/// The run does not exist, or it is not named and there are several.
pub fn load_lead_brief(session: &mut Session, run: Option<&Slug>) -> Result<LeadBrief, Error> {
    // Read first, so that no event is missed: an event meanwhile is shown again later.
    let cursor = session.query(|tx| Ok(event::newest_id(tx)?))?;
    let status = status::load_overview(session, run)?;
    let name = status.run.name.clone();
    let page = PageRequest { limit: SHOWN, after: None };
    let blocked = blocked::list_blockers(session, Some(&name), &page)?;
    let processes = ps::list_processes(session, Some(&name))?;
    let profiles = ps::load_driving(session, &name)?.profiles;
    let (operations, stuck, stuck_total) = (blocked.operations, blocked.stuck, blocked.stuck_total);
    Ok(LeadBrief { status, operations, stuck, stuck_total, processes, profiles, cursor })
}
