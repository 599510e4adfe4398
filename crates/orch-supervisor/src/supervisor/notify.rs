//! Running the user's notification command, in a thread, so that a slow or failing command does not block the supervisor.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use orch_core::event::{AwaitedEvent, Event};
use orch_core::text::longest_prefix;

use crate::settings::NotifySettings;
use orch_process::EnvironmentVariables;
use orch_process::timed_command::run_with_timeout;

/// The longest queue of notices; further ones are dropped.
const QUEUE_MAX: usize = 64;

/// The longest text in an environment variable.
const TEXT_BYTES_MAX: usize = 4_000;

/// Runs the notification command for events.
pub struct EventNotifier {
    notify: NotifySettings,
    store: String,
    queue: Option<SyncSender<QueuedNotice>>,
    complaints: Receiver<String>,
    /// The deadline for the notices in the queue, set when the supervisor ends.
    deadline: Arc<Mutex<Option<Instant>>>,
    thread: Option<JoinHandle<()>>,
}

struct QueuedNotice {
    variables: Vec<(&'static str, String)>,
    document: String,
}

impl EventNotifier {
    /// Starts the thread. The command runs in `folder`.
    #[must_use]
    pub fn new(notify: NotifySettings, folder: PathBuf, store: String) -> Self {
        let (queue, notices) = sync_channel::<QueuedNotice>(QUEUE_MAX);
        let (complain, complaints) = channel();
        let deadline = Arc::new(Mutex::new(None));
        let (settings, shared) = (notify.clone(), Arc::clone(&deadline));
        let run = move || {
            for notice in notices {
                let deadline = *shared.lock().unwrap_or_else(PoisonError::into_inner);
                if deadline.is_some_and(|deadline: Instant| Instant::now() >= deadline) {
                    return;
                }
                run_notify_command(&settings, &folder, &notice, &complain);
            }
        };
        // Without the thread no notice is delivered, and the queue fills up.
        let thread = std::thread::Builder::new().name("notify".to_owned()).spawn(run).ok();
        Self { notify, store, queue: Some(queue), complaints, deadline, thread }
    }

    /// Queues a notice if the settings select the event. `document` is the event as JSON.
    ///
    /// # Errors
    /// The queue is full, so the notice was dropped.
    pub fn notify_event(&self, event: &Event, text: Option<&str>, document: String) -> Result<(), QueueFull> {
        let wake = self.notify.on.iter().find(|wake| wake.event_kinds().contains(&event.kind));
        let (Some(wake), Some(queue)) = (wake, &self.queue) else { return Ok(()) };
        let notice = QueuedNotice { variables: notice_variables(*wake, event, text, &self.store), document };
        match queue.try_send(notice) {
            Ok(()) | Err(TrySendError::Disconnected(_)) => Ok(()),
            Err(TrySendError::Full(_)) => Err(QueueFull),
        }
    }

    /// Removes and returns the messages of failures.
    pub fn take_complaints(&self) -> impl Iterator<Item = String> + '_ {
        self.complaints.try_iter()
    }
}

/// The queue of notices is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueFull;

impl Drop for EventNotifier {
    fn drop(&mut self) {
        self.drain_and_join();
    }
}

impl EventNotifier {
    /// Delivers the queued notices for at most twice the time limit of the command, and ends the thread.
    /// Failures can still be read afterwards.
    pub fn drain_and_join(&mut self) {
        let deadline = Instant::now() + self.notify.limit * 2;
        *self.deadline.lock().unwrap_or_else(PoisonError::into_inner) = Some(deadline);
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn notice_variables(
    wake: AwaitedEvent,
    event: &Event,
    text: Option<&str>,
    store: &str,
) -> Vec<(&'static str, String)> {
    let mut variables = vec![
        ("ORCH_NOTICE", wake.name().to_owned()),
        ("ORCH_EVENT", event.id.to_string()),
        ("ORCH_STORE", store.to_owned()),
    ];
    let facts = [
        ("ORCH_RUN", event.run.as_ref().map(ToString::to_string)),
        ("ORCH_TASK", event.task.as_ref().map(ToString::to_string)),
        ("ORCH_ATTEMPT", event.attempt.as_ref().map(ToString::to_string)),
        ("ORCH_TEXT", text.map(|text| longest_prefix(text, TEXT_BYTES_MAX).replace('\0', ""))),
    ];
    variables.extend(facts.into_iter().filter_map(|(name, value)| Some((name, value?))));
    variables
}

fn run_notify_command(
    notify: &NotifySettings,
    folder: &std::path::Path,
    notice: &QueuedNotice,
    complain: &Sender<String>,
) {
    let environment = notice
        .variables
        .iter()
        .fold(EnvironmentVariables::inherit_sanitized(), |environment, (name, value)| {
            environment.with_variable(*name, value)
        });
    let outcome =
        run_with_timeout(&notify.command, folder, &environment, notice.document.as_bytes(), notify.limit);
    let program = notify.command.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
    let message = match outcome {
        Ok(Some(status)) if status.success() => return,
        Ok(Some(status)) => format!("The command of [notify], {program}, failed: {status}."),
        Ok(None) => {
            let limit = Duration::as_secs(&notify.limit);
            format!("The command of [notify], {program}, took more than {limit} s and was terminated.")
        }
        Err(error) => format!("The command of [notify], {program}, could not be started: {error}."),
    };
    // The supervisor may have dropped the receiver.
    let _ = complain.send(message);
}
