//! `orch request show`: the recorded answer of a request id.

use orch_contract::orch::request::{RequestShowResponse, RequestView};
use orch_scheduler::request::show_request;
use serde::Serialize;

use crate::app::App;
use crate::relay::{RelayClient, RelayProof, RelayRequest};
use crate::request::{Answer, Reply, Request, RequestKey};

/// Looks up a request id.
#[derive(Debug, Serialize)]
pub struct ShowRequest {
    /// The request id.
    pub key: String,
}

impl Request for ShowRequest {
    const COMMAND: &'static str = "orch request show";
    type View = RequestShowResponse;

    fn perform(&self, app: &mut App<'_>, _key: &RequestKey<'_>) -> Answer<RequestShowResponse> {
        let applied = show_request(app.session()?, &self.key)?;
        let answer = applied.answer.as_deref().and_then(|answer| serde_json::from_str(answer).ok());
        Ok(Reply::new(RequestShowResponse {
            request: RequestView {
                key: applied.key,
                applied: true,
                at: applied.at.into(),
                answer: answer.unwrap_or_default(),
            },
        }))
    }

    fn relay(&self, relay: &RelayClient, request_id: Option<&str>) -> Option<Answer<Self::View>> {
        let proof = RelayProof::default();
        let request = RelayRequest::RequestShow { key: self.key.clone() };
        Some(relay.exchange(proof, request_id, request))
    }
}
