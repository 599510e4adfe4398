//! What tests need and no user gets: real programs in a place of their own, and storms that kill them.
//!
//! [`program`] starts the built programs, [`storm`] kills them at random moments and then asks whether anything
//! was lost, [`chance`] is the randomness of both: a seed that a failure prints brings the same choices again.
//! A dev-dependency only: nothing here ships.

pub mod chance;
pub mod program;
pub mod storm;
