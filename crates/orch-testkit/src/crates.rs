//! Re-exports of the crates behind the command line, for tests that set up or check what commands cannot reach.

pub use orch_inbox;
pub use orch_profile;
pub use orch_scheduler;
pub use orch_store;
