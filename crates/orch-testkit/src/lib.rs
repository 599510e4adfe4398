//! What tests need and no user gets; never a dependency of anything that ships.
//!
//! [`Place`] is a store of its own in a temporary folder with a clock that stands still until a test advances it.
//! [`Desk`] is a session at such a place with the operations that stories use, in one line each.
//! [`yard`] is a git repository of a test's own.
//! [`program`] starts the built programs, [`storm`] kills them at random moments and then asks whether anything
//! was lost, [`chance`] is the randomness: a seed that a failure prints brings the same choices again.
//! [`model`] is a scripted model for real agent clients, and [`agents`] what these live through with it.

pub mod agents;
pub mod chance;
pub mod clock;
pub mod desk;
pub mod model;
pub mod place;
pub mod program;
pub mod simulate;
pub mod storm;
pub mod yard;

pub use clock::FakeClock;
pub use desk::{Desk, Held};
pub use place::Place;
pub use yard::Yard;
