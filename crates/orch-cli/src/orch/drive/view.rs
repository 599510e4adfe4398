//! What a supervisor shows while it goes on: a live view on a terminal, a line for each event elsewhere.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use orch_contract::Event;
use orch_contract::orch::drive::{DriveLine, DriveView, Worker};
use orch_core::event::Event as CoreEvent;
use orch_core::id::Slug;
use orch_engine::Session;
use orch_engine::orch::ps::{self, WorkerShown};
use orch_engine::supervisor::notify::Notifier;
use orch_engine::supervisor::{Opener, Said};

use crate::context::Context;
use crate::failure::Failure;
use crate::human::orch::live::is_told;
use crate::orch::status::look;
use crate::respond::Written;

/// How often a live view is drawn, at most.
const FRAME: Duration = Duration::from_millis(200);

/// How many of the last events a live view tells of.
const LATELY: usize = 6;

/// What becomes of a live view when its supervisor has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::orch) enum Ends {
    /// It stays, as it was at the end.
    Shown,
    /// It goes: something else says how it ended.
    Erased,
}

/// Where a supervisor is heard.
pub(super) struct Screen<'a, 'b> {
    context: &'a mut Context<'b>,
    session: Option<Session>,
    run: Option<Slug>,
    drawn: Option<Instant>,
    lately: VecDeque<Event>,
    note: Option<String>,
    notifier: Option<Notifier>,
}

impl<'a, 'b> Screen<'a, 'b> {
    pub(super) fn new(
        context: &'a mut Context<'b>,
        open: &Opener,
        run: Option<Slug>,
        notifier: Option<Notifier>,
    ) -> Result<Self, Failure> {
        let session = if context.has_terminal() { Some(open()?) } else { None };
        let lately = VecDeque::new();
        Ok(Self { context, session, run, drawn: None, lately, note: None, notifier })
    }

    /// Shows what was said; `false` when nobody looks any more.
    pub(super) fn hear(&mut self, said: Said<'_>) -> bool {
        if let Said::Event(event) = said {
            self.notify(event);
        }
        let complaints: Vec<String> = self.notifier.iter().flat_map(Notifier::complaints).collect();
        for complaint in complaints {
            if self.show(Said::Note(&complaint)) == Written::NoReader {
                return false;
            }
        }
        self.show(said) != Written::NoReader
    }

    /// Ends, with what the user's program did not take.
    pub(super) fn close(mut self, ends: Ends) {
        match ends {
            Ends::Erased if self.drawn.is_some() => {
                let _ = self.context.erase();
            }
            Ends::Shown if self.drawn.is_some() => {
                self.drawn = None;
                let _ = self.draw();
            }
            Ends::Erased | Ends::Shown => {}
        }
        let Some(mut notifier) = self.notifier.take() else { return };
        notifier.finish();
        for complaint in notifier.complaints() {
            self.context.progress(&complaint);
        }
    }

    /// Tells the user's program, where there is one.
    fn notify(&mut self, event: &CoreEvent) {
        let Some(notifier) = &self.notifier else { return };
        let event_view = Event::of(event);
        let text = ["question", "reason", "outcome"]
            .into_iter()
            .find_map(|name| event_view.data.get(name)?.as_str());
        // An event is made of texts and numbers, which always have a JSON form.
        let document = serde_json::to_string(&event_view).unwrap_or_default();
        if notifier.hear(event, text, document).is_err() {
            self.note = Some("The command of [notify] is too slow; a notice was left out.".to_owned());
        }
    }

    fn show(&mut self, said: Said<'_>) -> Written {
        match (said, self.session.is_some()) {
            (Said::Event(event), true) => {
                self.keep(Event::of(event));
                Written::Whole
            }
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
        }
    }

    /// Keeps what a live view tells of.
    fn keep(&mut self, event: Event) {
        if is_told(&event) {
            self.lately.push_back(event);
            while self.lately.len() > LATELY {
                self.lately.pop_front();
            }
        }
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
        let view = DriveView {
            status,
            workers: workers.iter().map(worker).collect(),
            lately: self.lately.iter().cloned().collect(),
            note: self.note.clone(),
        };
        self.context.redraw(view)
    }
}

/// A worker as an answer shows it.
pub(in crate::orch) fn worker(shown: &WorkerShown) -> Worker {
    let attempt = shown.attempt.as_ref().map(ToString::to_string);
    Worker::of(&shown.row, attempt, shown.pid, shown.alive)
}
