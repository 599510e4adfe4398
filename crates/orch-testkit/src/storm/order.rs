//! One command of a storm, and what it must leave behind when it was applied.

/// Which command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
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
pub(super) const WEIGHTS: [(Kind, usize); 33] = [
    (Kind::Send, 7),
    (Kind::Note, 4),
    (Kind::Claim, 24),
    (Kind::ClaimWaiting, 3),
    (Kind::Renew, 3),
    (Kind::Progress, 8),
    (Kind::Ask, 9),
    (Kind::Reply, 8),
    (Kind::Done, 14),
    (Kind::Fail, 6),
    (Kind::Release, 3),
    (Kind::Cancel, 3),
    (Kind::Wait, 3),
    (Kind::Ack, 2),
    (Kind::RunInit, 2),
    (Kind::RunEdit, 2),
    (Kind::Pause, 1),
    (Kind::Resume, 3),
    (Kind::TaskAdd, 4),
    (Kind::PlanAdd, 4),
    (Kind::TaskEdit, 2),
    (Kind::TaskCancel, 1),
    (Kind::Retry, 3),
    (Kind::DependencyAdd, 4),
    (Kind::DependencyRemove, 2),
    (Kind::Dispatch, 9),
    (Kind::DispatchAll, 3),
    (Kind::Recall, 2),
    (Kind::Tell, 3),
    (Kind::Answer, 8),
    (Kind::Reconcile, 2),
    (Kind::Acknowledge, 2),
    (Kind::Status, 2),
];

impl Kind {
    /// Whether it changes nothing that may be asked for again.
    pub(super) fn only_looks(self) -> bool {
        matches!(self, Self::Wait | Self::Status)
    }

    /// Whether it may block until something happens.
    pub(super) fn waits(self) -> bool {
        matches!(self, Self::Wait | Self::ClaimWaiting)
    }
}

/// What a command leaves when it was applied; markers are unique texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Effect {
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
pub(super) struct Order {
    pub(super) kind: Kind,
    /// The command line, from the program's name on.
    pub(super) words: Vec<String>,
    /// Its request id; none where there is nothing to repeat.
    pub(super) request: Option<String>,
    pub(super) marker: String,
    pub(super) effect: Effect,
}
