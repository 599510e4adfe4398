//! What is done: one operation per file, used by every door.
//!
//! [`inbox`] is the transport and knows nothing of runs, tasks and graphs.
//! [`orch`] is the scheduler; it reaches workers only through `inbox` operations.
//! An operation takes a [`Session`], a request of plain data, and returns an outcome of facts.

pub mod clock;
pub mod error;
pub mod inbox;
pub mod orch;
mod page;
pub mod profile;
pub mod receipt;
pub mod session;
pub mod settings;
pub mod supervisor;
mod token;
mod wake;
pub mod world;
pub mod wrapper;

pub use error::{Awaited, Error};
pub use orch_core::shell;
pub use receipt::{Answer, Receipt};
pub use session::Session;
