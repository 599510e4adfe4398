//! What is done: one operation per file, used by every door.
//!
//! [`inbox`] is the transport and knows nothing of runs, tasks and graphs.
//! [`orch`] is the scheduler; it reaches workers only through `inbox` operations.
//! An operation takes a [`Session`], a request of plain data, and returns an outcome of facts.

#![expect(unused_variables, reason = "bodies follow")]
#![expect(clippy::todo, reason = "bodies follow")]

pub mod clock;
pub mod error;
pub mod inbox;
pub mod orch;
pub mod receipt;
pub mod session;

pub use error::{Awaited, Error};
pub use receipt::{Answer, Receipt};
pub use session::Session;
