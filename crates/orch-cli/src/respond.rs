//! The only writer of stdout: one document, by one write, after the commit.

use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use orch_contract::envelope::{FailureEnvelope as FailureDocument, SuccessEnvelope};
use orch_contract::store::DocumentResponse;
use orch_contract::{ErrorCode, ErrorView};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::human::frame::{TerminalFrame, TerminalSize};
use crate::human::{HumanReadable, TextPage, TextPainter, TextTone};
use orch_app::environment::{OUTPUT, VariableSource};
use orch_app::escape::{escape_controls, is_unsafe_character};
use orch_app::{AppError, Reply, current_time};

/// What stands in `data`: written, read back when a request is repeated, and rendered for people.
pub trait ResponseBody: Serialize + DeserializeOwned + HumanReadable {}

impl<T: Serialize + DeserializeOwned + HumanReadable> ResponseBody for T {}

/// How a command that did not fail ends.
pub enum CommandOutcome {
    /// With an answer.
    Reply(Box<dyn PrintableReply>),
    /// With a document that is no answer and is printed as it is, unless JSON is asked for.
    Document(String),
    /// With bytes that are no answer, printed as they are; on a terminal, and where JSON is asked for, with an answer.
    Raw(Vec<u8>, Box<dyn PrintableReply>),
    /// Everything was printed already, document by document.
    Streamed,
    /// The same, and what came of it is told by this exit status.
    StreamedWithStatus(u8),
    /// With an answer and this exit status.
    ReplyWithStatus(Box<dyn PrintableReply>, u8),
}

impl<V: ResponseBody + 'static> From<Reply<V>> for CommandOutcome {
    fn from(reply: Reply<V>) -> Self {
        Self::Reply(Box::new(reply))
    }
}

/// An answer of any type.
pub trait PrintableReply {
    /// The document for programs.
    ///
    /// # Errors
    /// The answer cannot be written as JSON, which is a defect.
    fn to_document(&self, command: &str, warnings: &[String]) -> serde_json::Result<String>;

    /// The text for people.
    fn render_text(&self, paper: &mut TextPage);
}

impl<V: ResponseBody> PrintableReply for Reply<V> {
    fn to_document(&self, command: &str, warnings: &[String]) -> serde_json::Result<String> {
        let mut document = SuccessEnvelope::new(command, &self.data);
        document.replayed = self.replayed;
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

/// How answers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputMode {
    /// For programs.
    Json,
    /// For people.
    Text(TerminalCapabilities),
}

/// What a text may look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalCapabilities {
    /// Whether stdout is a terminal.
    pub terminal: bool,
    /// Whether what was drawn can be drawn over.
    pub redrawable: bool,
    /// Whether colours are wanted.
    pub colour: bool,
    /// How many columns there are.
    pub width: usize,
}

/// What was asked for, before it is known whether the command line makes sense.
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

    /// The same as far as it can be told when something is wrong.
    #[must_use]
    pub fn guess_mode(wish: RequestedFormat, environment: &dyn VariableSource) -> Self {
        Self::choose_mode(wish, environment).unwrap_or(Self::Json)
    }
}

impl TerminalCapabilities {
    /// Without a terminal: no colours, 80 columns.
    pub const PLAIN: Self = Self { terminal: false, redrawable: false, colour: false, width: 80 };

    fn for_stdout(terminal: bool, environment: &dyn VariableSource) -> Self {
        if !terminal {
            return Self::PLAIN;
        }
        let (redrawable, colour) = (!is_dumb_terminal(environment), allows_colour(environment));
        Self { terminal, redrawable, colour, width: current_terminal_size().columns }
    }
}

/// How large the terminal is now.
fn current_terminal_size() -> TerminalSize {
    let (columns, rows) =
        terminal_size::terminal_size().map_or((80, 24), |(width, height)| (width.0, height.0));
    TerminalSize { columns: usize::from(columns), rows: usize::from(rows) }
}

/// Whether a terminal may be painted.
fn allows_colour(environment: &dyn VariableSource) -> bool {
    !environment.is_set("NO_COLOR") && !is_dumb_terminal(environment)
}

/// Whether the terminal knows no more than letters.
fn is_dumb_terminal(environment: &dyn VariableSource) -> bool {
    environment.raw_variable("TERM").is_some_and(|term| term == "dumb")
}

/// Whether what was written still has a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum WriteOutcome {
    /// All of it was written.
    Complete,
    /// Nobody reads stdout any more.
    NoReader,
    /// It could not be written; stderr says so.
    Failed,
}

/// Writes the answers of one command.
#[derive(Clone, Copy, Debug)]
pub struct ReplyPrinter {
    mode: OutputMode,
    error_paint: TextPainter,
}

impl ReplyPrinter {
    /// A printer for this mode.
    #[must_use]
    pub fn new(mode: OutputMode, environment: &dyn VariableSource) -> Self {
        let colour = std::io::stderr().is_terminal() && allows_colour(environment);
        Self { mode, error_paint: TextPainter { colour } }
    }

    /// How answers are written.
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

    /// Writes a page in the place of the last one; in JSON one more document.
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

    /// Takes the last page away.
    pub fn erase_frame(&self, frame: &mut TerminalFrame) -> WriteOutcome {
        write_stdout(&frame.erase_page(current_terminal_size()))
    }

    /// Writes a document that is no answer: as it is, unless JSON was asked for in so many words.
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

    /// Writes bytes that are no answer: as they are, unless JSON was asked for in so many words or a terminal would
    /// have to show them.
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

    /// Writes why the command failed: to stdout for programs, to stderr for people.
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

    /// Writes what another program printed, as it is; on a terminal control characters are made harmless.
    pub fn print_foreign_line(&self, line: &[u8]) -> WriteOutcome {
        match self.mode {
            OutputMode::Text(look) if look.terminal => write_stdout_bytes(
                format!("{}\n", escape_controls(&String::from_utf8_lossy(line))).as_bytes(),
            ),
            OutputMode::Text(_) | OutputMode::Json => write_stdout_bytes(&[line, b"\n"].concat()),
        }
    }

    /// Writes lines that another program printed, as they are; on a terminal control characters are made harmless.
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

    /// Writes a line about what is going on to stderr.
    pub fn print_progress(&self, line: &str) {
        write_stderr(&format!("{}\n", escape_controls(line)));
    }

    /// Writes warnings to stderr.
    pub fn print_warnings(&self, warnings: &[String]) {
        let lines = warnings.iter().map(|warning| self.label_line(TextTone::Attention, "warning", warning));
        write_stderr(&lines.collect::<String>());
    }

    fn label_line(&self, tone: TextTone, label: &str, text: &str) -> String {
        format!("{} {}\n", self.error_paint.paint_text(tone, &format!("{label}:")), escape_controls(text))
    }
}

/// How many bytes an answer's document has.
pub fn document_size<V: ResponseBody>(command: &str, data: &V, warnings: &[String]) -> usize {
    let mut document = SuccessEnvelope::new(command, data);
    document.warnings = warnings.to_vec();
    serde_json::to_string(&document).map_or(usize::MAX, |document| escape_document(document).len())
}

fn render_reply(answer: &dyn PrintableReply, look: TerminalCapabilities) -> String {
    let mut paper = TextPage::new(TextPainter { colour: look.colour }, look.width, current_time());
    answer.render_text(&mut paper);
    paper.into_text()
}

/// A JSON document as a line, in which everything that a terminal might obey is written as an escape.
///
/// The serializer escapes the C0 controls; what is left can only stand inside strings.
fn escape_document(mut document: String) -> String {
    if document.contains(is_unsafe_character) {
        let mut escaped = String::with_capacity(document.len() + 16);
        for character in document.chars() {
            if is_unsafe_character(character) {
                escaped.push_str(&format!("\\u{:04x}", u32::from(character)));
            } else {
                escaped.push(character);
            }
        }
        document = escaped;
    }
    document.push('\n');
    document
}

/// How much this process has printed of its own, for `orch meter`.
static PRINTED: AtomicU64 = AtomicU64::new(0);

/// How many bytes were printed until now, on both outputs; what another program printed and we hand on is not counted.
#[must_use]
pub fn count_printed_bytes() -> u64 {
    PRINTED.load(Ordering::Relaxed)
}

fn add_printed_bytes(bytes: usize) {
    PRINTED.fetch_add(bytes as u64, Ordering::Relaxed);
}

/// Writes to stdout at once.
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

/// Writes to stderr; what cannot be said there cannot be said anywhere.
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
    fn a_document_holds_nothing_that_a_terminal_obeys() {
        let texts = ["plain é 日本", "\u{9b}31m\u{7f}", "\u{202e}x\u{2066}", "a\u{1b}[2J\n\0"];
        let line = escape_document(serde_json::to_string(&texts).unwrap());
        assert!(!line.trim_end_matches('\n').contains(super::is_unsafe_character), "{line}");
        assert!(line.contains("plain é 日本"), "{line}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&line).unwrap(), texts);
    }
}
