//! One call of a door: the calling agent, the run and the store to use, and the open store itself.

use std::path::{Path, PathBuf};

use orch_contract::{ErrorCode, ErrorView};
use orch_core::id::{Slug, ThreadId};
use orch_core::shell;
use orch_core::time::Time;
use orch_git::canonicalize_existing;
use orch_inbox::clock::{Clock, SystemClock};
use orch_inbox::session::{OpenOptions, OpenedStore};
use orch_inbox::{Error, Session};
use orch_process::TrustRecord;
use orch_process::ownership::FileOwner;
use orch_process::presence::use_presence_folder;
use orch_process::trust::{NEW_STORE, TrustedKind, TrustedPath};
use orch_profile::ProfileRegistry;
use orch_query::meter;
use orch_store::table::run;
use orch_store::{Fault, StoreLocation, location};

mod selection;

use crate::environment::{self, IsolatedEnvironment, VariableSource};
use crate::error::AppError;
use crate::relay::RelayClient;
use crate::request::RunOrigin;
use crate::values;

/// The folder beside a store in which processes give signs that they live.
const PRESENCE_FOLDER: &str = "processes";

/// How a door finds the agent who calls it.
#[derive(Clone, Copy, Debug)]
pub struct CallerRules {
    /// The variable that names the agent.
    pub agent_variable: &'static str,
    /// The agent when neither an option nor the variable names one.
    pub agent_default: Option<&'static str>,
}

/// The options of a call that every request shares.
#[derive(Clone, Debug, Default)]
pub struct CallOptions {
    /// The store's location, in place of the variable and the search.
    pub store: Option<String>,
    /// Opens a store on a network file system as well.
    pub allow_network_fs: bool,
    /// The agent, in place of the variable and the default.
    pub agent: Option<Slug>,
    /// The run, in place of the variable.
    pub run: Option<Slug>,
}

/// One call: it finds the agent, the run and the store, and answers requests.
pub struct App<'a> {
    command: String,
    rules: CallerRules,
    options: CallOptions,
    environment: &'a dyn VariableSource,
    session: Option<Session>,
    warnings: Vec<String>,
    /// The run that the request or the environment names, for the meter.
    named_run: Option<Slug>,
    /// What chose the run.
    run_origin: Option<RunOrigin>,
}

/// Returns the current time.
#[must_use]
pub fn current_time() -> Time {
    SystemClock.now()
}

impl<'a> App<'a> {
    /// Returns the call of this command; nothing is opened yet.
    #[must_use]
    pub fn new(
        command: String,
        rules: CallerRules,
        options: CallOptions,
        environment: &'a dyn VariableSource,
    ) -> Self {
        Self {
            command,
            rules,
            options,
            environment,
            session: None,
            warnings: Vec::new(),
            named_run: None,
            run_origin: None,
        }
    }

    /// Returns a call of the same command in another store, in an environment that names neither store nor agent.
    #[must_use]
    pub fn for_store<'b>(&self, store: &Path, environment: &'b IsolatedEnvironment<'_>) -> App<'b> {
        let options = CallOptions {
            store: Some(store.display().to_string()),
            agent: None,
            run: None,
            ..self.options.clone()
        };
        App::new(self.command.clone(), self.rules, options, environment)
    }

    /// Returns the command's canonical name, like `inbox claim`.
    #[must_use]
    pub fn command(&self) -> &str {
        &self.command
    }

    /// Returns the variables that replace options.
    #[must_use]
    pub fn environment(&self) -> &'a dyn VariableSource {
        self.environment
    }

    /// Returns how the calling agent is found.
    #[must_use]
    pub fn caller_rules(&self) -> CallerRules {
        self.rules
    }

    /// Returns the options of the call.
    #[must_use]
    pub fn call_options(&self) -> &CallOptions {
        &self.options
    }

    /// Whether the call names a run with an option.
    #[must_use]
    pub fn is_run_option_given(&self) -> bool {
        self.options.run.is_some()
    }

    /// Sets the run that the call names with an option.
    pub fn set_run_option(&mut self, run: Option<Slug>) {
        self.options.run = run;
    }

    /// Adds a warning, a full sentence.
    pub fn add_warning(&mut self, warning: impl Into<String>) {
        self.warnings.push(warning.into());
    }

    pub(crate) fn add_warnings(&mut self, warnings: Vec<String>) {
        self.warnings.extend(warnings);
    }

    /// Returns the warnings that belong to the answer.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let of_store = self.session.iter().flat_map(Session::warnings);
        of_store.chain(&self.warnings).cloned().collect()
    }

    /// Removes and returns the warnings.
    pub fn take_warnings(&mut self) -> Vec<String> {
        let mut warnings = self.session.as_mut().map(Session::take_warnings).unwrap_or_default();
        warnings.append(&mut self.warnings);
        warnings
    }

    /// Writes the size of the printed answer to the meter, where the agent and the run are known.
    pub fn record_meter(&mut self, printed_bytes: u64) {
        let Ok(Some(agent)) = self.calling_agent() else { return };
        let named = self.named_run.take().or_else(|| self.run_of_environment().ok().flatten());
        let leads = self.rules.agent_default.is_some();
        let Some(session) = &mut self.session else { return };
        if let Some(run) = meter::charged_run(session, named, leads) {
            meter::record_cost(session.store_folder(), &run, &agent, &self.command, printed_bytes);
        }
    }

    /// Closes the store; the command uses none any more.
    pub(crate) fn close_session(&mut self) {
        self.session = None;
    }

    /// Runs the store's checkpoint when one is due; a door calls it after the answer is printed.
    pub fn checkpoint_if_due(&mut self) {
        if let Some(session) = &mut self.session {
            session.checkpoint_if_due();
        }
    }
}

/// Who asks.
impl App<'_> {
    /// Returns the calling agent: the option, the variable, or the door's default.
    ///
    /// # Errors
    /// The variable holds an invalid name.
    pub fn calling_agent(&self) -> Result<Option<Slug>, AppError> {
        if let Some(agent) = &self.options.agent {
            return Ok(Some(agent.clone()));
        }
        let variable = self.rules.agent_variable;
        match self.environment.variable_text(variable)? {
            Some(name) => parse_slug_variable(variable, &name).map(Some),
            None => Ok(self.rules.agent_default.map(|name| Slug::from_stored(name.to_owned()))),
        }
    }

    /// Returns the named agent, else the calling one.
    ///
    /// # Errors
    /// No agent is known.
    pub fn calling_agent_or(&self, option: &'static str, named: Option<&Slug>) -> Result<Slug, AppError> {
        if let Some(named) = named {
            return Ok(named.clone());
        }
        self.calling_agent()?.ok_or_else(|| {
            let variable = self.rules.agent_variable;
            let message = match option {
                "--as" => format!("Say who you are with --as NAME or {variable}."),
                _ => format!("{option} is missing, and neither --as nor {variable} says who you are."),
            };
            AppError::invalid_argument(option, message)
        })
    }

    /// Returns the calling lead; a call from a worker's environment counts as the lead's only with `--as`.
    ///
    /// # Errors
    /// A worker calls without `--as`, or the variable holds an invalid name.
    pub fn calling_lead(&self) -> Result<Slug, AppError> {
        if self.options.agent.is_none() && self.environment.is_set(environment::THREAD) {
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
}

/// Returns the thread that the environment names.
///
/// # Errors
/// The variable holds no thread.
pub fn environment_thread(environment: &dyn VariableSource) -> Result<Option<ThreadId>, AppError> {
    let Some(name) = environment.variable_text(environment::THREAD)? else { return Ok(None) };
    values::parse_thread_id(&name).map(Some).map_err(|problem| {
        let variable = environment::THREAD;
        AppError::invalid_argument(variable, format!("`{name}` in {variable}: {problem}."))
    })
}

/// Returns the error of a request that names no thread.
#[must_use]
pub fn missing_thread() -> AppError {
    let message = format!("THREAD is missing, and {} is not set.", environment::THREAD);
    ErrorView::new(ErrorCode::InvalidArgument, message)
        .with_detail("argument", "THREAD")
        .with_hint("inbox list")
        .into()
}

/// The store.
impl App<'_> {
    /// Opens the store, once per call.
    ///
    /// # Errors
    /// There is no store, or it cannot be opened.
    pub(crate) fn session(&mut self) -> Result<&mut Session, AppError> {
        if self.session.is_none() {
            self.session = Some(self.open_session_at(&self.find_store()?)?);
        }
        self.session.as_mut().ok_or_else(store_not_open)
    }

    /// Opens the store that is found from here, or creates one.
    pub(crate) fn open_or_create_session(&mut self) -> Result<(&mut Session, OpenedStore), AppError> {
        let location = match self.find_store() {
            Err(error) if error.code() == ErrorCode::StoreNotFound => {
                location::default_location(self.named_store()?.as_deref(), &working_folder()?)?
            }
            found => found?,
        };
        self.create_session_at(&location)
    }

    /// Opens or creates the store of this folder's own repository, even where its work tree has one.
    pub(crate) fn open_or_create_own_session(&mut self) -> Result<(&mut Session, OpenedStore), AppError> {
        let found = location::find_store(self.named_store()?.as_deref(), &working_folder()?);
        let Err(Fault::InWorkTree { path: ignored }) = found else { return self.open_or_create_session() };
        self.add_warning(format!(
            "The store in {} is ignored: a work tree is not searched for stores.",
            ignored.display()
        ));
        self.create_session_at(&location::default_location(None, &working_folder()?)?)
    }

    /// Returns a function that opens the store again and again, and its location as `ORCH_STORE` takes it.
    pub(crate) fn session_opener(
        &self,
    ) -> Result<(impl Fn() -> Result<Session, Error> + use<>, String), AppError> {
        let location = self.find_store()?;
        self.check_trust(&location)?;
        let (text, options) = (location_text(&location), self.open_options());
        Ok((move || open_session(&location, options), text))
    }

    /// Opens the store and gives the connection away, for an operation that closes it early to free memory and files.
    pub(crate) fn take_session(&mut self) -> Result<Session, AppError> {
        self.session()?;
        let mut session = self.session.take().ok_or_else(store_not_open)?;
        self.warnings.append(&mut session.take_warnings());
        Ok(session)
    }

    /// Returns the registry of profiles: beside the store, then in the user's settings.
    pub(crate) fn profile_registry(&mut self) -> Result<ProfileRegistry, AppError> {
        let folder = self.session()?.store_folder().to_owned();
        self.profile_registry_at(&folder)
    }

    /// Returns the registry of profiles for a store in this folder.
    pub(crate) fn profile_registry_at(&self, store_folder: &Path) -> Result<ProfileRegistry, AppError> {
        Ok(ProfileRegistry::new(store_folder, self.user_folder()?.as_deref()))
    }

    /// Returns the folder of the user's settings, where there is one.
    pub(crate) fn user_folder(&self) -> Result<Option<PathBuf>, AppError> {
        let home = self.environment.variable_text("XDG_CONFIG_HOME")?.map(PathBuf::from).or_else(|| {
            let home = self.environment.variable_text("HOME").ok().flatten()?;
            Some(PathBuf::from(home).join(".config"))
        });
        Ok(home.map(|folder| folder.join("orch")))
    }

    /// Opens the store at a location besides the call's own.
    pub(crate) fn open_session_at(&self, location: &StoreLocation) -> Result<Session, AppError> {
        let open = || Ok(open_session(location, self.open_options())?);
        self.open_trusted(location, open, |session| session)
    }

    /// Opens or creates the store at a location.
    pub(crate) fn create_session_at(
        &mut self,
        location: &StoreLocation,
    ) -> Result<(&mut Session, OpenedStore), AppError> {
        let create = || Ok(Session::open_or_create(location, self.open_options())?);
        let (session, opened) = self.open_trusted(location, create, |(session, _)| session)?;
        self.session = Some(session);
        Ok((self.session.as_mut().ok_or_else(store_not_open)?, opened))
    }

    /// Returns the relay of the worker that calls, unless the call names a store.
    pub(crate) fn relay(&self) -> Result<Option<RelayClient>, AppError> {
        if self.named_store()?.is_some() {
            return Ok(None);
        }
        Ok(self
            .environment
            .raw_variable(environment::RELAY)
            .filter(|folder| !folder.is_empty())
            .map(|folder| RelayClient::new(folder.into())))
    }

    /// Returns the exceptions of the user.
    pub(crate) fn trust_record(&self) -> Result<TrustRecord, AppError> {
        Ok(TrustRecord::new(self.user_folder()?.as_deref()))
    }

    /// Refuses a file that a person names if it is in a worktree of an attempt, where a worker may have written it.
    pub(crate) fn require_outside_attempts(&mut self, path: &Path) -> Result<(), AppError> {
        let real = canonicalize_existing(&working_folder()?.join(path));
        let runs = self.session()?.query(|tx| Ok(run::list_with_git(tx)?))?;
        let roots = runs.iter().filter_map(|run| run.ground.as_ref()).map(|ground| Path::new(&ground.root));
        if roots.into_iter().any(|root| real.starts_with(canonicalize_existing(root))) {
            let problem = "it is in a worktree of an attempt, where a worker may have written it".to_owned();
            let error = AppError::from(Fault::Untrusted { path: real.clone(), problem });
            return Err(error.with_hint(format!("cp {} .", shell::quote_word(&real.display().to_string()))));
        }
        Ok(())
    }

    /// Refuses a store that another user could have written or can write.
    ///
    /// Returns the id that a store must have whose trust is recorded.
    fn check_trust(&self, location: &StoreLocation) -> Result<Option<String>, AppError> {
        let StoreLocation::Sqlite(path) = location else { return Ok(None) };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let owner = FileOwner::current().or_owner_of(folder);
        let log = |suffix: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            PathBuf::from(name)
        };
        let files = [folder.to_owned(), path.clone(), log("-wal"), log("-shm")];
        let Err(problem) = files.iter().try_for_each(|file| owner.check(file)) else { return Ok(None) };
        let real = canonicalize_existing(path);
        match self.trust_record()?.find(TrustedKind::Store, &real) {
            Some(id) => Ok(Some(id)),
            None => Err(Fault::Untrusted { path: path.clone(), problem: problem.to_string() }.into()),
        }
    }

    /// Opens a store with [`App::check_trust`]; a store with a recorded trust must have the recorded id.
    fn open_trusted<T>(
        &self,
        location: &StoreLocation,
        open: impl FnOnce() -> Result<T, AppError>,
        session: impl FnOnce(&T) -> &Session,
    ) -> Result<T, AppError> {
        let Some(recorded) = self.check_trust(location)? else { return open() };
        let opened = open()?;
        let described = session(&opened).describe_store(false);
        if recorded == NEW_STORE {
            let (kind, mark) = (TrustedKind::Store, described.identity.id);
            let entry = TrustedPath { kind, path: described.path, mark };
            self.trust_record()?.add(entry).map_err(|error| settings_error(&error))?;
        } else if recorded != described.identity.id {
            let problem = "it has another id than the store that was trusted here".to_owned();
            return Err(Fault::Untrusted { path: described.path, problem }.into());
        }
        Ok(opened)
    }

    fn find_store(&self) -> Result<StoreLocation, AppError> {
        if self.relay()?.is_some() {
            return Err(AppError::not_permitted(&format!(
                "{} is not for workers: this one reaches the store through its wrapper, which performs show, progress, ask, wait, ack, renew, done, fail, release and suggest of its own thread, inbox request show, and orch task show and orch diff of its task and of those that it depends on.",
                self.command
            )));
        }
        let named = self.named_store()?;
        let folder = match &named {
            // The folder of a worker may be deleted; an absolute location does not need it.
            Some(named) if location::is_absolute(named) => PathBuf::from("/"),
            Some(_) | None => working_folder()?,
        };
        Ok(location::find_store(named.as_deref(), &folder)?)
    }

    /// Adds a warning if a transaction did not believe the wall clock.
    pub(crate) fn add_clock_warning(&mut self) {
        if let Some(warning) = self.session.as_ref().and_then(Session::clock_warning)
            && !self.warnings.contains(&warning)
        {
            self.warnings.push(warning);
        }
    }

    fn named_store(&self) -> Result<Option<String>, AppError> {
        match &self.options.store {
            Some(named) if named.is_empty() => {
                Err(AppError::invalid_argument("--store", "--store must not be empty."))
            }
            Some(named) => Ok(Some(named.clone())),
            None => self.environment.variable_text(environment::STORE),
        }
    }

    pub(crate) fn allows_network_fs(&self) -> bool {
        self.options.allow_network_fs
    }

    pub(crate) fn open_options(&self) -> OpenOptions {
        OpenOptions { allow_network_fs: self.options.allow_network_fs }
    }
}

/// Returns a store's location as `--store` takes it.
pub(crate) fn location_text(location: &StoreLocation) -> String {
    match location {
        StoreLocation::Sqlite(path) => format!("sqlite:{}", path.display()),
        StoreLocation::Postgres(address) => address.clone(),
    }
}

/// Returns the error of settings that cannot be written.
pub(crate) fn settings_error(error: &std::io::Error) -> AppError {
    AppError::new(ErrorCode::NotPermitted, format!("Your settings cannot be written: {error}."))
}

/// Opens a store. Processes of other containers that use it see this one by the signs beside it.
fn open_session(location: &StoreLocation, options: OpenOptions) -> Result<Session, Error> {
    let session = Session::open(location, options)?;
    use_presence_folder(&session.store_folder().join(PRESENCE_FOLDER));
    Ok(session)
}

/// Returns the working folder.
pub(crate) fn working_folder() -> Result<PathBuf, AppError> {
    std::env::current_dir().map_err(|error| {
        AppError::new(ErrorCode::StoreUnavailable, format!("The working folder cannot be read: {error}."))
    })
}

fn store_not_open() -> AppError {
    AppError::new(ErrorCode::Internal, "The store is not open.")
}

fn parse_slug_variable(variable: &str, name: &str) -> Result<Slug, AppError> {
    Slug::new(name).map_err(|error| {
        AppError::invalid_argument(variable, format!("`{name}` in {variable} is not a name: {error}."))
    })
}
