//! Stories of supervised workers: real processes in real repositories, started, watched, ended and killed.
//!
//! [`fixture`] scripts the workers and looks for what they leave; every other file is a subject.

pub(crate) mod fixture;

mod budgets;
mod client_fields;
mod cooldowns;
mod ends;
mod killed;
mod leading;
mod many;
mod mistakes;
mod pauses;
mod questions;
mod relayed;
mod reports;
mod rework;
mod shared_folder;
mod storm;
mod to_the_end;
