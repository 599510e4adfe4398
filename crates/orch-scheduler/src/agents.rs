//! `orch agents`: every name that works or was written to, with what it works on.

use std::collections::BTreeMap;

use orch_core::attempt::Attempt;
use orch_core::id::{AttemptName, Slug};
use orch_core::limit;
use orch_store::page::{Page, PageRequest};
use orch_store::table::{attempt, worker};

use super::scope;
use super::stage::read_fresh;
use orch_inbox::agents::{self, AgentShown};
use orch_inbox::{Error, Session};

/// An agent with its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentAtWork {
    /// The agent and its inbox.
    pub agent: AgentShown,
    /// What profile its workers have, where we started them.
    pub profile: Option<Slug>,
    /// Its live attempts, oldest first; at most 20.
    pub attempts: Vec<AttemptName>,
    /// How many it has.
    pub attempts_total: u64,
}

/// Lists agents by name; their attempts of one run or of all.
///
/// # Errors
/// There is no such run, or the store failed.
pub fn agents(
    session: &mut Session,
    run: Option<&Slug>,
    page: &PageRequest,
) -> Result<Page<AgentAtWork>, Error> {
    read_fresh(session, |tx, _| {
        let live = match run {
            Some(_) => {
                let run = scope::one_run(tx, run)?;
                attempt::live(tx, run.id, limit::LIST_MAX)?
            }
            None => attempt::live_of_all(tx, limit::LIST_MAX)?,
        };
        let mut by_agent: BTreeMap<Slug, Vec<Attempt>> = BTreeMap::new();
        for attempt in live {
            by_agent.entry(attempt.agent.clone()).or_default().push(attempt);
        }
        let mut profiles: BTreeMap<Slug, Slug> = BTreeMap::new();
        for row in worker::live(tx, None)? {
            if let Some(profile) = row.profile {
                profiles.insert(row.agent, profile);
            }
        }
        let found = agents::page(tx, page)?;
        let items = found.items.into_iter().map(|agent| {
            let own = by_agent.get(&agent.name).map_or(&[][..], Vec::as_slice);
            AgentAtWork {
                profile: profiles.get(&agent.name).cloned(),
                attempts: own.iter().take(SHOWN).map(|attempt| attempt.name.clone()).collect(),
                attempts_total: own.len() as u64,
                agent,
            }
        });
        Ok(Page { items: items.collect(), total: found.total, next: found.next })
    })
}

/// How many attempts of one agent are named.
const SHOWN: usize = 20;
