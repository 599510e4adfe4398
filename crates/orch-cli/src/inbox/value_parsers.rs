//! Parsers of options with fixed values, which help and completions list.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use orch_core::message::MessageKind;
use orch_core::thread::{ThreadKind, ThreadStatus};

/// Returns the parser of a thread's kind.
pub(super) fn thread_kind_parser() -> impl TypedValueParser<Value = ThreadKind> {
    PossibleValuesParser::new(["work", "note"])
        .try_map(|name| ThreadKind::parse(&name).ok_or("a kind of thread"))
}

/// Returns the parser of a thread's state.
pub(super) fn thread_state_parser() -> impl TypedValueParser<Value = ThreadStatus> {
    PossibleValuesParser::new(ThreadStatus::ALL.map(ThreadStatus::name))
        .try_map(|name| ThreadStatus::parse(&name).ok_or("a thread's state"))
}

/// Returns the parser of a message's kind.
pub(super) fn message_kind_parser() -> impl TypedValueParser<Value = MessageKind> {
    PossibleValuesParser::new(MessageKind::ALL.map(MessageKind::name))
        .try_map(|name| MessageKind::parse(&name).ok_or("a kind of message"))
}
