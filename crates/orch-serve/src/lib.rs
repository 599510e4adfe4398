//! The doors with an asynchronous runtime: MCP servers for leads and workers, and the web page.
//!
//! The runtime starts when a server starts. What a call does is a request of `orch-app`, as at the terminal,
//! and runs in a thread of its own, because stores block.

pub mod mcp;
pub mod web;
