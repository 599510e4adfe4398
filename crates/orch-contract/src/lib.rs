//! The public contract: the responses of every command, their envelope, error codes and JSON Schema.
//!
//! The types here are views of the entities of `orch-core`, converted by hand, so that an internal change never
//! changes what other programs rely on.
//! Nothing here opens a store or prints.
//! Start with [`envelope`], then the objects ([`task`], [`thread`], [`message`], …), then the responses ([`inbox`]).

pub mod attempt;
pub mod check;
pub mod code;
pub mod envelope;
pub mod error;
pub mod event;
pub mod inbox;
pub mod json_document;
pub mod message;
pub mod operation;
pub mod orch;
pub mod reason;
pub mod run;
pub mod schema;
pub mod store;
pub mod task;
mod text;
pub mod thread;
pub mod time;
mod tree_error;
pub mod usage;
pub mod word;
pub mod work;

pub use attempt::AttemptView;
pub use check::CheckView;
pub use code::ErrorCode;
pub use error::ErrorView;
pub use event::EventView;
pub use message::{MessageOrSummary, MessageView};
pub use reason::{NextCommands, ReasonView};
pub use run::RunView;
pub use task::{TaskOrSummary, TaskSummary, TaskView};
pub use thread::ThreadView;
pub use time::UtcTimestamp;
pub use usage::{ProfileUsageView, TokensView, UsdAmount};
pub use word::WireWord;
