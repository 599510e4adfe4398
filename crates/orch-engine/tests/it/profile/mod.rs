//! Profiles as files, and the output of clients as they print it.

mod brief;
mod clients;
mod document;
mod events;
mod files;
