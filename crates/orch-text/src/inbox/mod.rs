//! Text for the responses of `inbox`.

mod answer;
mod message;
mod thread;

pub use message::write_messages;
pub use thread::{state_tone, write_thread_facts};
