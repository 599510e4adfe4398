//! The wrapper around one worker, and the supervisor that drives runs with many workers.

mod error;
pub mod profile_cooldown;
pub mod settings;
pub mod supervisor;
pub mod wrapper;

pub use error::SupervisorError;
