//! `orch request …`: recorded requests.

pub mod show;
