//! Telling a program of the user's what needs a person, beside the loop: one that fails, hangs or is slow hurts nobody.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use orch_core::event::{AwaitedEvent, Event};

use crate::settings::NotifySettings;
use orch_process::EnvironmentVariables;
use orch_process::timed_command::run_with_timeout;

/// How many notices wait for the program at most; what comes then is left out.
const QUEUE: usize = 64;

/// How much of a text stands in a variable.
const TEXT_BYTES_MAX: usize = 4_000;

/// Tells, in a thread of its own.
pub struct EventNotifier {
    notify: NotifySettings,
    store: String,
    tell: Option<SyncSender<QueuedNotice>>,
    complaints: Receiver<String>,
    /// Until when notices are told, once nothing more is to come.
    until: Arc<Mutex<Option<Instant>>>,
    thread: Option<JoinHandle<()>>,
}

struct QueuedNotice {
    variables: Vec<(&'static str, String)>,
    document: String,
}

impl EventNotifier {
    /// Begins to listen; the program is run in this folder.
    #[must_use]
    pub fn new(notify: NotifySettings, folder: PathBuf, store: String) -> Self {
        let (tell, notices) = sync_channel::<QueuedNotice>(QUEUE);
        let (complain, complaints) = channel();
        let until = Arc::new(Mutex::new(None));
        let (order, ends) = (notify.clone(), Arc::clone(&until));
        let run = move || {
            for notice in notices {
                let late = ends.lock().unwrap_or_else(PoisonError::into_inner);
                if late.is_some_and(|until: Instant| Instant::now() >= until) {
                    return;
                }
                drop(late);
                run_notify_command(&order, &folder, &notice, &complain);
            }
        };
        // Without a thread nobody is told, and the queue fills up.
        let thread = std::thread::Builder::new().name("notify".to_owned()).spawn(run).ok();
        Self { notify, store, tell: Some(tell), complaints, until, thread }
    }

    /// Tells of an event that was asked for; `document` is the event as programs read it.
    ///
    /// # Errors
    /// The program takes notices too slowly; this one is left out.
    pub fn notify_event(&self, event: &Event, text: Option<&str>, document: String) -> Result<(), QueueFull> {
        let wake = self.notify.on.iter().find(|wake| wake.event_kinds().contains(&event.kind));
        let (Some(wake), Some(tell)) = (wake, &self.tell) else { return Ok(()) };
        let notice = QueuedNotice { variables: notice_variables(*wake, event, text, &self.store), document };
        match tell.try_send(notice) {
            Ok(()) | Err(TrySendError::Disconnected(_)) => Ok(()),
            Err(TrySendError::Full(_)) => Err(QueueFull),
        }
    }

    /// What went wrong since this was asked, in sentences.
    pub fn take_complaints(&self) -> impl Iterator<Item = String> + '_ {
        self.complaints.try_iter()
    }
}

/// The program takes notices too slowly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueFull;

impl Drop for EventNotifier {
    fn drop(&mut self) {
        self.drain_and_join();
    }
}

impl EventNotifier {
    /// Ends: what waits is told, for twice as long as one may take. What went wrong then can still be asked for.
    pub fn drain_and_join(&mut self) {
        let until = Instant::now() + self.notify.limit * 2;
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
        self.tell = None;
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
        ("ORCH_TEXT", text.map(truncate_for_variable)),
    ];
    variables.extend(facts.into_iter().filter_map(|(name, value)| Some((name, value?))));
    variables
}

/// A text as long as a variable may hold without getting in the way of the program's start.
fn truncate_for_variable(text: &str) -> String {
    let mut end = text.len().min(TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].replace('\0', "")
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
    let told =
        run_with_timeout(&notify.command, folder, &environment, notice.document.as_bytes(), notify.limit);
    let program = notify.command.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
    let said = match told {
        Ok(Some(status)) if status.success() => return,
        Ok(Some(status)) => format!("The command of [notify], {program}, failed: {status}."),
        Ok(None) => {
            let limit = Duration::as_secs(&notify.limit);
            format!("The command of [notify], {program}, took more than {limit} s and was ended.")
        }
        Err(error) => format!("The command of [notify], {program}, cannot be started: {error}."),
    };
    // Who drove may be gone.
    let _ = complain.send(said);
}
