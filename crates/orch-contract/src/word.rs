//! Enumerations of the contract: states and kinds, written as their public names and listed in the schema.

use std::borrow::Cow;
use std::fmt;

use orch_core::attempt::AttemptState;
use orch_core::check::{CheckIdentity, CheckSource, CheckStage, CheckState, FlakyVerdict};
use orch_core::cooldown::CooldownCause;
use orch_core::effect::EffectKind;
use orch_core::event::EventKind;
use orch_core::message::MessageKind;
use orch_core::path_risk::PathRisk;
use orch_core::run::{
    BaselineStatus, BranchMovePolicy, CostSource, DoneWhen, LandingManner, PauseReason, ReviewPolicy,
    RunOutcome, RunStatus,
};
use orch_core::task::{ChecksStatus, TaskState};
use orch_core::thread::{ThreadKind, ThreadStatus};
use orch_core::worker::WorkerOutcome;
use orch_core::worktree::{WorktreePresence, WorktreeState};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An enumeration with public names.
pub trait WireEnum: Copy + 'static {
    /// The name of the enumeration in the schema.
    const SET: &'static str;

    /// Returns all values.
    fn all() -> Vec<Self>;

    /// Returns the public name of a value.
    fn word(self) -> &'static str;
}

/// A value of an enumeration, serialised as its public name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireWord<T>(pub T);

impl<T> From<T> for WireWord<T> {
    fn from(member: T) -> Self {
        Self(member)
    }
}

impl<T: WireEnum> fmt::Display for WireWord<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.word())
    }
}

impl<T: WireEnum> Serialize for WireWord<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.word())
    }
}

impl<'de, T: WireEnum> Deserialize<'de> for WireWord<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'_, str>::deserialize(deserializer)?;
        T::all().into_iter().find(|member| member.word() == text).map(Self).ok_or_else(|| {
            serde::de::Error::custom(format_args!("`{text}` is not one of the words of {}", T::SET))
        })
    }
}

/// Implements [`WireEnum`] for enumerations of `orch-core`, with their values and names.
macro_rules! worded {
    ($($fact:ty as $set:literal of $all:expr;)*) => {$(
        impl WireEnum for $fact {
            const SET: &'static str = $set;

            fn all() -> Vec<Self> {
                $all.to_vec()
            }

            fn word(self) -> &'static str {
                self.name()
            }
        }
    )*};
}

worded! {
    AttemptState as "AttemptState" of AttemptState::ALL;
    BaselineStatus as "Baseline" of BaselineStatus::ALL;
    CostSource as "CostSource" of CostSource::ALL;
    ChecksStatus as "Checks" of ChecksStatus::ALL;
    CheckIdentity as "CheckIdentity" of CheckIdentity::ALL;
    CheckSource as "CheckSource" of CheckSource::ALL;
    CheckStage as "CheckStage" of CheckStage::ALL;
    CheckState as "CheckState" of CheckState::ALL;
    CooldownCause as "CooldownCause" of CooldownCause::ALL;
    WorkerOutcome as "WorkerOutcome" of WorkerOutcome::ALL;
    WorktreeState as "WorktreeState" of WorktreeState::ALL;
    WorktreePresence as "Found" of WorktreePresence::ALL;
    EffectKind as "EffectKind" of EffectKind::ALL;
    DoneWhen as "DoneWhen" of DoneWhen::ALL;
    EventKind as "EventKind" of EventKind::ALL;
    FlakyVerdict as "FlakyVerdict" of FlakyVerdict::ALL;
    LandingManner as "LandingManner" of LandingManner::ALL;
    MessageKind as "MessageKind" of MessageKind::ALL;
    RunOutcome as "RunOutcome" of RunOutcome::ALL;
    BranchMovePolicy as "BranchMovePolicy" of BranchMovePolicy::ALL;
    ReviewPolicy as "ReviewPolicy" of ReviewPolicy::ALL;
    PathRisk as "PathRisk" of PathRisk::ALL;
    PauseReason as "PauseReason" of PauseReason::ALL;
    RunStatus as "RunState" of RunStatus::ALL;
    TaskState as "TaskState" of TaskState::ALL;
    ThreadKind as "ThreadKind" of [ThreadKind::Work, ThreadKind::Note];
    ThreadStatus as "ThreadState" of ThreadStatus::ALL;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip_and_others_are_refused() {
        let json = serde_json::to_string(&WireWord(TaskState::Reported)).unwrap();
        assert_eq!(json, "\"reported\"");
        assert_eq!(
            serde_json::from_str::<WireWord<TaskState>>(&json).unwrap(),
            WireWord(TaskState::Reported)
        );
        let error = serde_json::from_str::<WireWord<TaskState>>("\"lost\"").unwrap_err();
        assert_eq!(error.to_string(), "`lost` is not one of the words of TaskState");
    }
}
