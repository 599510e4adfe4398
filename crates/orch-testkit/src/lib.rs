//! Test support that ships with no program; never a dependency of a crate that ships.
//!
//! [`TestStore`] is a store in a temporary folder with a clock that only moves when a test advances it.
//! [`TestSession`] is a session with such a store and one short method for each operation that tests use.
//! [`test_repo`] is a temporary git repository. [`program`] runs the built programs, [`storm`] kills them at
//! random moments and then checks that the store is intact, `power` loses the power of a disk, [`drive_storm`] kills
//! whatever works on a run, and [`seeded_rng`] makes randomness reproducible:
//! a failure prints its seed. [`crates`] gives the tests of the command line access to the crates behind it.
//! [`scripted_model`] is a model server that plays scripts for real agent clients, and [`agents`] has the
//! scenarios that they are tested with.
//!
//! Unless a function returns an error, it panics when something fails: a test has no other use for a failure.

pub mod agents;
pub mod clock;
pub mod crates;
pub mod drive_storm;
#[cfg(target_os = "linux")]
pub mod power;
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
