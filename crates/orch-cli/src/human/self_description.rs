//! Schemas for people: pretty JSON.

use orch_contract::schema::SchemaAnswer;
use orch_contract::store::InitAnswer;

use super::{Human, Paper, harmless};

impl Human for SchemaAnswer {
    fn human(&self, paper: &mut Paper) {
        let single = self.schemas.values().next().filter(|_| self.schemas.len() == 1);
        let pretty = match single {
            Some(schema) => serde_json::to_string_pretty(schema),
            None => serde_json::to_string_pretty(&self.schemas),
        };
        paper.line(pretty.unwrap_or_default());
    }
}

impl Human for InitAnswer {
    fn human(&self, paper: &mut Paper) {
        let place = harmless(&self.store.location).into_owned();
        if self.store.created {
            paper.line(format!("Made a store at {place}."));
        } else {
            paper.line(format!("The store at {place} was there already."));
        }
    }
}
