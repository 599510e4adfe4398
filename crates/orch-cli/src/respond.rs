//! The only writer of stdout: one document, by one write, after the commit.

use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use orch_contract::envelope::{FailureEnvelope as FailureDocument, SuccessEnvelope};
use orch_contract::store::DocumentResponse;
use orch_contract::{ErrorCode, ErrorView};
use serde::Serialize;
use serde::de::DeserializeOwned;

use orch_app::environment::{OUTPUT, VariableSource};
use orch_app::escape::escape_controls;
use orch_app::{AppError, Reply, current_time};
use orch_core::escape::is_harmful;
use orch_text::frame::{TerminalFrame, TerminalSize};
use orch_text::{HumanReadable, TextPage, TextPainter, TextTone};

/// The `data` of an answer, which can be rendered for people.
pub trait ResponseBody: Serialize + DeserializeOwned + HumanReadable {}

impl<T: Serialize + DeserializeOwned + HumanReadable> ResponseBody for T {}

/// The outcome of a command that did not fail.
pub enum CommandOutcome {
    /// An answer.
    Reply(Box<dyn PrintableReply>),
    /// A document that is printed as it is, unless JSON is requested.
    Document(String),
    /// Bytes that are printed as they are; a terminal, and a caller that requests JSON, get the answer instead.
    Raw(Vec<u8>, Box<dyn PrintableReply>),
    /// A stream of documents that are printed already.
    Streamed,
    /// A stream that is printed already, with this exit status.
    StreamedWithStatus(u8),
    /// An answer with this exit status.
    ReplyWithStatus(Box<dyn PrintableReply>, u8),
}

impl<V: ResponseBody + 'static> From<Reply<V>> for CommandOutcome {
    fn from(reply: Reply<V>) -> Self {
        Self::Reply(Box::new(reply))
    }
}

/// An answer of any type.
pub trait PrintableReply {
    /// Returns the document for programs.
    ///
    /// # Errors
    /// The answer cannot be written as JSON, which is a defect.
    fn to_document(&self, command: &str, warnings: &[String]) -> serde_json::Result<String>;

    /// Renders the text for people.
    fn render_text(&self, paper: &mut TextPage);
}

impl<V: ResponseBody> PrintableReply for Reply<V> {
    fn to_document(&self, command: &str, warnings: &[String]) -> serde_json::Result<String> {
        let mut document = SuccessEnvelope::new(command, &self.data);
        document.replayed = self.replayed;
        document.run_from = self.run_from.map(|origin| origin.name().to_owned());
        document.warnings = warnings.to_vec();
        serde_json::to_string(&document)
    }

    fn render_text(&self, paper: &mut TextPage) {
        self.data.render_human(paper);
        if self.replayed {
            paper.write_note("This is the answer to the same request of before; nothing was changed now.");
        }
    }
}

/// The format of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputMode {
    /// JSON for programs.
    Json,
    /// Text for people.
    Text(TerminalCapabilities),
}

/// The capabilities of stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalCapabilities {
    /// Whether stdout is a terminal.
    pub terminal: bool,
    /// Whether a drawn page can be redrawn.
    pub redrawable: bool,
    /// Whether text is coloured.
    pub colour: bool,
    /// The number of columns.
    pub width: usize,
}

/// The format that the command line asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestedFormat {
    /// `--json` was given.
    pub json: bool,
    /// `--text` was given.
    pub text: bool,
}

impl RequestedFormat {
    /// Whether JSON was asked for explicitly, by an option or the variable.
    #[must_use]
    pub fn is_json_requested(self, environment: &dyn VariableSource) -> bool {
        self.json || (!self.text && environment.raw_variable(OUTPUT).is_some_and(|value| value == "json"))
    }
}

impl OutputMode {
    /// Returns the mode that the options, the environment and stdout ask for.
    ///
    /// # Errors
    /// Both outputs are asked for, or the variable holds neither of them.
    pub fn choose_mode(wish: RequestedFormat, environment: &dyn VariableSource) -> Result<Self, AppError> {
        if wish.json && wish.text {
            return Err(AppError::invalid_argument("--json", "--json and --text exclude each other."));
        }
        let variable = match environment.variable_text(OUTPUT)?.as_deref() {
            Some("json") => RequestedFormat { json: true, text: false },
            Some("text") => RequestedFormat { json: false, text: true },
            None => RequestedFormat::default(),
            Some(_) => {
                return Err(AppError::invalid_argument(OUTPUT, format!("{OUTPUT} must be json or text.")));
            }
        };
        let wish = if wish.json || wish.text { wish } else { variable };
        let terminal = std::io::stdout().is_terminal();
        let text = wish.text || (terminal && !wish.json);
        Ok(if text {
            Self::Text(TerminalCapabilities::for_stdout(terminal, environment))
        } else {
            Self::Json
        })
    }

    /// Returns the mode, or JSON where the options or the variable are invalid.
    #[must_use]
    pub fn guess_mode(wish: RequestedFormat, environment: &dyn VariableSource) -> Self {
        Self::choose_mode(wish, environment).unwrap_or(Self::Json)
    }
}

impl TerminalCapabilities {
    /// No terminal: no colours, 80 columns.
    pub const PLAIN: Self = Self { terminal: false, redrawable: false, colour: false, width: 80 };

    fn for_stdout(terminal: bool, environment: &dyn VariableSource) -> Self {
        if !terminal {
            return Self::PLAIN;
        }
        let (redrawable, colour) = (!is_dumb_terminal(environment), allows_colour(environment));
        Self { terminal, redrawable, colour, width: current_terminal_size().columns }
    }
}

/// Returns the present size of the terminal.
fn current_terminal_size() -> TerminalSize {
    let (columns, rows) =
        terminal_size::terminal_size().map_or((80, 24), |(width, height)| (width.0, height.0));
    TerminalSize { columns: usize::from(columns), rows: usize::from(rows) }
}

/// Whether text on a terminal may be coloured.
fn allows_colour(environment: &dyn VariableSource) -> bool {
    !environment.is_set("NO_COLOR") && !is_dumb_terminal(environment)
}

/// Whether the terminal has no escape sequences.
fn is_dumb_terminal(environment: &dyn VariableSource) -> bool {
    environment.raw_variable("TERM").is_some_and(|term| term == "dumb")
}

/// The outcome of a write to stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum WriteOutcome {
    /// Everything was written.
    Complete,
    /// Stdout is a closed pipe.
    NoReader,
    /// The write failed; stderr has the error.
    Failed,
}

/// Writes the answers of one command.
#[derive(Clone, Copy, Debug)]
pub struct ReplyPrinter {
    mode: OutputMode,
    error_paint: TextPainter,
    quiet: bool,
}

impl ReplyPrinter {
    /// Returns a printer for this mode.
    #[must_use]
    pub fn new(mode: OutputMode, environment: &dyn VariableSource) -> Self {
        let colour = std::io::stderr().is_terminal() && allows_colour(environment);
        Self { mode, error_paint: TextPainter { colour }, quiet: false }
    }

    /// Returns the printer, which prints neither progress nor warnings on stderr when `quiet`.
    #[must_use]
    pub fn with_quiet(self, quiet: bool) -> Self {
        Self { quiet, ..self }
    }

    /// Returns the format of answers.
    #[must_use]
    pub fn mode(&self) -> OutputMode {
        self.mode
    }

    /// Writes an answer.
    pub fn print_reply(
        &self,
        command: &str,
        answer: &dyn PrintableReply,
        warnings: &[String],
    ) -> WriteOutcome {
        match self.mode {
            OutputMode::Json => match answer.to_document(command, warnings) {
                Ok(document) => write_stdout(&escape_document(document)),
                Err(error) => {
                    let message = format!("The answer cannot be written as JSON: {error}.");
                    let _ = self.print_failure(command, &ErrorView::new(ErrorCode::Internal, message));
                    WriteOutcome::Failed
                }
            },
            OutputMode::Text(look) => {
                self.print_warnings(warnings);
                write_stdout(&render_reply(answer, look))
            }
        }
    }

    /// Redraws the page; in JSON writes one more document.
    pub fn print_frame(
        &self,
        command: &str,
        answer: &dyn PrintableReply,
        warnings: &[String],
        frame: &mut TerminalFrame,
    ) -> WriteOutcome {
        match self.mode {
            OutputMode::Text(look) if look.redrawable => {
                if !warnings.is_empty() {
                    frame.keep_page();
                    self.print_warnings(warnings);
                }
                let size = current_terminal_size();
                let page = render_reply(answer, TerminalCapabilities { width: size.columns, ..look });
                write_stdout(&frame.draw_page(&page, size))
            }
            OutputMode::Json | OutputMode::Text(_) => self.print_reply(command, answer, warnings),
        }
    }

    /// Erases the last page.
    pub fn erase_frame(&self, frame: &mut TerminalFrame) -> WriteOutcome {
        write_stdout(&frame.erase_page(current_terminal_size()))
    }

    /// Writes a document as it is, unless JSON is requested explicitly.
    pub fn print_document(&self, command: &str, text: &str, json_wanted: bool) -> WriteOutcome {
        if !json_wanted {
            return write_stdout(text);
        }
        let answer = SuccessEnvelope::new(command, DocumentResponse { document: text.to_owned() });
        match serde_json::to_string(&answer) {
            Ok(document) => write_stdout(&escape_document(document)),
            Err(_) => WriteOutcome::Failed,
        }
    }

    /// Writes bytes as they are, unless JSON is requested explicitly or stdout is a terminal.
    pub fn print_raw(
        &self,
        command: &str,
        bytes: &[u8],
        answer: &dyn PrintableReply,
        warnings: &[String],
        json_wanted: bool,
    ) -> WriteOutcome {
        match self.mode {
            OutputMode::Json if json_wanted => self.print_reply(command, answer, warnings),
            OutputMode::Text(look) if look.terminal => self.print_reply(command, answer, warnings),
            OutputMode::Json | OutputMode::Text(_) => {
                self.print_warnings(warnings);
                write_stdout_bytes(bytes)
            }
        }
    }

    /// Writes an error: to stdout for programs, to stderr for people.
    pub fn print_failure(&self, command: &str, error: &ErrorView) -> WriteOutcome {
        match self.mode {
            OutputMode::Json => {
                let document = FailureDocument::new(command, error.clone());
                match serde_json::to_string(&document) {
                    Ok(document) => write_stdout(&escape_document(document)),
                    Err(_) => WriteOutcome::Failed,
                }
            }
            OutputMode::Text(_) => {
                let mut text = self.label_line(TextTone::Bad, "error", &error.message);
                if let Some(hint) = &error.hint {
                    text.push_str(&self.label_line(TextTone::Strong, "hint", hint));
                }
                write_stderr(&text);
                WriteOutcome::Complete
            }
        }
    }

    /// Writes a line of another program; on a terminal control characters are escaped.
    pub fn print_foreign_line(&self, line: &[u8]) -> WriteOutcome {
        match self.mode {
            OutputMode::Text(look) if look.terminal => write_stdout_bytes(
                format!("{}\n", escape_controls(&String::from_utf8_lossy(line))).as_bytes(),
            ),
            OutputMode::Text(_) | OutputMode::Json => write_stdout_bytes(&[line, b"\n"].concat()),
        }
    }

    /// Writes lines of another program; on a terminal control characters are escaped.
    pub fn print_foreign_lines(&self, lines: &[u8]) -> WriteOutcome {
        match self.mode {
            OutputMode::Text(look) if look.terminal => {
                let text = String::from_utf8_lossy(lines);
                write_stdout(
                    &text.lines().map(|line| format!("{}\n", escape_controls(line))).collect::<String>(),
                )
            }
            OutputMode::Text(_) | OutputMode::Json => {
                add_printed_bytes(lines.len());
                write_stdout_bytes(lines)
            }
        }
    }

    /// Writes a line about progress to stderr.
    pub fn print_progress(&self, line: &str) {
        if !self.quiet {
            write_stderr(&format!("{}\n", escape_controls(line)));
        }
    }

    /// Writes warnings to stderr.
    pub fn print_warnings(&self, warnings: &[String]) {
        let shown = if self.quiet { &[] } else { warnings };
        let lines = shown.iter().map(|warning| self.label_line(TextTone::Attention, "warning", warning));
        write_stderr(&lines.collect::<String>());
    }

    fn label_line(&self, tone: TextTone, label: &str, text: &str) -> String {
        format!("{} {}\n", self.error_paint.paint_text(tone, &format!("{label}:")), escape_controls(text))
    }
}

/// Returns the size of an answer's document in bytes.
pub fn document_size<V: ResponseBody>(command: &str, data: &V, warnings: &[String]) -> usize {
    let mut document = SuccessEnvelope::new(command, data);
    document.warnings = warnings.to_vec();
    serde_json::to_string(&document)
        .map_or(usize::MAX, |document| escape_document(document).len() + RUN_FROM_BYTES)
}

/// The length of `"run_from":"environment",`, which a measured answer may still get.
const RUN_FROM_BYTES: usize = 25;

/// Returns the text of an answer, without colours.
pub fn plain_text<V: HumanReadable>(data: &V) -> String {
    let plain = TerminalCapabilities::PLAIN;
    let mut paper = TextPage::new(TextPainter { colour: plain.colour }, plain.width, current_time());
    data.render_human(&mut paper);
    paper.into_text()
}

fn render_reply(answer: &dyn PrintableReply, look: TerminalCapabilities) -> String {
    let mut paper = TextPage::new(TextPainter { colour: look.colour }, look.width, current_time());
    answer.render_text(&mut paper);
    paper.into_text()
}

/// Returns a JSON document as a line, with escapes for every character that a terminal might obey.
///
/// The serialiser escapes the C0 controls; the others can only stand inside strings.
fn escape_document(mut document: String) -> String {
    if document.contains(is_harmful) {
        let mut escaped = String::with_capacity(document.len() + 16);
        for character in document.chars() {
            if is_harmful(character) {
                // JSON names a character beyond the basic plane by two units.
                for unit in character.encode_utf16(&mut [0; 2]) {
                    escaped.push_str(&format!("\\u{unit:04x}"));
                }
            } else {
                escaped.push(character);
            }
        }
        document = escaped;
    }
    document.push('\n');
    document
}

/// The bytes that this process has printed, for `orch meter`.
static PRINTED: AtomicU64 = AtomicU64::new(0);

/// Returns how many bytes were printed on both outputs, without the output of other programs.
#[must_use]
pub fn count_printed_bytes() -> u64 {
    PRINTED.load(Ordering::Relaxed)
}

fn add_printed_bytes(bytes: usize) {
    PRINTED.fetch_add(bytes as u64, Ordering::Relaxed);
}

/// Writes to stdout and flushes it.
fn write_stdout(text: &str) -> WriteOutcome {
    add_printed_bytes(text.len());
    write_stdout_bytes(text.as_bytes())
}

fn write_stdout_bytes(bytes: &[u8]) -> WriteOutcome {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Ok(()) => WriteOutcome::Complete,
        Err(error) if error.kind() == ErrorKind::BrokenPipe => WriteOutcome::NoReader,
        Err(error) => {
            write_stderr(&format!("error: The answer could not be written: {error}.\n"));
            WriteOutcome::Failed
        }
    }
}

/// Writes to stderr; an error of that write cannot be reported.
fn write_stderr(text: &str) {
    if !text.is_empty() {
        add_printed_bytes(text.len());
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::escape_document;

    #[test]
    fn a_document_has_no_character_that_a_terminal_obeys() {
        let texts = ["plain é 日本", "\u{9b}31m\u{7f}", "\u{202e}x\u{2066}", "x\u{e0041}", "a\u{1b}[2J\n\0"];
        let line = escape_document(serde_json::to_string(&texts).unwrap());
        assert!(!line.trim_end_matches('\n').contains(super::is_harmful), "{line}");
        assert!(line.contains("plain é 日本"), "{line}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&line).unwrap(), texts);
    }
}
