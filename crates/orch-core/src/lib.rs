//! What is true and what may happen: the pure rules behind `inbox` and `orch`.
//!
//! Nothing here reads a clock, draws a random number, opens a file or knows SQL or JSON.
//! Every decision is a function from facts, a request and a time to changed facts, messages and events,
//! or to a typed [`Refusal`](refusal::Refusal).
//!
//! The transport half ([`thread`], [`message`], [`lease`]) knows nothing of the scheduling half
//! ([`run`], [`task`], [`dependency`], [`attempt`], [`worktree`], [`check`], [`graph`], [`reconcile`]).
//! What has to be done outside the store is a value of its own, an [`effect`].
//! Start with [`thread::decide`] and [`task::decide`].

pub mod attempt;
pub mod check;
pub mod dependency;
pub mod effect;
pub mod escape;
pub mod event;
pub mod graph;
pub mod id;
pub mod lease;
pub mod limit;
pub mod message;
pub mod reconcile;
pub mod refusal;
pub mod run;
pub mod shell;
pub mod task;
pub mod text;
pub mod thread;
pub mod time;
pub mod worker;
pub mod worktree;

/// A state machine met an event that its state does not allow.
///
/// Both are kept, so that the message and the tests can name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{event} is not possible while {state}")]
pub struct IllegalTransition {
    /// The state's public name.
    pub state: &'static str,
    /// The event's public name.
    pub event: &'static str,
}
