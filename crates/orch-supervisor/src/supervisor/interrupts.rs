//! Interrupts of a supervisor: the first stops new work, the second ends the workers.

use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use orch_inbox::{Error, Session, liveness};
use orch_scheduler::ps;

use super::scope::DriveScope;
use super::snapshot::PassSnapshot;
use super::wake_counter::WakeCounter;

/// The interrupts of a supervisor so far.
pub(super) struct InterruptCounter {
    count: Arc<AtomicUsize>,
    is_reported: bool,
}

impl InterruptCounter {
    /// Starts a thread that counts the bytes of a pipe, and wakes the loop for each.
    pub(super) fn start(stop: Option<OwnedFd>, session: &Session, wake: &WakeCounter) -> Self {
        let count = Arc::new(AtomicUsize::new(0));
        if let Some(stop) = stop {
            let (counter, wake, folder) =
                (Arc::clone(&count), wake.clone(), session.store_folder().to_owned());
            let listen = move || {
                let mut byte = [0_u8; 1];
                while rustix::io::read(stop.as_fd(), &mut byte).is_ok_and(|read| read > 0) {
                    counter.fetch_add(1, Ordering::SeqCst);
                    wake.wake_loop(&folder);
                }
            };
            // Without the thread interrupts are ignored, as without a pipe.
            let _ = std::thread::Builder::new().name("interrupts".to_owned()).spawn(listen);
        }
        Self { count, is_reported: false }
    }

    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// Acts on new interrupts, and returns a message for the first one.
    pub(super) fn handle(
        &mut self,
        session: &mut Session,
        scope: &DriveScope,
        snapshot: &PassSnapshot,
    ) -> Result<Option<String>, Error> {
        let count = self.count();
        if count > 1 {
            // Includes workers that have claimed their work since the last pass.
            for live in snapshot.live.iter().filter(|live| scope.covers(live.run)) {
                liveness::request_stop(&live.worker);
            }
        }
        if count == 0 || std::mem::replace(&mut self.is_reported, true) {
            return Ok(None);
        }
        let workers = session.read(|tx, _| ps::list_workers(tx, scope.only))?;
        let name = |worker: &ps::WorkerProcess| {
            worker.attempt.as_ref().map_or_else(|| worker.row.thread.to_string(), ToString::to_string)
        };
        let names: Vec<String> = workers.iter().map(name).collect();
        Ok(Some(if names.is_empty() {
            "Interrupted: no new work is started.".to_owned()
        } else {
            let names = names.join(", ");
            format!(
                "Interrupted: no new work is started. Still running: {names}. Interrupt again to end them."
            )
        }))
    }
}
