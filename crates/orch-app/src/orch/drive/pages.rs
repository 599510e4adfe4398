//! The pages of a drive's live view.

use std::time::{Duration, Instant};

use orch_contract::EventView;
use orch_contract::orch::drive::DriveView;
use orch_contract::orch::status::ClashView;
use orch_core::id::Slug;
use orch_inbox::Session;
use orch_query::ps;

use crate::orch::ps::worker_view;
use crate::orch::status::{load_status, load_status_without_clashes};

/// How often git is asked for clashes, which takes longer than everything else on a page.
const CLASHES_INTERVAL: Duration = Duration::from_secs(10);

/// Loads the pages of a live view.
pub struct DrivePages {
    session: Session,
    run: Option<Slug>,
    clashes: Vec<ClashView>,
    clashes_loaded: Option<Instant>,
}

impl DrivePages {
    pub(super) fn new(session: Session, run: Option<Slug>) -> Self {
        Self { session, run, clashes: Vec::new(), clashes_loaded: None }
    }

    /// Loads the page as it is now; none when the store does not answer.
    ///
    /// Several runs are shown by the named one, else by the first.
    pub fn load_page(&mut self, lately: Vec<EventView>, note: Option<String>) -> Option<DriveView> {
        let run = self.run.as_ref();
        let asks_git = self.clashes_loaded.is_none_or(|loaded| loaded.elapsed() >= CLASHES_INTERVAL);
        let mut status = if asks_git {
            load_status(&mut self.session, run).ok()?.0
        } else {
            load_status_without_clashes(&mut self.session, run).ok()?
        };
        if asks_git {
            self.clashes_loaded = Some(Instant::now());
            self.clashes.clone_from(&status.clashes);
        } else {
            let live =
                |attempt: &String| status.active.iter().any(|one| one.task.attempt.as_ref() == Some(attempt));
            let known = self.clashes.iter().filter(|clash| clash.attempts.iter().all(live));
            status.clashes = known.cloned().collect();
        }
        let run = Slug::from_stored(status.run.id.clone());
        let processes = ps::list_processes(&mut self.session, Some(&run));
        let workers = processes.map(|found| found.workers).unwrap_or_default();
        Some(DriveView { workers: workers.iter().map(worker_view).collect(), status, lately, note })
    }
}
