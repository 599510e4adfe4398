//! A profile as it is written: every field, nothing else, and not yet checked for sense.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, de};

use super::super::events::CounterScope;
use super::super::exit_meaning::{ExitMeaning, FailureSource, ProviderFailure};
use super::super::{BriefDelivery, ResponsibleParty};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawProfile {
    pub name: String,
    pub command: Vec<String>,
    pub resume: Option<Vec<String>>,
    pub brief: Option<RawBriefWay>,
    pub template: Option<String>,
    pub template_file: Option<String>,
    pub commit: Option<RawActor>,
    pub report: Option<RawActor>,
    #[serde(default)]
    pub environment: Vec<String>,
    #[serde(default)]
    pub set: BTreeMap<String, String>,
    pub grace: Option<String>,
    pub silence: Option<String>,
    pub events: Option<RawEvents>,
    #[serde(default)]
    pub exit: BTreeMap<String, RawMeaning>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEvents {
    /// There is one; the field says so to who reads the file.
    #[serde(rename = "format")]
    pub _format: RawFormat,
    #[serde(default)]
    pub session: Vec<RawTextRule>,
    #[serde(default)]
    pub activity: Vec<RawTextRule>,
    #[serde(default)]
    pub result: Vec<RawTextRule>,
    #[serde(default)]
    pub failure: Vec<RawFailureRule>,
    pub tokens: Option<RawTokenRule>,
    pub cost: Option<RawCostRule>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTextRule {
    #[serde(default)]
    pub when: toml::Table,
    pub path: OneOrMany,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFailureRule {
    #[serde(default)]
    pub when: toml::Table,
    pub path: Option<OneOrMany>,
    #[serde(default)]
    pub contains: Vec<String>,
    pub is: RawFault,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTokenRule {
    #[serde(default)]
    pub when: toml::Table,
    pub counts: RawCounts,
    pub input: OneOrMany,
    pub cached_input: Option<OneOrMany>,
    pub output: OneOrMany,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCostRule {
    #[serde(default)]
    pub when: toml::Table,
    pub counts: RawCounts,
    pub usd: String,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawFormat {
    JsonLines,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawBriefWay {
    Stdin,
    Argument,
    File,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawActor {
    Worker,
    Tool,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawCounts {
    Each,
    Run,
    Session,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawFault {
    Failed,
    Quota,
    Network,
    Access,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RawMeaning {
    Normal,
    Failed,
    Quota,
    Network,
    Access,
    CouldNotStart,
}

impl From<RawBriefWay> for BriefDelivery {
    fn from(raw: RawBriefWay) -> Self {
        match raw {
            RawBriefWay::Stdin => Self::Stdin,
            RawBriefWay::Argument => Self::Argument,
            RawBriefWay::File => Self::File,
        }
    }
}

impl From<RawActor> for ResponsibleParty {
    fn from(raw: RawActor) -> Self {
        match raw {
            RawActor::Worker => Self::Worker,
            RawActor::Tool => Self::Tool,
        }
    }
}

impl From<RawCounts> for CounterScope {
    fn from(raw: RawCounts) -> Self {
        match raw {
            RawCounts::Each => Self::Each,
            RawCounts::Run => Self::Run,
            RawCounts::Session => Self::Session,
        }
    }
}

impl From<RawFault> for FailureSource {
    fn from(raw: RawFault) -> Self {
        match raw {
            RawFault::Failed => Self::Own,
            RawFault::Quota => Self::Provider(ProviderFailure::Quota),
            RawFault::Network => Self::Provider(ProviderFailure::Network),
            RawFault::Access => Self::Provider(ProviderFailure::Access),
        }
    }
}

impl From<RawMeaning> for ExitMeaning {
    fn from(raw: RawMeaning) -> Self {
        match raw {
            RawMeaning::Normal => Self::Normal,
            RawMeaning::Failed => Self::Failed(FailureSource::Own),
            RawMeaning::Quota => Self::Failed(FailureSource::Provider(ProviderFailure::Quota)),
            RawMeaning::Network => Self::Failed(FailureSource::Provider(ProviderFailure::Network)),
            RawMeaning::Access => Self::Failed(FailureSource::Provider(ProviderFailure::Access)),
            RawMeaning::CouldNotStart => Self::CouldNotStart,
        }
    }
}

/// A text, or a list of texts.
#[derive(Debug)]
pub(super) struct OneOrMany(pub Vec<String>);

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextListVisitor;

        impl<'de> Visitor<'de> for TextListVisitor {
            type Value = OneOrMany;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a string or a list of strings")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<OneOrMany, E> {
                Ok(OneOrMany(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<OneOrMany, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = entries.next_element()? {
                    texts.push(text);
                }
                Ok(OneOrMany(texts))
            }
        }

        deserializer.deserialize_any(TextListVisitor)
    }
}
