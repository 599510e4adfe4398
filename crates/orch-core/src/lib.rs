//! The pure rules behind `inbox` and `orch`: the entities, their state machines and the decisions on them.
//!
//! Nothing here reads a clock, draws a random number, opens a file or knows SQL or JSON.
//! Every decision is a function of the current state, a request and a time; it returns the new state, messages and events,
//! or to a typed [`Refusal`](refusal::Refusal).
//!
//! The transport half ([`thread`], [`message`], [`lease`]) knows nothing of the scheduling half
//! ([`run`], [`task`], [`dependency`], [`attempt`], [`worktree`], [`check`], [`graph`], [`reconcile`]).
//! Operations outside the store are values: [`effect`], with their failures in [`operation_failure`].
//! Start with [`thread::decide`] and [`task::decide`].

#[macro_use]
mod named;

pub mod attempt;
pub mod check;
pub mod commit_trailers;
pub mod cooldown;
pub mod dependency;
pub mod effect;
pub mod escape;
pub mod event;
pub mod graph;
pub mod id;
pub mod known_agents;
pub mod lease;
pub mod limit;
pub mod message;
pub mod operation_failure;
pub mod path_risk;
pub mod placement;
pub mod reconcile;
pub mod refusal;
pub mod run;
pub mod shell;
pub mod store_clock;
pub mod task;
pub mod text;
pub mod thread;
pub mod time;
pub mod worker;
pub mod worktree;

/// An event that a state machine does not allow in its current state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{event} is not possible while {state}")]
pub struct IllegalTransition {
    /// The state's public name.
    pub state: &'static str,
    /// The event's public name.
    pub event: &'static str,
}
