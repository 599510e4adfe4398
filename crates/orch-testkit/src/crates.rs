//! The crates behind the doors, for tests of a door that prepare or check what the door itself cannot reach.

pub use orch_inbox;
pub use orch_profile;
pub use orch_scheduler;
pub use orch_store;
