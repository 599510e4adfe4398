//! A command of a storm, and the effect that it must have once it was applied.

/// The kind of command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum CommandKind {
    Send,
    Note,
    Claim,
    ClaimWaiting,
    Renew,
    Progress,
    Ask,
    Reply,
    Done,
    Fail,
    Release,
    Cancel,
    Wait,
    Ack,
    RunInit,
    RunEdit,
    Pause,
    Resume,
    TaskAdd,
    PlanAdd,
    TaskEdit,
    TaskCancel,
    Retry,
    DependencyAdd,
    DependencyRemove,
    Dispatch,
    DispatchAll,
    Recall,
    Tell,
    Answer,
    Reconcile,
    Acknowledge,
    Status,
}

/// The relative frequency of each kind of command.
pub(super) const WEIGHTS: [(CommandKind, usize); 33] = [
    (CommandKind::Send, 7),
    (CommandKind::Note, 4),
    (CommandKind::Claim, 24),
    (CommandKind::ClaimWaiting, 3),
    (CommandKind::Renew, 3),
    (CommandKind::Progress, 8),
    (CommandKind::Ask, 9),
    (CommandKind::Reply, 8),
    (CommandKind::Done, 14),
    (CommandKind::Fail, 6),
    (CommandKind::Release, 3),
    (CommandKind::Cancel, 3),
    (CommandKind::Wait, 3),
    (CommandKind::Ack, 2),
    (CommandKind::RunInit, 2),
    (CommandKind::RunEdit, 2),
    (CommandKind::Pause, 1),
    (CommandKind::Resume, 3),
    (CommandKind::TaskAdd, 4),
    (CommandKind::PlanAdd, 4),
    (CommandKind::TaskEdit, 2),
    (CommandKind::TaskCancel, 1),
    (CommandKind::Retry, 3),
    (CommandKind::DependencyAdd, 4),
    (CommandKind::DependencyRemove, 2),
    (CommandKind::Dispatch, 9),
    (CommandKind::DispatchAll, 3),
    (CommandKind::Recall, 2),
    (CommandKind::Tell, 3),
    (CommandKind::Answer, 8),
    (CommandKind::Reconcile, 2),
    (CommandKind::Acknowledge, 2),
    (CommandKind::Status, 2),
];

impl CommandKind {
    /// Returns whether the command changes nothing, and so takes no request id.
    pub(super) fn is_read_only(self) -> bool {
        matches!(self, Self::Wait | Self::Status)
    }

    /// Returns whether the command may block until an event occurs.
    pub(super) fn may_wait(self) -> bool {
        matches!(self, Self::Wait | Self::ClaimWaiting)
    }
}

/// The effect of an applied command; markers are unique texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CommandEffect {
    /// Only a receipt.
    Receipt,
    /// A thread with the marker as subject, and its first message.
    Thread,
    /// A message with the marker as text.
    Message,
    /// A message with the marker as text, or nothing if the requested state already held.
    MessageOrNothing,
    /// A run with the marker as title.
    Run,
    /// This many tasks whose titles begin with the marker: all or none.
    Tasks(usize),
    /// An event with the marker as reason.
    Reason,
    /// A lease token.
    Token,
    /// As many attempts as the answer lists.
    Attempts,
}

/// A command to execute.
#[derive(Clone, Debug)]
pub(super) struct StormCommand {
    pub(super) kind: CommandKind,
    /// The command line, beginning with the program's name.
    pub(super) words: Vec<String>,
    /// The request id; `None` for a command that cannot be repeated.
    pub(super) request: Option<String>,
    pub(super) marker: String,
    pub(super) effect: CommandEffect,
}
