//! `orch agents`: every agent, with its live attempts.

use std::collections::BTreeMap;

use orch_core::attempt::Attempt;
use orch_core::id::{AttemptName, Slug};
use orch_core::limit;
use orch_store::page::{PageRequest, ResultPage};
use orch_store::table::{attempt, worker};

use orch_inbox::agents::{self, AgentSummary};
use orch_inbox::{Error, Session};
use orch_scheduler::fresh_read::read_fresh;
use orch_scheduler::lookup;

/// An agent with its attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentWorkload {
    /// The agent and its inbox.
    pub agent: AgentSummary,
    /// The profile of its workers, if the tool started them.
    pub profile: Option<Slug>,
    /// Its live attempts, oldest first; at most 20.
    pub attempts: Vec<AttemptName>,
    /// How many live attempts it has.
    pub attempts_total: u64,
}

/// Lists agents by name, with their attempts of one run or of all runs.
///
/// # Errors
/// The run does not exist.
pub fn list_agents(
    session: &mut Session,
    run: Option<&Slug>,
    page: &PageRequest,
) -> Result<ResultPage<AgentWorkload>, Error> {
    read_fresh(session, |tx, _| {
        let live = match run {
            Some(_) => {
                let run = lookup::find_run(tx, run)?;
                attempt::list_live(tx, run.id, limit::LIST_MAX)?
            }
            None => attempt::list_live_of_all_runs(tx, limit::LIST_MAX)?,
        };
        let mut by_agent: BTreeMap<Slug, Vec<Attempt>> = BTreeMap::new();
        for attempt in live {
            by_agent.entry(attempt.agent.clone()).or_default().push(attempt);
        }
        let mut profiles: BTreeMap<Slug, Slug> = BTreeMap::new();
        for row in worker::list_live(tx, None)? {
            if let Some(profile) = row.profile {
                profiles.insert(row.agent, profile);
            }
        }
        let found = agents::load_agent_page(tx, page)?;
        let items = found.items.into_iter().map(|agent| {
            let own = by_agent.get(&agent.name).map_or(&[][..], Vec::as_slice);
            AgentWorkload {
                profile: profiles.get(&agent.name).cloned(),
                attempts: own.iter().take(SHOWN).map(|attempt| attempt.name.clone()).collect(),
                attempts_total: own.len() as u64,
                agent,
            }
        });
        Ok(ResultPage { items: items.collect(), total: found.total, next: found.next })
    })
}

/// How many attempts of an agent are listed.
const SHOWN: usize = 20;
