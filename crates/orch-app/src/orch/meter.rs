//! `orch meter`: the size of our own output.

use orch_contract::orch::meter::{MeterLine, MeterResponse};
use orch_core::id::Slug;
use orch_core::limit;
use orch_query::meter::{OutputCost, load_meter};
use serde::Serialize;

use crate::app::App;
use crate::request::{Answer, Reply, Request, RequestKey};

/// Shows how much the programs printed for a run.
#[derive(Debug, Serialize)]
pub struct ShowMeter {
    /// The run; the only unfinished one when absent.
    pub run: Option<Slug>,
}

impl Request for ShowMeter {
    const COMMAND: &'static str = "orch meter";
    type View = MeterResponse;

    fn perform(&self, app: &mut App<'_>, _key: &RequestKey<'_>) -> Answer<MeterResponse> {
        let found = load_meter(app.session()?, self.run.as_ref())?;
        Ok(Reply::new(MeterResponse {
            run: found.run.to_string(),
            calls: found.total.calls,
            bytes: found.total.bytes,
            tokens: found.total.bytes / TOKEN_BYTES,
            agents: meter_lines(&found.agents),
            agents_total: found.agents.len() as u64,
            commands: meter_lines(&found.commands),
        }))
    }
}

/// The estimated number of bytes of a token.
const TOKEN_BYTES: u64 = 4;

fn meter_lines(costs: &[(String, OutputCost)]) -> Vec<MeterLine> {
    let most = usize::try_from(limit::LIST_DEFAULT).unwrap_or(usize::MAX);
    let line = |(name, cost): &(String, OutputCost)| MeterLine {
        name: name.clone(),
        calls: cost.calls,
        bytes: cost.bytes,
        tokens: cost.bytes / TOKEN_BYTES,
    };
    costs.iter().take(most).map(line).collect()
}
