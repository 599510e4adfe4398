//! Interrupts of a supervisor: the first stops new work, the second ends the workers.

use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use orch_inbox::{Error, Session, liveness};
use orch_query::ps;
use orch_store::table::worker::LiveWorker;

use super::scope::DriveScope;
use super::snapshot::is_waiting;
use super::wake_counter::WakeCounter;

/// The interrupts of a supervisor so far.
pub(super) struct InterruptCounter {
    received: Arc<ReceivedInterrupts>,
    is_reported: bool,
}

/// The number of interrupts, for which a thread can wait.
#[derive(Debug, Default)]
struct ReceivedInterrupts {
    count: Mutex<usize>,
    changed: Condvar,
}

impl ReceivedInterrupts {
    /// A panic in another thread leaves the number whole.
    fn lock(&self) -> MutexGuard<'_, usize> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InterruptCounter {
    /// Starts a thread that counts the bytes of a pipe, and wakes the loop for each.
    pub(super) fn start(stop: Option<OwnedFd>, session: &Session, wake: &WakeCounter) -> Self {
        let received = Arc::new(ReceivedInterrupts::default());
        if let Some(stop) = stop {
            let (counter, wake, folder) =
                (Arc::clone(&received), wake.clone(), session.store_folder().to_owned());
            let listen = move || {
                let mut byte = [0_u8; 1];
                while rustix::io::read(stop.as_fd(), &mut byte).is_ok_and(|read| read > 0) {
                    *counter.lock() += 1;
                    counter.changed.notify_all();
                    wake.wake_loop(&folder);
                }
            };
            // Without the thread interrupts are ignored, as without a pipe.
            let _ = std::thread::Builder::new().name("interrupts".to_owned()).spawn(listen);
        }
        Self { received, is_reported: false }
    }

    pub(super) fn count(&self) -> usize {
        *self.received.lock()
    }

    /// Waits for an interrupt after the first `seen`, at most so long.
    pub(super) fn wait_for_another(&self, seen: usize, longest: Duration) {
        let lock = self.received.lock();
        // Woken early, the caller only looks earlier.
        drop(self.received.changed.wait_timeout_while(lock, longest, |count| *count <= seen));
    }

    /// Acts on new interrupts, and returns a message for the first one.
    pub(super) fn handle(
        &mut self,
        session: &mut Session,
        scope: &DriveScope,
        live: &[LiveWorker],
    ) -> Result<Option<String>, Error> {
        let count = self.count();
        if count > 1 {
            // Includes workers that have claimed their work since the last pass.
            for live in live.iter().filter(|live| scope.covers(live.run)) {
                liveness::request_stop(&live.worker);
            }
        }
        if count == 0 || std::mem::replace(&mut self.is_reported, true) {
            return Ok(None);
        }
        let mut workers = session.read(|tx, _| ps::list_workers(tx, scope.only))?;
        // The supervisor does not wait for those that wait for an answer.
        let is_waited_for =
            |thread| !live.iter().any(|live| live.worker.thread == thread && is_waiting(live));
        workers.retain(|worker| is_waited_for(worker.row.thread));
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
