//! A model server that plays scripts: the counterpart of a real agent client, on the local machine only.
//!
//! The text of a client's task contains `MOCK:SCRIPT NAME`. Every request carries the whole conversation so
//! far, from which [`conversation`] derives the script and the number of completed steps; [`script`] returns
//! the next step, [`reply`] encodes it for the client's API, and [`server`] is the HTTP server. No state is
//! kept between requests, so clients may retry, restart and run concurrently.

mod conversation;
mod reply;
mod script;
mod server;

pub use conversation::{ChatRequest, ModelApi, ShellTool};
pub use script::{ModelScripts, ScriptMarker, ScriptStep};
pub use server::{ModelExchange, ScriptedModel};
