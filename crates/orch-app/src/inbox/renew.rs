//! `inbox renew`: renews the holder's lease.

use orch_contract::MessageView;
use orch_contract::inbox::{RenewResponse, RenewedLeaseView};
use orch_core::id::ThreadId;
use orch_core::lease::LeaseLength;
use orch_inbox::renew::{RenewOutcome, RenewRequest, renew_lease};
use serde::Serialize;

use crate::app::App;
use crate::relay::{RelayClient, RelayProof, RelayRequest};
use crate::request::{Answer, Request, RequestKey};

/// Renews the lease of a thread.
#[derive(Debug, Serialize)]
pub struct RenewLease {
    /// The thread.
    pub thread: ThreadId,
    /// The token of the holder's lease.
    pub token: String,
    /// The new length; the present one when absent.
    pub lease: Option<LeaseLength>,
}

impl Request for RenewLease {
    const COMMAND: &'static str = "inbox renew";
    type View = RenewResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<RenewResponse> {
        let request = RenewRequest { thread: self.thread, token: self.token.clone(), lease: self.lease };
        let view = |renewed: &RenewOutcome| RenewResponse {
            lease: RenewedLeaseView::expiring_at(renewed.expires_at),
            unread: renewed.unread.count,
            messages: MessageView::from_messages(&renewed.unread.messages),
        };
        app.change(key, view, |session, receipt| renew_lease(session, receipt, &request))
    }

    fn relay(&self, relay: &RelayClient, request_id: Option<&str>) -> Option<Answer<Self::View>> {
        let proof = RelayProof { thread: Some(self.thread), token: Some(&self.token) };
        let request = RelayRequest::Renew { lease_ms: self.lease.map(|length| length.span().0) };
        Some(relay.exchange(proof, request_id, request))
    }
}
