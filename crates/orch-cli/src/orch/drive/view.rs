//! What a supervisor shows while it goes on: a live view on a terminal, a line for each event elsewhere.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use orch_contract::Event;
use orch_contract::orch::drive::{DriveLine, DriveView, Worker};
use orch_contract::orch::status::Clash;
use orch_core::event::Event as CoreEvent;
use orch_core::id::Slug;
use orch_core::time::Span;
use orch_inbox::Session;
use orch_scheduler::ps::{self, WorkerShown};
use orch_supervisor::supervisor::notify::Notifier;
use orch_supervisor::supervisor::{Heard, Opener, Said};

use crate::context::Context;
use crate::failure::Failure;
use crate::human::orch::live::is_told;
use crate::orch::status::{glance, look};
use crate::respond::Written;

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
    /// Whether something was under way when it was drawn.
    is_busy: bool,
    lately: VecDeque<Event>,
    /// When git was asked last for clashes, and what it said.
    clashes: (Option<Instant>, Vec<Clash>),
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
        let session = if context.is_redrawable() { Some(open()?) } else { None };
        let lately = VecDeque::new();
        let clashes = (None, Vec::new());
        Ok(Self { context, session, run, drawn: None, is_busy: false, lately, clashes, note: None, notifier })
    }

    /// Shows what was said.
    pub(super) fn hear(&mut self, said: Said<'_>) -> Heard {
        if let Said::Event(event) = said {
            self.notify(event);
        }
        let complaints: Vec<String> = self.notifier.iter().flat_map(Notifier::complaints).collect();
        for complaint in complaints {
            if self.show(Said::Note(&complaint)) == Heard::Nobody {
                return Heard::Nobody;
            }
        }
        self.show(said)
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

    fn show(&mut self, said: Said<'_>) -> Heard {
        let written = match (said, self.session.is_some()) {
            (Said::Event(event), true) => {
                self.keep(Event::of(event));
                Written::Whole
            }
            (Said::Note(note), true) => {
                self.note = Some(note.to_owned());
                Written::Whole
            }
            (Said::Moment, true) => return self.draw_in_time(),
            (Said::Event(event), false) => {
                self.context.stream(DriveLine::Happened { event: Event::of(event) })
            }
            (Said::Note(note), false) => self.context.stream(DriveLine::Note { note: note.to_owned() }),
            (Said::Moment, false) => Written::Whole,
        };
        heard(written)
    }

    /// Draws, if the last frame is old enough; else asks for another moment, or the last thing that happened would not
    /// be seen before the next one.
    fn draw_in_time(&mut self) -> Heard {
        if let Some(age) = self.drawn.map(|drawn| drawn.elapsed()).filter(|age| *age < FRAME) {
            return Heard::Within(span(FRAME.saturating_sub(age)));
        }
        match heard(self.draw()) {
            Heard::Taken => Heard::Within(span(if self.is_busy { TICK } else { TICK_IDLE })),
            other => other,
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
        self.drawn = Some(Instant::now());
        let Some(session) = &mut self.session else { return Written::Whole };
        // Several runs are shown by the one that is asked for, else by the first.
        let run = self.run.as_ref();
        let asks_git = self.clashes.0.is_none_or(|looked| looked.elapsed() >= CLASHES);
        let status = if asks_git { look(session, run).map(|found| found.0) } else { glance(session, run) };
        let Ok(mut status) = status else { return Written::Whole };
        if asks_git {
            self.clashes = (Some(Instant::now()), status.clashes.clone());
        } else {
            let live =
                |attempt: &String| status.active.iter().any(|one| one.task.attempt.as_ref() == Some(attempt));
            let known = self.clashes.1.iter().filter(|clash| clash.attempts.iter().all(live));
            status.clashes = known.cloned().collect();
        }
        self.is_busy = !status.active.is_empty();
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

fn heard(written: Written) -> Heard {
    match written {
        Written::NoReader => Heard::Nobody,
        Written::Whole | Written::Failed => Heard::Taken,
    }
}

fn span(duration: Duration) -> Span {
    Span(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX).saturating_add(1))
}

/// A worker as an answer shows it.
pub(in crate::orch) fn worker(shown: &WorkerShown) -> Worker {
    let attempt = shown.attempt.as_ref().map(ToString::to_string);
    Worker::of(&shown.row, attempt, shown.pid, shown.alive)
}
