//! The requests of the program `inbox`, one file per command.

pub mod ack;
pub mod agents;
pub mod ask;
pub mod cancel;
pub mod claim;
pub mod done;
pub mod fail;
pub mod init;
pub mod list;
pub mod progress;
pub mod release;
pub mod renew;
pub mod reply;
pub mod run;
pub mod send;
pub mod show;
pub mod suggest;
mod view;
pub mod wait;

pub use ack::AcknowledgeMessages;
pub use agents::ListInboxAgents;
pub use ask::AskQuestion;
pub use cancel::CancelThread;
pub use claim::{ClaimTarget, ClaimWork};
pub use done::ReportDone;
pub use fail::ReportFailure;
pub use init::{InitOwnStore, InitStore, PlacementChoice};
pub use list::ListThreads;
pub use progress::ReportProgress;
pub use release::ReleaseThread;
pub use renew::RenewLease;
pub use reply::ReplyToQuestion;
pub use send::{OutgoingMessage, SendMessage};
pub use show::ShowThread;
pub use suggest::SuggestTask;
pub use wait::WaitForMessages;
