//! `inbox progress`: reports how far the work is, and renews the lease.

use orch_contract::inbox::ProgressResponse;
use orch_contract::{MessageOrSummary, MessageView};
use orch_core::id::ThreadId;
use orch_inbox::progress::{ProgressOutcome, ProgressRequest, report_progress};
use serde::Serialize;

use crate::app::App;
use crate::relay::{RelayClient, RelayProof, RelayRequest};
use crate::request::{Answer, Request, RequestKey};

/// Reports progress and renews the lease.
#[derive(Debug, Serialize)]
pub struct ReportProgress {
    /// The thread.
    pub thread: ThreadId,
    /// The token of the holder's lease.
    pub token: String,
    /// The progress in words.
    pub text: String,
    /// The progress in per cent.
    pub percent: Option<u8>,
    /// Answers with the whole message.
    #[serde(skip)]
    pub full: bool,
}

impl Request for ReportProgress {
    const COMMAND: &'static str = "inbox progress";
    type View = ProgressResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<ProgressResponse> {
        let request = ProgressRequest {
            thread: self.thread,
            token: self.token.clone(),
            text: self.text.clone(),
            percent: self.percent,
        };
        let view = |progressed: &ProgressOutcome| ProgressResponse {
            message: MessageOrSummary::from_message(&progressed.message, self.full),
            unread: progressed.unread.count,
            messages: MessageView::from_messages(&progressed.unread.messages),
        };
        app.change(key, view, |session, receipt| report_progress(session, receipt, &request))
    }

    fn relay(&self, relay: &RelayClient, request_id: Option<&str>) -> Option<Answer<Self::View>> {
        let proof = RelayProof { thread: Some(self.thread), token: Some(&self.token) };
        let request =
            RelayRequest::Progress { text: self.text.clone(), percent: self.percent, full: self.full };
        Some(relay.exchange(proof, request_id, request))
    }
}
