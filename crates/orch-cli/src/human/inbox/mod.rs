//! The answers of `inbox` for people.

mod answer;
mod message;
mod thread;

pub use message::messages;
pub use thread::{head, state_tone};
