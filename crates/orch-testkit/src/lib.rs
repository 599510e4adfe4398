//! What tests are built from; never a dependency of anything that ships.
//!
//! [`Place`] is a store of its own in a temporary folder with a clock that stands still until a test advances it.
//! [`Desk`] is a session at such a place with the operations that stories use, in one line each.

pub mod clock;
pub mod desk;
pub mod dice;
pub mod place;

pub use clock::FakeClock;
pub use desk::{Desk, Held};
pub use dice::Dice;
pub use place::Place;
