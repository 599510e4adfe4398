//! What a command's `run` has at hand: who asks, the store, texts, warnings.

use std::cell::RefCell;
use std::path::Path;

use orch_contract::store::{InitAnswer, Store};
use orch_contract::{Code, ErrorView};
use orch_core::id::Slug;
use orch_core::time::Time;
use orch_inbox::clock::{Clock, SystemClock};
use orch_inbox::session::{OpenOptions, StoreInfo};
use orch_inbox::{Answer, Error, Receipt, Session};
use orch_scheduler::meter;
use orch_store::Location;

use crate::arguments::{Globals, Repeatable};
use crate::environment::{self, Apart, Environment};
use crate::failure::Failure;
use crate::fingerprint::Fingerprint;
use crate::human::frame::Frame;
use crate::respond::{Mode, Printer, Reply, View, Written, printed_bytes};
use crate::text_source::TextSource;

/// Which of the two programs runs.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// Its name.
    pub program: &'static str,
    /// The variable that names the agent who runs it.
    pub agent_variable: &'static str,
    /// Who runs it when nobody says so.
    pub agent_default: Option<&'static str>,
}

/// What a command works with.
pub struct Context<'a> {
    identity: Identity,
    command: String,
    globals: Globals,
    environment: &'a dyn Environment,
    printer: Printer,
    texts: TextSource,
    session: Option<Session>,
    warnings: Vec<String>,
    frame: Frame,
    /// The run that the command line or the environment names.
    named_run: RefCell<Option<Slug>>,
}

/// The time now.
#[must_use]
pub fn now() -> Time {
    SystemClock.now()
}

impl<'a> Context<'a> {
    /// The context of one command.
    #[must_use]
    pub fn new(
        identity: Identity,
        command: String,
        globals: Globals,
        environment: &'a dyn Environment,
        printer: Printer,
    ) -> Self {
        let (texts, session, warnings) = (TextSource::default(), None, Vec::new());
        let frame = Frame::default();
        let named_run = RefCell::default();
        Self { identity, command, globals, environment, printer, texts, session, warnings, frame, named_run }
    }

    /// The context of the same command in this store and no other; in its environment nothing may name another.
    #[must_use]
    pub fn within<'b>(&self, store: &Path, environment: &'b Apart<'_>) -> Context<'b> {
        let globals = Globals { store: Some(store.display().to_string()), who: None, ..self.globals.clone() };
        Context::new(self.identity, self.command.clone(), globals, environment, self.printer)
    }

    /// The command's canonical name, like `inbox claim`.
    #[must_use]
    pub fn command(&self) -> &str {
        &self.command
    }

    /// The options that every command takes, as they were given.
    #[must_use]
    pub fn globals(&self) -> &Globals {
        &self.globals
    }

    /// The variables that stand in for options.
    #[must_use]
    pub fn environment(&self) -> &'a dyn Environment {
        self.environment
    }

    /// Reads free texts from the command line, stdin and files.
    pub fn texts(&mut self) -> &mut TextSource {
        &mut self.texts
    }

    /// Whether answers are for people.
    #[must_use]
    pub fn for_people(&self) -> bool {
        matches!(self.printer.mode(), Mode::Text(_))
    }

    /// Whether answers are for people at a terminal.
    #[must_use]
    pub fn has_terminal(&self) -> bool {
        matches!(self.printer.mode(), Mode::Text(look) if look.terminal)
    }

    /// Whether answers are for people at a terminal on which what was drawn can be drawn over.
    #[must_use]
    pub fn is_redrawable(&self) -> bool {
        matches!(self.printer.mode(), Mode::Text(look) if look.redrawable)
    }

    /// Whether JSON was asked for in so many words.
    #[must_use]
    pub fn json_wanted(&self) -> bool {
        let variable = || self.environment.raw(environment::OUTPUT).is_some_and(|value| value == "json");
        self.globals.json || (!self.globals.text && variable())
    }

    /// Adds a warning, a full sentence.
    pub fn warn(&mut self, warning: impl Into<String>) {
        self.warnings.push(warning.into());
    }

    /// The store that is there.
    ///
    /// # Errors
    /// There is none, or it cannot be opened.
    pub fn session(&mut self) -> Result<&mut Session, Failure> {
        if self.session.is_none() {
            let location = orch_store::location::find(self.named_store()?.as_deref(), &working_folder()?)?;
            let session = Session::open(&location, self.open_options())?;
            self.keep(session);
        }
        self.session.as_mut().ok_or_else(not_open)
    }

    /// The store that is there, or a new one.
    ///
    /// # Errors
    /// It can be neither opened nor made.
    pub fn session_or_new(&mut self) -> Result<(&mut Session, StoreInfo), Failure> {
        let named = self.named_store()?;
        let folder = working_folder()?;
        let location = match orch_store::location::find(named.as_deref(), &folder) {
            Err(orch_store::Fault::NotFound { .. }) => {
                orch_store::location::place(named.as_deref(), &folder)?
            }
            found => found?,
        };
        self.open_or_make(&location)
    }

    fn open_or_make(&mut self, location: &Location) -> Result<(&mut Session, StoreInfo), Failure> {
        let (session, info) = Session::open_or_create(location, self.open_options())?;
        self.keep(session);
        let session = self.session.as_mut();
        Ok((session.ok_or_else(not_open)?, info))
    }

    /// Makes the store when there is none; a repeated request is told what the first one was.
    ///
    /// # Errors
    /// It can be neither opened nor made, or the request id was used with other arguments.
    pub fn make_store(&mut self, repeatable: &Repeatable) -> Result<Reply<InitAnswer>, Failure> {
        let fingerprint = Fingerprint::of(self.command());
        let (session, info) = self.session_or_new()?;
        made(session, &info, repeatable, fingerprint)
    }

    /// The same for the store that is this place's own, even where a folder above has one.
    ///
    /// # Errors
    /// As [`Context::make_store`].
    pub fn make_own_store(&mut self, repeatable: &Repeatable) -> Result<Reply<InitAnswer>, Failure> {
        let fingerprint = Fingerprint::of(self.command());
        let location = orch_store::location::own(self.named_store()?.as_deref(), &working_folder()?)?;
        let (session, info) = self.open_or_make(&location)?;
        made(session, &info, repeatable, fingerprint)
    }

    /// Who runs this command, where that is known: `--as`, the program's variable, or its default.
    ///
    /// # Errors
    /// The variable holds no name.
    pub fn agent(&self) -> Result<Option<Slug>, Failure> {
        if let Some(who) = &self.globals.who {
            return Ok(Some(who.clone()));
        }
        let variable = self.identity.agent_variable;
        match self.environment.text(variable)? {
            Some(name) => slug_of_variable(variable, &name).map(Some),
            None => Ok(self.identity.agent_default.map(|name| Slug::stored(name.to_owned()))),
        }
    }

    /// Who runs this command, or the agent that an option names.
    ///
    /// # Errors
    /// Nobody is named.
    pub fn agent_or(&self, option: &'static str, named: Option<&Slug>) -> Result<Slug, Failure> {
        if let Some(named) = named {
            return Ok(named.clone());
        }
        self.agent()?.ok_or_else(|| {
            let variable = self.identity.agent_variable;
            let message = match option {
                "--as" => format!("Say who you are with --as NAME or {variable}."),
                _ => format!("{option} is missing, and neither --as nor {variable} says who you are."),
            };
            Failure::invalid(option, message)
        })
    }

    /// The lead who changes something: a worker, known by its thread, is not the lead unless it says so.
    ///
    /// # Errors
    /// A worker runs this without `--as`, or the variable holds no name.
    pub fn lead(&self) -> Result<Slug, Failure> {
        if self.globals.who.is_none() && self.environment.is_set(environment::THREAD) {
            let error = ErrorView::new(
                Code::NotPermitted,
                format!(
                    "{} is set, so a worker runs this; {} changes what the lead decides.",
                    environment::THREAD,
                    self.command
                ),
            );
            return Err(error.hint("inbox ask TEXT").into());
        }
        self.agent_or("--as", None)
    }

    /// The run that a variable names.
    ///
    /// # Errors
    /// It holds no name.
    pub fn run_of_environment(&self) -> Result<Option<Slug>, Failure> {
        let name = self.environment.text(environment::RUN)?;
        name.map(|name| slug_of_variable(environment::RUN, &name)).transpose()
    }

    /// Makes a change, or gives the recorded answer of the same request.
    ///
    /// # Errors
    /// The change was refused, the store failed, or the request id was used with other arguments.
    pub fn change<T, V: View>(
        &mut self,
        repeatable: &Repeatable,
        fingerprint: Fingerprint,
        view: impl Fn(&T) -> V,
        operation: impl FnOnce(&mut Session, Option<&Receipt<'_, T>>) -> Result<Answer<T>, Error>,
    ) -> Result<Reply<V>, Failure> {
        let session = self.session()?;
        answer(session, repeatable, fingerprint, view, operation)
    }

    /// The same in a store that is made when there is none.
    ///
    /// # Errors
    /// As [`Context::change`]; or the store cannot be made.
    pub fn change_in_new_store<T, V: View>(
        &mut self,
        repeatable: &Repeatable,
        fingerprint: Fingerprint,
        view: impl Fn(&T) -> V,
        operation: impl FnOnce(&mut Session, Option<&Receipt<'_, T>>) -> Result<Answer<T>, Error>,
    ) -> Result<Reply<V>, Failure> {
        let (session, _) = self.session_or_new()?;
        answer(session, repeatable, fingerprint, view, operation)
    }

    /// Prints one document of a stream.
    pub fn stream<V: View>(&mut self, data: V) -> Written {
        let warnings = std::mem::take(&mut self.warnings);
        self.printer.answer(&self.command, &Reply::new(data), &warnings)
    }

    /// Draws a page again; for programs one more document of a stream.
    pub fn redraw<V: View>(&mut self, data: V) -> Written {
        let warnings = std::mem::take(&mut self.warnings);
        self.printer.frame(&self.command, &Reply::new(data), &warnings, &mut self.frame)
    }

    /// Takes the page that was drawn last away.
    pub fn erase(&mut self) -> Written {
        self.printer.erase(&mut self.frame)
    }

    /// Prints a line of another program's.
    pub fn pass(&self, line: &[u8]) -> Written {
        self.printer.pass(line)
    }

    /// Prints lines of another program's.
    pub fn output(&self, lines: &[u8]) -> Written {
        self.printer.output(lines)
    }

    /// Whether one JSON document was asked for in so many words.
    #[must_use]
    pub fn wants_document(&self) -> bool {
        let asked = || self.environment.raw(environment::OUTPUT).is_some_and(|value| value == "json");
        self.globals.json || (!self.globals.text && asked())
    }

    /// What opens the store that is there, again and again, and where that is, as `ORCH_STORE` takes it.
    ///
    /// # Errors
    /// There is none.
    pub fn opener(&self) -> Result<(impl Fn() -> Result<Session, Error> + use<>, String), Failure> {
        let location = orch_store::location::find(self.named_store()?.as_deref(), &working_folder()?)?;
        let (text, options) = (location_text(&location), self.open_options());
        Ok((move || Session::open(&location, options), text))
    }

    /// The store that is there, for whoever closes it before the command is over: it takes memory and files.
    ///
    /// # Errors
    /// As [`Context::session`].
    pub fn take_session(&mut self) -> Result<Session, Failure> {
        self.session()?;
        self.session.take().ok_or_else(not_open)
    }

    /// Says on stderr what is going on while a command takes its time.
    pub fn progress(&self, line: &str) {
        self.printer.progress(line);
    }

    /// What is to be printed with the answer.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Remembers which run is named.
    pub fn is_about(&self, run: Option<&Slug>) {
        self.named_run.replace(run.cloned());
    }

    /// Writes down what was printed, where it is known by whom and in which run we were called.
    pub fn meter(&mut self) {
        let Ok(Some(agent)) = self.agent() else { return };
        let named = self.named_run.take().or_else(|| self.run_of_environment().ok().flatten());
        let leads = self.identity.agent_default.is_some();
        let Some(session) = &mut self.session else { return };
        let run = match named {
            // A name that nobody has must not become a file.
            Some(named) => meter::is_there(session, &named).then_some(named),
            None if leads => meter::meant(session),
            None => None,
        };
        if let Some(run) = run {
            meter::note(session.folder(), &run, &agent, &self.command, printed_bytes());
        }
    }

    /// Does what may wait until the answer is printed.
    pub fn tend(&mut self) {
        if let Some(session) = &mut self.session {
            session.tend();
        }
    }

    fn keep(&mut self, session: Session) {
        self.warnings.extend_from_slice(session.warnings());
        self.session = Some(session);
    }

    fn named_store(&self) -> Result<Option<String>, Failure> {
        match &self.globals.store {
            Some(named) if named.is_empty() => Err(Failure::invalid("--store", "--store must not be empty.")),
            Some(named) => Ok(Some(named.clone())),
            None => self.environment.text(environment::STORE),
        }
    }

    fn open_options(&self) -> OpenOptions {
        OpenOptions { allow_network_fs: self.globals.allow_network_fs }
    }
}

/// What the making of a store is answered with.
fn made(
    session: &mut Session,
    info: &StoreInfo,
    repeatable: &Repeatable,
    fingerprint: Fingerprint,
) -> Result<Reply<InitAnswer>, Failure> {
    let view = |info: &StoreInfo| InitAnswer {
        store: Store { location: location_text(&info.location), created: info.created, schema: info.schema },
    };
    answer(session, repeatable, fingerprint, view, |session, receipt| session.keep(receipt, info.clone()))
}

/// Makes a change in an open store.
fn answer<T, V: View>(
    session: &mut Session,
    repeatable: &Repeatable,
    fingerprint: Fingerprint,
    view: impl Fn(&T) -> V,
    operation: impl FnOnce(&mut Session, Option<&Receipt<'_, T>>) -> Result<Answer<T>, Error>,
) -> Result<Reply<V>, Failure> {
    let digest = fingerprint.finish();
    // A view is made of texts, numbers and lists, which always have a JSON form.
    let encode = |outcome: &T| serde_json::to_string(&view(outcome)).unwrap_or_default();
    let receipt =
        repeatable.request_id.as_deref().map(|key| Receipt { key, fingerprint: &digest, encode: &encode });
    match operation(session, receipt.as_ref())? {
        Answer::Fresh(outcome) => Ok(Reply::new(view(&outcome))),
        Answer::Replayed(recorded) => {
            let data = serde_json::from_str(&recorded).map_err(|error| {
                Failure::new(Code::Internal, format!("The recorded answer cannot be read: {error}."))
            })?;
            Ok(Reply { data, replayed: true })
        }
    }
}

/// A store's place as `--store` takes it.
fn location_text(location: &Location) -> String {
    match location {
        Location::Sqlite(path) => format!("sqlite:{}", path.display()),
        Location::Postgres(address) => address.clone(),
    }
}

fn not_open() -> Failure {
    Failure::new(Code::Internal, "The store is not open.")
}

fn working_folder() -> Result<std::path::PathBuf, Failure> {
    std::env::current_dir().map_err(|error| {
        Failure::new(Code::StoreUnavailable, format!("The working folder cannot be read: {error}."))
    })
}

fn slug_of_variable(variable: &str, name: &str) -> Result<Slug, Failure> {
    Slug::new(name).map_err(|error| {
        Failure::invalid(variable, format!("`{name}` in {variable} is not a name: {error}."))
    })
}
