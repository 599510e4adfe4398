//! `inbox claim`: leases the most urgent work of a queue.

use orch_contract::inbox::{ClaimResponse, LeaseGrantView};
use orch_contract::{ErrorCode, MessageView, UtcTimestamp};
use orch_core::id::{Slug, ThreadId};
use orch_core::lease::LeaseLength;
use orch_core::time::TimeSpan;
use orch_inbox::Response;
use orch_inbox::claim::{self, ClaimOutcome, ClaimRequest};
use orch_inbox::show::show_thread;
use orch_scheduler::claim::claim_within_limits;
use orch_store::page::PageRequest;
use serde::Serialize;

use super::view::thread_view;
use crate::app::{App, environment_thread};
use crate::error::{AppError, RetryAdvice};
use crate::request::{Answer, Reply, Request, RequestKey};

/// Claims the most urgent work of a queue, or one thread.
#[derive(Debug, Serialize)]
pub struct ClaimWork {
    /// The queue; none when a thread is claimed by its number.
    pub queue: Option<Slug>,
    /// The agent who will hold the thread.
    pub holder: Slug,
    /// The thread, in place of the queue's most urgent one.
    pub thread: Option<ThreadId>,
    /// How long the lease lasts without a renewal.
    pub lease: Option<LeaseLength>,
    /// Replaces the token of a thread that the holder has claimed before.
    pub again: bool,
    /// How long to wait for work.
    #[serde(skip)]
    pub wait: Option<TimeSpan>,
    /// Answers without a thread when there is no work.
    #[serde(skip)]
    pub empty_ok: bool,
}

/// The queue, the thread and the holder of a claim.
#[derive(Debug)]
pub struct ClaimTarget {
    /// The queue; none when a thread is claimed by its number.
    pub queue: Option<Slug>,
    /// The agent who will hold the thread.
    pub holder: Slug,
}

impl App<'_> {
    /// Returns the queue and the holder of a claim; whatever is not named is the calling agent.
    ///
    /// Without a calling agent, the holder of a named thread is the agent it was sent to.
    ///
    /// # Errors
    /// No agent is known, or the thread is unknown.
    pub fn resolve_claim(
        &mut self,
        queue: Option<Slug>,
        thread: Option<ThreadId>,
    ) -> Result<ClaimTarget, AppError> {
        let agent = self.calling_agent()?;
        let queue = queue.or_else(|| agent.clone().filter(|_| thread.is_none()));
        let holder = match (agent.or_else(|| queue.clone()), thread) {
            (Some(holder), _) => holder,
            (None, Some(thread)) => {
                let page = PageRequest { limit: 1, after: None };
                show_thread(self.session()?, thread, &page)?.thread.thread.head.to
            }
            (None, None) => self.calling_agent_or("--for", None)?,
        };
        Ok(ClaimTarget { queue, holder })
    }
}

impl Request for ClaimWork {
    const COMMAND: &'static str = "inbox claim";
    type View = ClaimResponse;

    fn perform(&self, app: &mut App<'_>, key: &RequestKey<'_>) -> Answer<ClaimResponse> {
        let own = environment_thread(app.environment())?;
        if self.again && own.is_some() && self.thread != own {
            return Err(AppError::not_permitted(
                "INBOX_THREAD is set, so a worker runs this; a worker cannot take over the lease of other work.",
            ));
        }
        let request = ClaimRequest {
            queue: self.queue.clone(),
            holder: self.holder.clone(),
            thread: self.thread,
            lease: self.lease,
            wait: self.wait,
            again: self.again,
        };
        let mut token = None;
        let claimed = app.change(key, claim_response, |session, receipt| {
            let answer = claim_within_limits(session, receipt, &request)?;
            if let Response::Fresh(claimed) = &answer {
                token = Some(claimed.lease.token.clone());
            }
            Ok(answer)
        });
        let mut reply = match claimed {
            Err(error) if self.empty_ok && is_nothing_to_claim(&error) => {
                let nothing = ClaimResponse { thread: None, messages: Vec::new(), lease: None };
                return Ok(Reply::new(nothing));
            }
            claimed => claimed.map_err(|error| with_wait_advice(error, self.wait.is_some()))?,
        };
        // The recorded answer has no token; the request id gives it again.
        let replayed_token = || {
            let thread = reply.data.thread.as_ref().and_then(|thread| ThreadId::parse(&thread.id))?;
            Some(claim::token_of_request(key.request_id()?, thread))
        };
        let token = token.or_else(replayed_token);
        if let (Some(thread), Some(token)) = (&reply.data.thread, &token) {
            app.remember_claim(&thread.id, token);
        }
        if let Some(lease) = &mut reply.data.lease {
            lease.token = token;
        }
        Ok(reply)
    }
}

/// Returns the answer as it is recorded: without the token.
fn claim_response(claimed: &ClaimOutcome) -> ClaimResponse {
    ClaimResponse {
        thread: Some(thread_view(&claimed.thread)),
        messages: MessageView::from_messages(&claimed.messages),
        lease: Some(LeaseGrantView {
            token: None,
            expires_at: claimed.lease.expires_at.map(UtcTimestamp::from),
        }),
    }
}

/// Advises a caller without work to wait for it.
fn with_wait_advice(mut error: AppError, waits: bool) -> AppError {
    if is_nothing_to_claim(&error) {
        error.view.hint = None;
        error.retry = Some(if waits { RetryAdvice::Unchanged } else { RetryAdvice::WithOption("--wait") });
    }
    error
}

fn is_nothing_to_claim(error: &AppError) -> bool {
    matches!(error.code(), ErrorCode::InboxEmpty | ErrorCode::Timeout)
}
