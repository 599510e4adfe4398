//! The wrapper around one worker, and the supervisor that takes runs to their end with many of them.

mod error;
pub mod settings;
pub mod supervisor;
pub mod wrapper;

pub use error::SupervisorError;
