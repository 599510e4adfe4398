//! The transport's operations, one per file. They know nothing of runs, tasks and graphs.

pub mod ack;
pub mod agents;
pub mod ask;
pub mod cancel;
pub mod claim;
pub mod close;
pub mod list;
pub mod progress;
pub mod release;
pub mod renew;
pub mod reply;
pub mod send;
pub mod show;
pub mod wait;

use orch_core::message::Message;
use orch_core::thread::Thread;

/// A thread with what is shown of it besides its own facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadShown {
    /// The thread.
    pub thread: Thread,
    /// The open question.
    pub question: Option<Message>,
}
