//! What a command's `run` has at hand: who asks, the store, texts, warnings.

use std::cell::RefCell;
use std::path::Path;

use orch_contract::store::{InitResponse, StoreView};
use orch_contract::{ErrorCode, ErrorView};
use orch_core::id::Slug;
use orch_core::time::Time;
use orch_inbox::clock::{Clock, SystemClock};
use orch_inbox::session::{OpenOptions, OpenedStore};
use orch_inbox::{Error, Receipt, Response, Session};
use orch_scheduler::meter;
use orch_store::StoreLocation;

use crate::arguments::{GlobalOptions, RequestIdOption};
use crate::human::frame::TerminalFrame;
use crate::respond::{
    CommandReply, OutputMode, ReplyPrinter, ResponseBody, WriteOutcome, count_printed_bytes,
};
use crate::text_source::TextSource;
use orch_app::AppError;
use orch_app::environment::{self, IsolatedEnvironment, VariableSource};
use orch_app::fingerprint::RequestFingerprint;

/// Which of the two programs runs.
#[derive(Clone, Copy, Debug)]
pub struct ProgramIdentity {
    /// Its name.
    pub program: &'static str,
    /// The variable that names the agent who runs it.
    pub agent_variable: &'static str,
    /// Who runs it when nobody says so.
    pub agent_default: Option<&'static str>,
}

/// What a command works with.
pub struct CommandRuntime<'a> {
    identity: ProgramIdentity,
    command: String,
    globals: GlobalOptions,
    environment: &'a dyn VariableSource,
    printer: ReplyPrinter,
    texts: TextSource,
    session: Option<Session>,
    warnings: Vec<String>,
    frame: TerminalFrame,
    /// The run that the command line or the environment names.
    named_run: RefCell<Option<Slug>>,
}

/// The time now.
#[must_use]
pub fn current_time() -> Time {
    SystemClock.now()
}

impl<'a> CommandRuntime<'a> {
    /// The context of one command.
    #[must_use]
    pub fn new(
        identity: ProgramIdentity,
        command: String,
        globals: GlobalOptions,
        environment: &'a dyn VariableSource,
        printer: ReplyPrinter,
    ) -> Self {
        let (texts, session, warnings) = (TextSource::default(), None, Vec::new());
        let frame = TerminalFrame::default();
        let named_run = RefCell::default();
        Self { identity, command, globals, environment, printer, texts, session, warnings, frame, named_run }
    }

    /// The context of the same command in this store and no other; in its environment nothing may name another.
    #[must_use]
    pub fn for_store<'b>(
        &self,
        store: &Path,
        environment: &'b IsolatedEnvironment<'_>,
    ) -> CommandRuntime<'b> {
        let globals =
            GlobalOptions { store: Some(store.display().to_string()), who: None, ..self.globals.clone() };
        CommandRuntime::new(self.identity, self.command.clone(), globals, environment, self.printer)
    }

    /// The command's canonical name, like `inbox claim`.
    #[must_use]
    pub fn command(&self) -> &str {
        &self.command
    }

    /// The options that every command takes, as they were given.
    #[must_use]
    pub fn global_options(&self) -> &GlobalOptions {
        &self.globals
    }

    /// The variables that stand in for options.
    #[must_use]
    pub fn environment(&self) -> &'a dyn VariableSource {
        self.environment
    }

    /// Reads free texts from the command line, stdin and files.
    pub fn text_source(&mut self) -> &mut TextSource {
        &mut self.texts
    }

    /// Whether answers are for people.
    #[must_use]
    pub fn is_for_people(&self) -> bool {
        matches!(self.printer.mode(), OutputMode::Text(_))
    }

    /// Whether answers are for people at a terminal.
    #[must_use]
    pub fn has_terminal(&self) -> bool {
        matches!(self.printer.mode(), OutputMode::Text(look) if look.terminal)
    }

    /// Whether answers are for people at a terminal on which what was drawn can be drawn over.
    #[must_use]
    pub fn is_redrawable(&self) -> bool {
        matches!(self.printer.mode(), OutputMode::Text(look) if look.redrawable)
    }

    /// Whether JSON was asked for in so many words.
    #[must_use]
    pub fn is_json_requested(&self) -> bool {
        let variable =
            || self.environment.raw_variable(environment::OUTPUT).is_some_and(|value| value == "json");
        self.globals.json || (!self.globals.text && variable())
    }

    /// Adds a warning, a full sentence.
    pub fn add_warning(&mut self, warning: impl Into<String>) {
        self.warnings.push(warning.into());
    }

    /// The store that is there.
    ///
    /// # Errors
    /// There is none, or it cannot be opened.
    pub fn open_session(&mut self) -> Result<&mut Session, AppError> {
        if self.session.is_none() {
            let location =
                orch_store::location::find_store(self.named_store()?.as_deref(), &working_folder()?)?;
            let session = Session::open(&location, self.open_options())?;
            self.keep_session(session);
        }
        self.session.as_mut().ok_or_else(store_not_open)
    }

    /// The store that is there, or a new one.
    ///
    /// # Errors
    /// It can be neither opened nor made.
    pub fn open_or_create_session(&mut self) -> Result<(&mut Session, OpenedStore), AppError> {
        let named = self.named_store()?;
        let folder = working_folder()?;
        let location = match orch_store::location::find_store(named.as_deref(), &folder) {
            Err(orch_store::Fault::NotFound { .. }) => {
                orch_store::location::default_location(named.as_deref(), &folder)?
            }
            found => found?,
        };
        self.open_or_create(&location)
    }

    fn open_or_create(&mut self, location: &StoreLocation) -> Result<(&mut Session, OpenedStore), AppError> {
        let (session, info) = Session::open_or_create(location, self.open_options())?;
        self.keep_session(session);
        let session = self.session.as_mut();
        Ok((session.ok_or_else(store_not_open)?, info))
    }

    /// Makes the store when there is none; a repeated request is told what the first one was.
    ///
    /// # Errors
    /// It can be neither opened nor made, or the request id was used with other arguments.
    pub fn create_store(
        &mut self,
        repeatable: &RequestIdOption,
    ) -> Result<CommandReply<InitResponse>, AppError> {
        let fingerprint = RequestFingerprint::for_command(self.command());
        let (session, info) = self.open_or_create_session()?;
        init_response(session, &info, repeatable, fingerprint)
    }

    /// The same for the store that is this place's own, even where a folder above has one.
    ///
    /// # Errors
    /// As [`CommandRuntime::create_store`].
    pub fn create_own_store(
        &mut self,
        repeatable: &RequestIdOption,
    ) -> Result<CommandReply<InitResponse>, AppError> {
        let fingerprint = RequestFingerprint::for_command(self.command());
        let location =
            orch_store::location::location_for_init(self.named_store()?.as_deref(), &working_folder()?)?;
        let (session, info) = self.open_or_create(&location)?;
        init_response(session, &info, repeatable, fingerprint)
    }

    /// The agent that runs this command, where that is known: `--as`, the program's variable, or its default.
    ///
    /// # Errors
    /// The variable holds no name.
    pub fn calling_agent(&self) -> Result<Option<Slug>, AppError> {
        if let Some(who) = &self.globals.who {
            return Ok(Some(who.clone()));
        }
        let variable = self.identity.agent_variable;
        match self.environment.variable_text(variable)? {
            Some(name) => parse_slug_variable(variable, &name).map(Some),
            None => Ok(self.identity.agent_default.map(|name| Slug::from_stored(name.to_owned()))),
        }
    }

    /// Who runs this command, or the agent that an option names.
    ///
    /// # Errors
    /// Nobody is named.
    pub fn calling_agent_or(&self, option: &'static str, named: Option<&Slug>) -> Result<Slug, AppError> {
        if let Some(named) = named {
            return Ok(named.clone());
        }
        self.calling_agent()?.ok_or_else(|| {
            let variable = self.identity.agent_variable;
            let message = match option {
                "--as" => format!("Say who you are with --as NAME or {variable}."),
                _ => format!("{option} is missing, and neither --as nor {variable} says who you are."),
            };
            AppError::invalid_argument(option, message)
        })
    }

    /// The lead who changes something: a worker, known by its thread, is not the lead unless it says so.
    ///
    /// # Errors
    /// A worker runs this without `--as`, or the variable holds no name.
    pub fn calling_lead(&self) -> Result<Slug, AppError> {
        if self.globals.who.is_none() && self.environment.is_set(environment::THREAD) {
            let error = ErrorView::new(
                ErrorCode::NotPermitted,
                format!(
                    "{} is set, so a worker runs this; {} changes what the lead decides.",
                    environment::THREAD,
                    self.command
                ),
            );
            return Err(error.with_hint("inbox ask TEXT").into());
        }
        self.calling_agent_or("--as", None)
    }

    /// The run that a variable names.
    ///
    /// # Errors
    /// It holds no name.
    pub fn run_of_environment(&self) -> Result<Option<Slug>, AppError> {
        let name = self.environment.variable_text(environment::RUN)?;
        name.map(|name| parse_slug_variable(environment::RUN, &name)).transpose()
    }

    /// Makes a change, or gives the recorded answer of the same request.
    ///
    /// # Errors
    /// The change was refused, the store failed, or the request id was used with other arguments.
    pub fn run_change<T, V: ResponseBody>(
        &mut self,
        repeatable: &RequestIdOption,
        fingerprint: RequestFingerprint,
        view: impl Fn(&T) -> V,
        operation: impl FnOnce(&mut Session, Option<&Receipt<'_, T>>) -> Result<Response<T>, Error>,
    ) -> Result<CommandReply<V>, AppError> {
        let session = self.open_session()?;
        execute_change(session, repeatable, fingerprint, view, operation)
    }

    /// The same in a store that is made when there is none.
    ///
    /// # Errors
    /// As [`CommandRuntime::run_change`]; or the store cannot be made.
    pub fn run_change_creating_store<T, V: ResponseBody>(
        &mut self,
        repeatable: &RequestIdOption,
        fingerprint: RequestFingerprint,
        view: impl Fn(&T) -> V,
        operation: impl FnOnce(&mut Session, Option<&Receipt<'_, T>>) -> Result<Response<T>, Error>,
    ) -> Result<CommandReply<V>, AppError> {
        let (session, _) = self.open_or_create_session()?;
        execute_change(session, repeatable, fingerprint, view, operation)
    }

    /// Prints one document of a stream.
    pub fn print_stream_document<V: ResponseBody>(&mut self, data: V) -> WriteOutcome {
        let warnings = std::mem::take(&mut self.warnings);
        self.printer.print_reply(&self.command, &CommandReply::new(data), &warnings)
    }

    /// Draws a page again; for programs one more document of a stream.
    pub fn redraw_page<V: ResponseBody>(&mut self, data: V) -> WriteOutcome {
        let warnings = std::mem::take(&mut self.warnings);
        self.printer.print_frame(&self.command, &CommandReply::new(data), &warnings, &mut self.frame)
    }

    /// Takes the page that was drawn last away.
    pub fn erase_page(&mut self) -> WriteOutcome {
        self.printer.erase_frame(&mut self.frame)
    }

    /// Prints a line of another program's.
    pub fn print_foreign_line(&self, line: &[u8]) -> WriteOutcome {
        self.printer.print_foreign_line(line)
    }

    /// Prints lines of another program's.
    pub fn print_foreign_lines(&self, lines: &[u8]) -> WriteOutcome {
        self.printer.print_foreign_lines(lines)
    }

    /// Whether one JSON document was asked for in so many words.
    #[must_use]
    pub fn is_document_requested(&self) -> bool {
        let asked =
            || self.environment.raw_variable(environment::OUTPUT).is_some_and(|value| value == "json");
        self.globals.json || (!self.globals.text && asked())
    }

    /// What opens the store that is there, again and again, and where that is, as `ORCH_STORE` takes it.
    ///
    /// # Errors
    /// There is none.
    pub fn session_opener(&self) -> Result<(impl Fn() -> Result<Session, Error> + use<>, String), AppError> {
        let location = orch_store::location::find_store(self.named_store()?.as_deref(), &working_folder()?)?;
        let (text, options) = (location_text(&location), self.open_options());
        Ok((move || Session::open(&location, options), text))
    }

    /// The store that is there, for whoever closes it before the command is over: it takes memory and files.
    ///
    /// # Errors
    /// As [`CommandRuntime::open_session`].
    pub fn take_session(&mut self) -> Result<Session, AppError> {
        self.open_session()?;
        self.session.take().ok_or_else(store_not_open)
    }

    /// Says on stderr what is going on while a command takes its time.
    pub fn print_progress(&self, line: &str) {
        self.printer.print_progress(line);
    }

    /// What is to be printed with the answer.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Remembers which run is named.
    pub fn record_named_run(&self, run: Option<&Slug>) {
        self.named_run.replace(run.cloned());
    }

    /// Writes down what was printed, where it is known by whom and in which run we were called.
    pub fn record_meter(&mut self) {
        let Ok(Some(agent)) = self.calling_agent() else { return };
        let named = self.named_run.take().or_else(|| self.run_of_environment().ok().flatten());
        let leads = self.identity.agent_default.is_some();
        let Some(session) = &mut self.session else { return };
        let run = match named {
            // A name that nobody has must not become a file.
            Some(named) => meter::run_exists(session, &named).then_some(named),
            None if leads => meter::default_run(session),
            None => None,
        };
        if let Some(run) = run {
            meter::record_cost(session.store_folder(), &run, &agent, &self.command, count_printed_bytes());
        }
    }

    /// Does what may wait until the answer is printed.
    pub fn checkpoint_if_due(&mut self) {
        if let Some(session) = &mut self.session {
            session.checkpoint_if_due();
        }
    }

    fn keep_session(&mut self, session: Session) {
        self.warnings.extend_from_slice(session.warnings());
        self.session = Some(session);
    }

    fn named_store(&self) -> Result<Option<String>, AppError> {
        match &self.globals.store {
            Some(named) if named.is_empty() => {
                Err(AppError::invalid_argument("--store", "--store must not be empty."))
            }
            Some(named) => Ok(Some(named.clone())),
            None => self.environment.variable_text(environment::STORE),
        }
    }

    fn open_options(&self) -> OpenOptions {
        OpenOptions { allow_network_fs: self.globals.allow_network_fs }
    }
}

/// What the making of a store is answered with.
fn init_response(
    session: &mut Session,
    info: &OpenedStore,
    repeatable: &RequestIdOption,
    fingerprint: RequestFingerprint,
) -> Result<CommandReply<InitResponse>, AppError> {
    let view = |info: &OpenedStore| InitResponse {
        store: StoreView {
            location: location_text(&info.location),
            created: info.created,
            schema: info.schema,
        },
    };
    execute_change(session, repeatable, fingerprint, view, |session, receipt| {
        session.record_outcome(receipt, info.clone())
    })
}

/// Makes a change in an open store.
fn execute_change<T, V: ResponseBody>(
    session: &mut Session,
    repeatable: &RequestIdOption,
    fingerprint: RequestFingerprint,
    view: impl Fn(&T) -> V,
    operation: impl FnOnce(&mut Session, Option<&Receipt<'_, T>>) -> Result<Response<T>, Error>,
) -> Result<CommandReply<V>, AppError> {
    let digest = fingerprint.into_hex();
    // A view is made of texts, numbers and lists, which always have a JSON form.
    let encode = |outcome: &T| serde_json::to_string(&view(outcome)).unwrap_or_default();
    let receipt =
        repeatable.request_id.as_deref().map(|key| Receipt { key, fingerprint: &digest, encode: &encode });
    match operation(session, receipt.as_ref())? {
        Response::Fresh(outcome) => Ok(CommandReply::new(view(&outcome))),
        Response::Replayed(recorded) => {
            let data = serde_json::from_str(&recorded).map_err(|error| {
                AppError::new(ErrorCode::Internal, format!("The recorded answer cannot be read: {error}."))
            })?;
            Ok(CommandReply { data, replayed: true })
        }
    }
}

/// A store's place as `--store` takes it.
fn location_text(location: &StoreLocation) -> String {
    match location {
        StoreLocation::Sqlite(path) => format!("sqlite:{}", path.display()),
        StoreLocation::Postgres(address) => address.clone(),
    }
}

fn store_not_open() -> AppError {
    AppError::new(ErrorCode::Internal, "The store is not open.")
}

fn working_folder() -> Result<std::path::PathBuf, AppError> {
    std::env::current_dir().map_err(|error| {
        AppError::new(ErrorCode::StoreUnavailable, format!("The working folder cannot be read: {error}."))
    })
}

fn parse_slug_variable(variable: &str, name: &str) -> Result<Slug, AppError> {
    Slug::new(name).map_err(|error| {
        AppError::invalid_argument(variable, format!("`{name}` in {variable} is not a name: {error}."))
    })
}
