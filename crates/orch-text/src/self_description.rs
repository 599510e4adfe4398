//! Schemas for people: pretty JSON.

use orch_contract::schema::SchemaResponse;
use orch_contract::store::InitResponse;

use super::{HumanReadable, TextPage, escape_controls};

impl HumanReadable for SchemaResponse {
    fn render_human(&self, paper: &mut TextPage) {
        let single = self.schemas.values().next().filter(|_| self.schemas.len() == 1);
        let pretty = match single {
            Some(schema) => serde_json::to_string_pretty(schema),
            None => serde_json::to_string_pretty(&self.schemas),
        };
        paper.write_line(pretty.unwrap_or_default());
    }
}

impl HumanReadable for InitResponse {
    fn render_human(&self, paper: &mut TextPage) {
        let place = escape_controls(&self.store.location).into_owned();
        if self.store.created {
            paper.write_line(format!("Created a store at {place}."));
        } else {
            paper.write_line(format!("The store at {place} already exists."));
        }
    }
}
