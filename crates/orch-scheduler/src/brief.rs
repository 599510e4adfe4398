//! `orch brief`: everything a lead that lost its context needs, from what the other looks at a run show.

use orch_core::id::{EventId, Slug};
use orch_store::page::PageRequest;
use orch_store::table::event;

use super::blocked::{self, StuckTask};
use super::ps::{self, ProcessList};
use super::status::{self, RunOverview};
use orch_inbox::{Error, Session};

/// What a brief is made of.
#[derive(Clone, Debug)]
pub struct LeadBrief {
    /// The run at a glance.
    pub status: RunOverview,
    /// Tasks that will not move by themselves; the first few.
    pub stuck: Vec<StuckTask>,
    /// How many there are.
    pub stuck_total: u64,
    /// The processes that work on it.
    pub processes: ProcessList,
    /// An event of which, like of all before it, the rest tells.
    pub cursor: EventId,
}

/// How many questions and stuck tasks are looked at.
const SHOWN: u32 = 40;

/// Looks at everything.
///
/// # Errors
/// There is no such run, or several and none was named, or the store failed.
pub fn load_lead_brief(session: &mut Session, run: Option<&Slug>) -> Result<LeadBrief, Error> {
    // Asked first: what happens while the rest is looked at is told again, and nothing is passed over.
    let cursor = session.read(|tx, _| Ok(event::newest_id(tx)?))?;
    let status = status::load_overview(session, run)?;
    let name = status.run.name.clone();
    let page = PageRequest { limit: SHOWN, after: None };
    let blocked = blocked::list_blockers(session, Some(&name), &page)?;
    let processes = ps::list_processes(session, Some(&name))?;
    Ok(LeadBrief { status, stuck: blocked.stuck, stuck_total: blocked.stuck_total, processes, cursor })
}
