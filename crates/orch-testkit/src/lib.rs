//! What tests need and no user gets; never a dependency of anything that ships.
//!
//! [`TestStore`] is a store of its own in a temporary folder with a clock that stands still until a test advances it.
//! [`TestSession`] is a session at such a place with the operations that stories use, in one line each.
//! [`test_repo`] is a git repository of a test's own.
//! [`program`] starts the built programs, [`storm`] kills them at random moments and then asks whether anything
//! was lost, [`seeded_rng`] is the randomness: a seed that a failure prints brings the same choices again.
//! [`crates`] is what the tests of a door look at behind the door.
//! [`scripted_model`] is a scripted model for real agent clients, and [`agents`] what these live through with it.

pub mod agents;
pub mod clock;
pub mod crates;
pub mod program;
pub mod scripted_model;
pub mod seeded_rng;
pub mod simulate;
pub mod storm;
pub mod test_repo;
pub mod test_session;
pub mod test_store;

pub use clock::FakeClock;
pub use test_repo::TestRepo;
pub use test_session::{HolderCredentials, TestSession};
pub use test_store::TestStore;
