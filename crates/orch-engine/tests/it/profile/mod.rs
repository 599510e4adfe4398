//! Profiles as files, and the output of clients as they print it.

mod clients;
mod events;
mod files;
