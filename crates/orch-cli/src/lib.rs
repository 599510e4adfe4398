//! The doors without async: the programs `orch` and `inbox`.
//!
//! A command is one file with its arguments and a `run` that calls one operation and returns what it answers.
//! No command prints: [`respond`] is the only writer of stdout, [`human`] renders answers for people.
//! Start with [`entry`], which shows the way of every command, then any file under [`inbox`] or [`orch`].

pub mod arguments;
pub mod context;
pub mod entry;
pub mod human;
pub mod inbox;
mod interrupts;
pub mod orch;
pub mod respond;
pub mod self_description;
pub mod text_source;
pub mod usage;
