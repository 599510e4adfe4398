//! The runtime of one command: the application behind it, and its own texts and output.

use std::path::Path;

use orch_app::environment::{IsolatedEnvironment, VariableSource};
use orch_app::{App, AppError, CallOptions, CallerRules, Request};

use crate::arguments::{GlobalOptions, RequestIdOption};
use crate::respond::{CommandOutcome, OutputMode, ReplyPrinter, ResponseBody, WriteOutcome};
use crate::text_source::TextSource;
use orch_text::frame::TerminalFrame;

/// Which of the two programs runs.
#[derive(Clone, Copy, Debug)]
pub struct ProgramIdentity {
    /// The program's name.
    pub program: &'static str,
    /// How the calling agent is found.
    pub caller: CallerRules,
}

/// What a command works with.
pub struct CommandRuntime<'a> {
    app: App<'a>,
    globals: GlobalOptions,
    printer: ReplyPrinter,
    texts: TextSource,
    frame: TerminalFrame,
}

impl<'a> CommandRuntime<'a> {
    /// Returns the runtime of one command.
    #[must_use]
    pub fn new(
        identity: ProgramIdentity,
        command: String,
        globals: GlobalOptions,
        environment: &'a dyn VariableSource,
        printer: ReplyPrinter,
    ) -> Self {
        let options = CallOptions {
            store: globals.store.clone(),
            allow_network_fs: globals.allow_network_fs,
            agent: globals.who.clone(),
            run: None,
        };
        let app = App::new(command, identity.caller, options, environment);
        Self { app, globals, printer, texts: TextSource::default(), frame: TerminalFrame::default() }
    }

    /// Returns the runtime of the same command in another store.
    #[must_use]
    pub fn for_store<'b>(
        &self,
        store: &Path,
        environment: &'b IsolatedEnvironment<'_>,
    ) -> CommandRuntime<'b> {
        CommandRuntime {
            app: self.app.for_store(store, environment),
            globals: self.globals.clone(),
            printer: self.printer,
            texts: TextSource::default(),
            frame: TerminalFrame::default(),
        }
    }

    /// Returns the application.
    pub fn app(&mut self) -> &mut App<'a> {
        &mut self.app
    }

    /// Answers a request.
    pub fn answer<R>(&mut self, request: &R, repeatable: &RequestIdOption) -> Result<CommandOutcome, AppError>
    where
        R: Request,
        R::View: ResponseBody + 'static,
    {
        Ok(self.app.answer(request, repeatable.request_id.as_deref())?.into())
    }

    /// Answers a request that changes nothing.
    pub fn show<R>(&mut self, request: &R) -> Result<CommandOutcome, AppError>
    where
        R: Request,
        R::View: ResponseBody + 'static,
    {
        Ok(self.app.answer(request, None)?.into())
    }

    /// Returns the global options as they were given.
    #[must_use]
    pub fn global_options(&self) -> &GlobalOptions {
        &self.globals
    }

    /// Returns the reader of texts from the command line, stdin and files.
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
        matches!(self.printer.mode(), OutputMode::Text(terminal) if terminal.terminal)
    }

    /// Whether answers are for people at a terminal that can be redrawn.
    #[must_use]
    pub fn is_redrawable(&self) -> bool {
        matches!(self.printer.mode(), OutputMode::Text(terminal) if terminal.redrawable)
    }

    /// Whether JSON was asked for explicitly, by an option or the variable.
    #[must_use]
    pub fn is_json_requested(&self) -> bool {
        self.globals.requested_format().is_json_requested(self.app.environment())
    }

    /// Adds a warning, a full sentence.
    pub fn add_warning(&mut self, warning: impl Into<String>) {
        self.app.add_warning(warning);
    }

    /// Returns the printer.
    #[must_use]
    pub fn printer(&self) -> ReplyPrinter {
        self.printer
    }

    /// Prints one document of a stream.
    pub fn print_stream_document<V: ResponseBody>(&mut self, data: V) -> WriteOutcome {
        let warnings = self.app.take_warnings();
        self.printer.print_reply(self.app.command(), &orch_app::Reply::new(data), &warnings)
    }

    /// Redraws a page; for programs one more document of a stream.
    pub fn redraw_page<V: ResponseBody>(&mut self, data: V) -> WriteOutcome {
        let warnings = self.app.take_warnings();
        let reply = orch_app::Reply::new(data);
        self.printer.print_frame(self.app.command(), &reply, &warnings, &mut self.frame)
    }

    /// Erases the last page.
    pub fn erase_page(&mut self) -> WriteOutcome {
        self.printer.erase_frame(&mut self.frame)
    }

    /// Prints a line about progress on stderr.
    pub fn print_progress(&self, line: &str) {
        self.printer.print_progress(line);
    }
}
