//! The doors at a terminal: the programs `orch` and `inbox`.
//!
//! A command is one file with its arguments and a `run` that builds a request for `orch-app` and returns the answer.
//! No command prints: [`respond`] is the only writer of stdout, `orch-text` renders answers for people.
//! Start with [`entry`], which every command passes through, then any file under [`inbox`] or [`orch`].

pub mod arguments;
mod completion;
pub mod context;
pub mod entry;
pub mod inbox;
mod interrupts;
mod mcp;
pub mod orch;
pub mod program;
pub mod respond;
pub mod self_description;
pub mod text_source;
pub mod usage;
