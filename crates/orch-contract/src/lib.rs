//! What is promised: the answers of every command, their envelope, error codes and JSON Schema.
//!
//! The types here are twins of the facts in `orch-core`, converted by hand, so that a change inside never
//! changes what programs outside rely on.
//! Nothing here opens a store or prints.
//! Start with [`envelope`], then the objects ([`task`], [`thread`], [`message`], …), then the answers ([`inbox`]).

pub mod attempt;
pub mod check;
pub mod code;
pub mod envelope;
pub mod error;
pub mod event;
pub mod inbox;
pub mod message;
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
pub mod word;

pub use attempt::Attempt;
pub use check::Check;
pub use code::Code;
pub use error::ErrorView;
pub use event::Event;
pub use message::{Message, MessageShown};
pub use reason::Reason;
pub use run::Run;
pub use task::{Task, TaskShort, TaskShown};
pub use thread::Thread;
pub use time::Stamp;
pub use word::Word;
