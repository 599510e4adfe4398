//! What a supervisor shows while it goes on: a live view on a terminal, a line for each event elsewhere.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use orch_contract::EventView;
use orch_contract::orch::drive::{DriveLine, DriveView, WorkerView};
use orch_contract::orch::status::ClashView;
use orch_core::event::Event as CoreEvent;
use orch_core::id::Slug;
use orch_core::time::TimeSpan;
use orch_inbox::Session;
use orch_scheduler::ps::{self, WorkerProcess};
use orch_supervisor::supervisor::notify::EventNotifier;
use orch_supervisor::supervisor::{ListenerResponse, SessionOpener, SupervisorEvent};

use crate::context::CommandRuntime;
use crate::human::orch::live::is_event_shown;
use crate::orch::status::{load_status, load_status_without_git};
use crate::respond::WriteOutcome;
use orch_app::AppError;

/// How often a live view is drawn, at most.
const FRAME: Duration = Duration::from_millis(200);

/// How often it is drawn at least while something is under way: it tells ages.
const TICK: Duration = Duration::from_secs(1);

/// The same while nothing is.
const TICK_IDLE: Duration = Duration::from_secs(10);

/// How often git is asked for clashes, which takes it longer than all the rest.
const CLASHES: Duration = Duration::from_secs(10);

/// How many of the last events a live view tells of.
const LATELY: usize = 6;

/// What becomes of a live view when its supervisor has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::orch) enum FinalScreen {
    /// It stays, as it was at the end.
    Shown,
    /// It goes: something else says how it ended.
    Erased,
}

/// Where a supervisor is heard.
pub(super) struct LiveScreen<'a, 'b> {
    context: &'a mut CommandRuntime<'b>,
    session: Option<Session>,
    run: Option<Slug>,
    drawn: Option<Instant>,
    /// Whether something was under way when it was drawn.
    is_busy: bool,
    lately: VecDeque<EventView>,
    /// When git was asked last for clashes, and what it said.
    clashes: (Option<Instant>, Vec<ClashView>),
    note: Option<String>,
    notifier: Option<EventNotifier>,
}

impl<'a, 'b> LiveScreen<'a, 'b> {
    pub(super) fn new(
        context: &'a mut CommandRuntime<'b>,
        open: &SessionOpener,
        run: Option<Slug>,
        notifier: Option<EventNotifier>,
    ) -> Result<Self, AppError> {
        let session = if context.is_redrawable() { Some(open()?) } else { None };
        let lately = VecDeque::new();
        let clashes = (None, Vec::new());
        Ok(Self { context, session, run, drawn: None, is_busy: false, lately, clashes, note: None, notifier })
    }

    /// Shows what was said.
    pub(super) fn handle_event(&mut self, said: SupervisorEvent<'_>) -> ListenerResponse {
        if let SupervisorEvent::Event(event) = said {
            self.notify_user(event);
        }
        let complaints: Vec<String> = self.notifier.iter().flat_map(EventNotifier::take_complaints).collect();
        for complaint in complaints {
            if self.show_event(SupervisorEvent::Note(&complaint)) == ListenerResponse::Closed {
                return ListenerResponse::Closed;
            }
        }
        self.show_event(said)
    }

    /// Ends, with what the user's program did not take.
    pub(super) fn close(mut self, ends: FinalScreen) {
        match ends {
            FinalScreen::Erased if self.drawn.is_some() => {
                let _ = self.context.erase_page();
            }
            FinalScreen::Shown if self.drawn.is_some() => {
                self.drawn = None;
                let _ = self.draw_frame();
            }
            FinalScreen::Erased | FinalScreen::Shown => {}
        }
        let Some(mut notifier) = self.notifier.take() else { return };
        notifier.drain_and_join();
        for complaint in notifier.take_complaints() {
            self.context.print_progress(&complaint);
        }
    }

    /// Tells the user's program, where there is one.
    fn notify_user(&mut self, event: &CoreEvent) {
        let Some(notifier) = &self.notifier else { return };
        let event_view = EventView::from_event(event);
        let text = ["question", "reason", "outcome"]
            .into_iter()
            .find_map(|name| event_view.data.get(name)?.as_str());
        // An event is made of texts and numbers, which always have a JSON form.
        let document = serde_json::to_string(&event_view).unwrap_or_default();
        if notifier.notify_event(event, text, document).is_err() {
            self.note = Some("The command of [notify] is too slow; a notice was left out.".to_owned());
        }
    }

    fn show_event(&mut self, said: SupervisorEvent<'_>) -> ListenerResponse {
        let written = match (said, self.session.is_some()) {
            (SupervisorEvent::Event(event), true) => {
                self.remember_event(EventView::from_event(event));
                WriteOutcome::Complete
            }
            (SupervisorEvent::Note(note), true) => {
                self.note = Some(note.to_owned());
                WriteOutcome::Complete
            }
            (SupervisorEvent::Tick, true) => return self.draw_if_due(),
            (SupervisorEvent::Event(event), false) => self
                .context
                .print_stream_document(DriveLine::Happened { event: EventView::from_event(event) }),
            (SupervisorEvent::Note(note), false) => {
                self.context.print_stream_document(DriveLine::Note { note: note.to_owned() })
            }
            (SupervisorEvent::Tick, false) => WriteOutcome::Complete,
        };
        listener_state(written)
    }

    /// Draws, if the last frame is old enough; else asks for another moment, or the last thing that happened would not
    /// be seen before the next one.
    fn draw_if_due(&mut self) -> ListenerResponse {
        if let Some(age) = self.drawn.map(|drawn| drawn.elapsed()).filter(|age| *age < FRAME) {
            return ListenerResponse::WakeWithin(to_span(FRAME.saturating_sub(age)));
        }
        match listener_state(self.draw_frame()) {
            ListenerResponse::Accepted => {
                ListenerResponse::WakeWithin(to_span(if self.is_busy { TICK } else { TICK_IDLE }))
            }
            other => other,
        }
    }

    /// Keeps what a live view tells of.
    fn remember_event(&mut self, event: EventView) {
        if is_event_shown(&event) {
            self.lately.push_back(event);
            while self.lately.len() > LATELY {
                self.lately.pop_front();
            }
        }
    }

    fn draw_frame(&mut self) -> WriteOutcome {
        self.drawn = Some(Instant::now());
        let Some(session) = &mut self.session else { return WriteOutcome::Complete };
        // Several runs are shown by the one that is asked for, else by the first.
        let run = self.run.as_ref();
        let asks_git = self.clashes.0.is_none_or(|looked| looked.elapsed() >= CLASHES);
        let status = if asks_git {
            load_status(session, run).map(|found| found.0)
        } else {
            load_status_without_git(session, run)
        };
        let Ok(mut status) = status else { return WriteOutcome::Complete };
        if asks_git {
            self.clashes = (Some(Instant::now()), status.clashes.clone());
        } else {
            let live =
                |attempt: &String| status.active.iter().any(|one| one.task.attempt.as_ref() == Some(attempt));
            let known = self.clashes.1.iter().filter(|clash| clash.attempts.iter().all(live));
            status.clashes = known.cloned().collect();
        }
        self.is_busy = !status.active.is_empty();
        let run = Slug::from_stored(status.run.id.clone());
        let workers = ps::list_processes(session, Some(&run)).map(|found| found.workers).unwrap_or_default();
        let view = DriveView {
            status,
            workers: workers.iter().map(worker_view).collect(),
            lately: self.lately.iter().cloned().collect(),
            note: self.note.clone(),
        };
        self.context.redraw_page(view)
    }
}

fn listener_state(written: WriteOutcome) -> ListenerResponse {
    match written {
        WriteOutcome::NoReader => ListenerResponse::Closed,
        WriteOutcome::Complete | WriteOutcome::Failed => ListenerResponse::Accepted,
    }
}

fn to_span(duration: Duration) -> TimeSpan {
    TimeSpan(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX).saturating_add(1))
}

/// A worker as an answer shows it.
pub(in crate::orch) fn worker_view(shown: &WorkerProcess) -> WorkerView {
    let attempt = shown.attempt.as_ref().map(ToString::to_string);
    WorkerView::from_worker(&shown.row, attempt, shown.pid, shown.alive)
}
