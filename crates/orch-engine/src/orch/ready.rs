//! `orch ready`: what can be dispatched now: by priority, then the longest chain of work behind it, then age.

use orch_core::id::Slug;
use orch_store::page::{Page, PageRequest};

use super::TaskShown;
use crate::{Error, Session};

/// Which tasks are wanted.
#[derive(Clone, Debug)]
pub struct Ready {
    /// Of which run; of all unfinished ones when not given.
    pub run: Option<Slug>,
    /// With this label.
    pub label: Option<Slug>,
    /// Which part.
    pub page: PageRequest,
}

/// Lists what is ready. Tasks of paused runs and tasks that failed a moment ago are not.
///
/// # Errors
/// There is no such run, or the store failed.
pub fn ready(session: &mut Session, request: &Ready) -> Result<Page<TaskShown>, Error> {
    todo!("next")
}
