//! One command of a storm, and what it must leave behind when it was applied.

/// Which command.
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

/// How often each command is drawn, of all together.
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
    /// Whether it changes nothing that may be asked for again.
    pub(super) fn is_read_only(self) -> bool {
        matches!(self, Self::Wait | Self::Status)
    }

    /// Whether it may block until something happens.
    pub(super) fn may_wait(self) -> bool {
        matches!(self, Self::Wait | Self::ClaimWaiting)
    }
}

/// What a command leaves when it was applied; markers are unique texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CommandEffect {
    /// Nothing but its receipt can be counted.
    Receipt,
    /// A thread with the marker as subject, and its first message.
    Thread,
    /// A message with the marker as text.
    Message,
    /// The same, or nothing where what it asks for was so already.
    MessageOrNothing,
    /// A run with the marker as title.
    Run,
    /// So many tasks with titles that begin with the marker: all or none.
    Tasks(usize),
    /// An event that tells the marker as reason.
    Reason,
    /// A token.
    Token,
    /// As many attempts as its answer names.
    Attempts,
}

/// One command.
#[derive(Clone, Debug)]
pub(super) struct StormCommand {
    pub(super) kind: CommandKind,
    /// The command line, from the program's name on.
    pub(super) words: Vec<String>,
    /// Its request id; none where there is nothing to repeat.
    pub(super) request: Option<String>,
    pub(super) marker: String,
    pub(super) effect: CommandEffect,
}
