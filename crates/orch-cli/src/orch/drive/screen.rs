//! The output of a drive: a live view on a terminal, a line for each event elsewhere.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use orch_app::orch::drive::{DrivePages, DriveSignal, ListenerResponse};
use orch_contract::EventView;
use orch_contract::orch::drive::DriveLine;
use orch_core::time::TimeSpan;

use crate::context::CommandRuntime;
use crate::respond::WriteOutcome;
use orch_text::orch::live::is_event_shown;

/// The shortest time between two frames.
const FRAME: Duration = Duration::from_millis(200);

/// The longest time between two frames while work is running: a page tells ages.
const TICK: Duration = Duration::from_secs(1);

/// The longest time between two frames while no work is running.
const TICK_IDLE: Duration = Duration::from_secs(10);

/// The number of recent events on a page.
const LATELY: usize = 6;

/// The last action of a live view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::orch) enum FinalScreen {
    /// The last page stays.
    Shown,
    /// The page is erased, because other output tells the end.
    Erased,
}

/// Shows the signals of a supervisor.
pub(in crate::orch) struct LiveScreen<'a, 'b> {
    context: &'a mut CommandRuntime<'b>,
    /// The pages of a live view; without them each event is a line.
    pages: Option<DrivePages>,
    drawn: Option<Instant>,
    /// Whether work was running on the last page.
    is_busy: bool,
    lately: VecDeque<EventView>,
    note: Option<String>,
}

impl<'a, 'b> LiveScreen<'a, 'b> {
    pub(in crate::orch) fn new(context: &'a mut CommandRuntime<'b>, pages: Option<DrivePages>) -> Self {
        Self { context, pages, drawn: None, is_busy: false, lately: VecDeque::new(), note: None }
    }

    /// Shows a signal.
    pub(in crate::orch) fn handle_signal(&mut self, signal: DriveSignal<'_>) -> ListenerResponse {
        let written = match (signal, self.pages.is_some()) {
            (DriveSignal::Tick, true) => return self.draw_if_due(),
            (DriveSignal::Event(event), true) => {
                self.remember_event(event);
                WriteOutcome::Complete
            }
            (DriveSignal::Note(note), true) => {
                self.note = Some(note.to_owned());
                WriteOutcome::Complete
            }
            (DriveSignal::Event(event), false) => {
                self.context.print_stream_document(DriveLine::Happened { event })
            }
            (DriveSignal::Note(note), false) => {
                self.context.print_stream_document(DriveLine::Note { note: note.to_owned() })
            }
            (DriveSignal::Tick, false) => WriteOutcome::Complete,
        };
        listener_response(written)
    }

    /// Draws the last page, or erases it.
    pub(in crate::orch) fn close(mut self, last: FinalScreen) {
        if self.drawn.is_none() {
            return;
        }
        let _ = match last {
            FinalScreen::Erased => self.context.erase_page(),
            FinalScreen::Shown => self.draw_frame(),
        };
    }

    /// Draws a frame when the last one is old enough; else asks for another moment, so that the last event is shown
    /// before the next one comes.
    fn draw_if_due(&mut self) -> ListenerResponse {
        if let Some(age) = self.drawn.map(|drawn| drawn.elapsed()).filter(|age| *age < FRAME) {
            return ListenerResponse::WakeWithin(to_span(FRAME.saturating_sub(age)));
        }
        match listener_response(self.draw_frame()) {
            ListenerResponse::Accepted => {
                ListenerResponse::WakeWithin(to_span(if self.is_busy { TICK } else { TICK_IDLE }))
            }
            other => other,
        }
    }

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
        let Some(pages) = &mut self.pages else { return WriteOutcome::Complete };
        let lately = self.lately.iter().cloned().collect();
        let Some(page) = pages.load_page(lately, self.note.clone()) else { return WriteOutcome::Complete };
        self.is_busy = !page.status.active.is_empty();
        self.context.redraw_page(page)
    }
}

fn listener_response(written: WriteOutcome) -> ListenerResponse {
    match written {
        WriteOutcome::NoReader => ListenerResponse::Closed,
        WriteOutcome::Complete | WriteOutcome::Failed => ListenerResponse::Accepted,
    }
}

fn to_span(duration: Duration) -> TimeSpan {
    TimeSpan(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX).saturating_add(1))
}
