//! A model that says what a script says: the other end of a real agent client, on this machine alone.
//!
//! A client is given a task whose text holds `MOCK:SCRIPT NAME`. Every request carries the whole conversation so far,
//! so [`conversation`] reads from it which script is played and how many of its steps were, [`script`] says what comes
//! next, [`reply`] puts it into the client's own words, and [`server`] is the bit of HTTP around it. Nothing is
//! remembered between requests: clients may retry, start again and work side by side.

mod conversation;
mod reply;
mod script;
mod server;

pub use conversation::{ChatRequest, ModelApi, ShellTool};
pub use script::{ModelScripts, ScriptMarker, ScriptStep};
pub use server::{ModelExchange, ScriptedModel};
