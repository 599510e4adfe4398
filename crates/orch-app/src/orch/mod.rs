//! The requests of the program `orch`, one file per command.

pub mod view;
