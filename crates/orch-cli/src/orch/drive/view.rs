//! What a supervisor shows while it goes on: a live view on a terminal, a line for each event elsewhere.

use std::time::{Duration, Instant};

use orch_contract::Event;
use orch_contract::orch::drive::{DriveLine, DriveView, Worker};
use orch_core::id::Slug;
use orch_engine::Session;
use orch_engine::orch::ps::{self, WorkerShown};
use orch_engine::supervisor::{Opener, Said};

use crate::context::Context;
use crate::failure::Failure;
use crate::orch::status::look;
use crate::respond::Written;

/// How often a live view is drawn, at most.
const FRAME: Duration = Duration::from_millis(200);

/// Where a supervisor is heard.
pub(super) struct Screen<'a, 'b> {
    context: &'a mut Context<'b>,
    session: Option<Session>,
    run: Option<Slug>,
    drawn: Option<Instant>,
    note: Option<String>,
}

impl<'a, 'b> Screen<'a, 'b> {
    pub(super) fn new(
        context: &'a mut Context<'b>,
        open: &Opener,
        run: Option<Slug>,
    ) -> Result<Self, Failure> {
        let session = if context.has_terminal() { Some(open()?) } else { None };
        Ok(Self { context, session, run, drawn: None, note: None })
    }

    /// Shows what was said; `false` when nobody looks any more.
    pub(super) fn hear(&mut self, said: Said<'_>) -> bool {
        let written = match (said, self.session.is_some()) {
            (Said::Event(_), true) => Written::Whole,
            (Said::Note(note), true) => {
                self.note = Some(note.to_owned());
                Written::Whole
            }
            (Said::Moment, true) => self.draw(),
            (Said::Event(event), false) => {
                self.context.stream(DriveLine::Happened { event: Event::of(event) })
            }
            (Said::Note(note), false) => self.context.stream(DriveLine::Note { note: note.to_owned() }),
            (Said::Moment, false) => Written::Whole,
        };
        written != Written::NoReader
    }

    fn draw(&mut self) -> Written {
        if self.drawn.is_some_and(|drawn| drawn.elapsed() < FRAME) {
            return Written::Whole;
        }
        self.drawn = Some(Instant::now());
        let Some(session) = &mut self.session else { return Written::Whole };
        // Several runs are shown by the one that is asked for, else by the first.
        let Ok((status, _)) = look(session, self.run.as_ref()) else { return Written::Whole };
        let run = Slug::stored(status.run.id.clone());
        let workers = ps::ps(session, Some(&run)).map(|found| found.workers).unwrap_or_default();
        let view =
            DriveView { status, workers: workers.iter().map(worker).collect(), note: self.note.clone() };
        self.context.redraw(view)
    }
}

/// A worker as an answer shows it.
pub(in crate::orch) fn worker(shown: &WorkerShown) -> Worker {
    let attempt = shown.attempt.as_ref().map(ToString::to_string);
    Worker::of(&shown.row, attempt, shown.pid, shown.alive)
}
