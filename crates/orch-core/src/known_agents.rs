//! What is known of agents before work is sent to them.

use std::collections::BTreeSet;

use crate::id::Slug;

/// The name of the agent that is always a person.
const HUMAN: &str = "human";

/// What is known of agents before work is sent to them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownAgents {
    /// Agents that cost nothing, for which nothing is set aside under a limit of cost.
    pub free: BTreeSet<Slug>,
    /// Agents that are people, beside `human`.
    pub humans: BTreeSet<Slug>,
}

impl KnownAgents {
    /// Whether an agent is a person, who has to be told that work was sent.
    #[must_use]
    pub fn is_human(&self, agent: &Slug) -> bool {
        agent.as_str() == HUMAN || self.humans.contains(agent)
    }
}
