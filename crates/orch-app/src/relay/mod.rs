//! The relay: the one way of a supervised worker to the store.
//!
//! A worker's `inbox` writes a [`RelayRequest`] into a folder of its attempt ([`RelayClient`]), and its wrapper performs it with the attempt's token ([`RelayService`]).
//! Requests are hostile: they name nothing but texts, ids and numbers, and concern the worker's own thread, its task and the tasks that it depends on.

mod client;
mod request;
mod service;

pub use client::{RelayClient, RelayProof};
pub use request::RelayRequest;
pub(crate) use service::RelayService;
