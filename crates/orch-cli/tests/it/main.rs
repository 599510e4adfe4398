//! Runs the built programs as people and programs do: a cleared environment, a store of its own, whole answers.
//!
//! [`test_environment`] is the harness; every JSON answer it sees is held to the command's own schema.

#![expect(clippy::unwrap_used, reason = "a test may end with a panic, in its helpers too")]

mod schema;
mod test_environment;

mod changed_minds;
mod client_setup;
mod command_lines;
mod completions;
mod current_run;
mod default_settings;
mod first_run;
mod followed_hints;
mod hint_lines;
mod hints;
mod inbox_answers;
mod inbox_arguments;
mod inbox_claims;
mod inbox_leases;
mod inbox_output;
mod inbox_questions;
mod inbox_repeats;
mod inbox_store;
mod inbox_terminal;
mod inbox_waits;
mod mcp;
mod orch_briefs;
mod orch_crowd;
mod orch_dependencies;
mod orch_dispatch;
mod orch_failures;
mod orch_logs;
mod orch_notices;
mod orch_output;
mod orch_permissions;
mod orch_plans;
mod orch_questions;
mod orch_repeats;
mod orch_runs;
mod orch_store;
mod orch_tasks;
mod orch_waits;
mod prime;
mod scheduling;
mod store_backups;
mod store_places;
mod store_trust;
mod suggestions;
mod supervised;
mod texts;
mod trees;
mod web;
mod worker_briefs;
mod worktrees;
