//! `inbox wait`: messages to an agent after its cursor, as soon as there are any.

use orch_contract::MessageView;
use orch_contract::inbox::MessageWaitResponse;
use orch_core::id::{MessageId, Slug, ThreadId};
use orch_core::message::MessageKind;
use orch_core::time::TimeSpan;
use orch_inbox::wait::{MessageWaitRequest, wait_for_messages};
use orch_inbox::{Error, WaitTarget};
use serde::Serialize;

use crate::app::App;
use crate::relay::{RelayClient, RelayProof, RelayRequest};
use crate::request::{Answer, Reply, Request, RequestKey};

/// Waits for messages to an agent.
#[derive(Debug, Serialize)]
pub struct WaitForMessages {
    /// The agent.
    pub agent: Slug,
    /// Only messages of this thread.
    pub thread: Option<ThreadId>,
    /// Only messages of this kind.
    pub kind: Option<MessageKind>,
    /// Only messages after this one; after the acknowledged ones when absent.
    pub after: Option<MessageId>,
    /// How long to wait.
    pub timeout: TimeSpan,
    /// The most messages to return.
    pub limit: u32,
    /// Answers without messages when the wait times out.
    pub empty_ok: bool,
}

impl Request for WaitForMessages {
    const COMMAND: &'static str = "inbox wait";
    type View = MessageWaitResponse;

    fn perform(&self, app: &mut App<'_>, _key: &RequestKey<'_>) -> Answer<MessageWaitResponse> {
        let request = MessageWaitRequest {
            agent: self.agent.clone(),
            thread: self.thread,
            kind: self.kind,
            after: self.after,
            timeout: self.timeout,
            limit: self.limit,
        };
        let (messages, cursor) = match wait_for_messages(app.session()?, &request) {
            Err(Error::TimedOut(WaitTarget::Messages(cursor))) if self.empty_ok => (Vec::new(), cursor),
            waited => waited.map(|waited| (MessageView::from_messages(&waited.messages), waited.cursor))?,
        };
        Ok(Reply::new(MessageWaitResponse { messages, cursor: cursor.to_string() }))
    }

    fn relay(&self, relay: &RelayClient, request_id: Option<&str>) -> Option<Answer<Self::View>> {
        let proof = RelayProof { thread: self.thread, token: None };
        let request = RelayRequest::Wait {
            kind: self.kind.map(|kind| kind.name().to_owned()),
            after: self.after.map(|message| message.0),
            timeout_ms: self.timeout.0,
            limit: self.limit,
            empty_ok: self.empty_ok,
        };
        Some(relay.exchange(proof, request_id, request))
    }
}
