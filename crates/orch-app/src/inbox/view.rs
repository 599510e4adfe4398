//! From the transport's outcomes to the contract's views.

use orch_contract::inbox::{CloseResponse, ThreadResponse};
use orch_contract::{MessageOrSummary, ThreadView};
use orch_inbox::ThreadSummary;
use orch_inbox::close::ThreadCloseOutcome;

use crate::app::current_time;

/// Returns a thread as it is now.
pub(crate) fn thread_view(thread: &ThreadSummary) -> ThreadView {
    ThreadView::from_thread(&thread.thread, thread.question.as_ref(), current_time())
}

/// Returns the answer of a released or cancelled thread.
pub(super) fn thread_response(thread: &ThreadSummary) -> ThreadResponse {
    ThreadResponse { thread: thread_view(thread) }
}

/// Returns the answer of a closed thread.
pub(super) fn close_response(closed: &ThreadCloseOutcome, full: bool) -> CloseResponse {
    CloseResponse {
        thread: thread_view(&closed.thread),
        message: MessageOrSummary::from_message(&closed.message, full),
    }
}
