//! `inbox ack`: moves an agent's cursor; no other command does.

use orch_contract::inbox::MessageAckResponse;
use orch_core::id::{MessageId, Slug, ThreadId};
use orch_inbox::ack::{MessageAckRequest, acknowledge_messages};
use serde::Serialize;

use crate::app::App;
use crate::relay::{RelayClient, RelayProof, RelayRequest};
use crate::request::{Answer, Request, RequestKey};

/// Acknowledges an agent's messages up to one.
#[derive(Debug, Serialize)]
pub struct AcknowledgeMessages {
    /// The owner of the cursor.
    pub agent: Slug,
    /// The thread whose messages alone are acknowledged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread: Option<ThreadId>,
    /// The last acknowledged message.
    pub through: MessageId,
}

impl Request for AcknowledgeMessages {
    const COMMAND: &'static str = "inbox ack";
    type View = MessageAckResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<MessageAckResponse> {
        let request =
            MessageAckRequest { agent: self.agent.clone(), thread: self.thread, through: self.through };
        let view = |cursor: &MessageId| MessageAckResponse { cursor: cursor.to_string() };
        app.change(key, view, |session, receipt| acknowledge_messages(session, receipt, &request))
    }

    fn relay(&self, relay: &RelayClient, request_id: Option<&str>) -> Option<Answer<Self::View>> {
        let proof = RelayProof { thread: self.thread, token: None };
        let request = RelayRequest::Ack { through: self.through.0 };
        Some(relay.exchange(proof, request_id, request))
    }
}
