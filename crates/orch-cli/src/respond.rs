//! The only writer of stdout: one document, by one write, after the commit.

use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use orch_contract::envelope::{Failure as FailureDocument, Success};
use orch_contract::store::DocumentAnswer;
use orch_contract::{Code, ErrorView};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::context::now;
use crate::environment::{Environment, OUTPUT};
use crate::failure::Failure;
use crate::human::frame::{Frame, Size};
use crate::human::harmless::{harmful, harmless};
use crate::human::{Human, Paint, Paper, Tone};

/// What stands in `data`: written, read back when a request is repeated, and rendered for people.
pub trait View: Serialize + DeserializeOwned + Human {}

impl<T: Serialize + DeserializeOwned + Human> View for T {}

/// What a command answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply<V> {
    /// What stands in `data`.
    pub data: V,
    /// Whether this is the recorded answer of an earlier request.
    pub replayed: bool,
}

impl<V> Reply<V> {
    /// An answer of now.
    #[must_use]
    pub fn new(data: V) -> Self {
        Self { data, replayed: false }
    }
}

/// How a command that did not fail ends.
pub enum Outcome {
    /// With an answer.
    Answer(Box<dyn Printable>),
    /// With a document that is no answer and is printed as it is, unless JSON is asked for.
    Document(String),
    /// With bytes that are no answer, printed as they are; on a terminal, and where JSON is asked for, with an answer.
    Raw(Vec<u8>, Box<dyn Printable>),
    /// Everything was printed already, document by document.
    Streamed,
    /// The same, and what came of it is told by this exit status.
    StreamedAs(u8),
    /// With an answer and this exit status.
    AnswerAs(Box<dyn Printable>, u8),
}

impl<V: View + 'static> From<Reply<V>> for Outcome {
    fn from(reply: Reply<V>) -> Self {
        Self::Answer(Box::new(reply))
    }
}

/// An answer of any type.
pub trait Printable {
    /// The document for programs.
    ///
    /// # Errors
    /// The answer cannot be written as JSON, which is a defect.
    fn document(&self, command: &str, warnings: &[String]) -> serde_json::Result<String>;

    /// The text for people.
    fn text(&self, paper: &mut Paper);
}

impl<V: View> Printable for Reply<V> {
    fn document(&self, command: &str, warnings: &[String]) -> serde_json::Result<String> {
        let mut document = Success::new(command, &self.data);
        document.replayed = self.replayed;
        document.warnings = warnings.to_vec();
        serde_json::to_string(&document)
    }

    fn text(&self, paper: &mut Paper) {
        self.data.human(paper);
        if self.replayed {
            paper.note("This is the answer to the same request of before; nothing was changed now.");
        }
    }
}

/// How answers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// For programs.
    Json,
    /// For people.
    Text(Look),
}

/// What a text may look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
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
pub struct Wish {
    /// `--json` was given.
    pub json: bool,
    /// `--text` was given.
    pub text: bool,
}

impl Mode {
    /// The mode that the options, the environment and stdout ask for.
    ///
    /// # Errors
    /// Both outputs are asked for, or the variable holds neither of them.
    pub fn choose(wish: Wish, environment: &dyn Environment) -> Result<Self, Failure> {
        if wish.json && wish.text {
            return Err(Failure::invalid("--json", "--json and --text exclude each other."));
        }
        let variable = match environment.text(OUTPUT)?.as_deref() {
            Some("json") => Wish { json: true, text: false },
            Some("text") => Wish { json: false, text: true },
            None => Wish::default(),
            Some(_) => return Err(Failure::invalid(OUTPUT, format!("{OUTPUT} must be json or text."))),
        };
        let wish = if wish.json || wish.text { wish } else { variable };
        let terminal = std::io::stdout().is_terminal();
        let text = wish.text || (terminal && !wish.json);
        Ok(if text { Self::Text(Look::of_stdout(terminal, environment)) } else { Self::Json })
    }

    /// The same as far as it can be told when something is wrong.
    #[must_use]
    pub fn guess(wish: Wish, environment: &dyn Environment) -> Self {
        Self::choose(wish, environment).unwrap_or(Self::Json)
    }
}

impl Look {
    /// Without a terminal: no colours, 80 columns.
    pub const PLAIN: Self = Self { terminal: false, redrawable: false, colour: false, width: 80 };

    fn of_stdout(terminal: bool, environment: &dyn Environment) -> Self {
        if !terminal {
            return Self::PLAIN;
        }
        let (redrawable, colour) = (!is_dumb(environment), colours(environment));
        Self { terminal, redrawable, colour, width: terminal_now().columns }
    }
}

/// How large the terminal is now.
fn terminal_now() -> Size {
    let (columns, rows) =
        terminal_size::terminal_size().map_or((80, 24), |(width, height)| (width.0, height.0));
    Size { columns: usize::from(columns), rows: usize::from(rows) }
}

/// Whether a terminal may be painted.
fn colours(environment: &dyn Environment) -> bool {
    !environment.is_set("NO_COLOR") && !is_dumb(environment)
}

/// Whether the terminal knows no more than letters.
fn is_dumb(environment: &dyn Environment) -> bool {
    environment.raw("TERM").is_some_and(|term| term == "dumb")
}

/// Whether what was written still has a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Written {
    /// All of it was written.
    Whole,
    /// Nobody reads stdout any more.
    NoReader,
    /// It could not be written; stderr says so.
    Failed,
}

/// Writes the answers of one command.
#[derive(Clone, Copy, Debug)]
pub struct Printer {
    mode: Mode,
    error_paint: Paint,
}

impl Printer {
    /// A printer for this mode.
    #[must_use]
    pub fn new(mode: Mode, environment: &dyn Environment) -> Self {
        let colour = std::io::stderr().is_terminal() && colours(environment);
        Self { mode, error_paint: Paint { colour } }
    }

    /// How answers are written.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Writes an answer.
    pub fn answer(&self, command: &str, answer: &dyn Printable, warnings: &[String]) -> Written {
        match self.mode {
            Mode::Json => match answer.document(command, warnings) {
                Ok(document) => put(&inert(document)),
                Err(error) => {
                    let message = format!("The answer cannot be written as JSON: {error}.");
                    let _ = self.failure(command, &ErrorView::new(Code::Internal, message));
                    Written::Failed
                }
            },
            Mode::Text(look) => {
                self.warn(warnings);
                put(&render(answer, look))
            }
        }
    }

    /// Writes a page in the place of the last one; in JSON one more document.
    pub fn frame(
        &self,
        command: &str,
        answer: &dyn Printable,
        warnings: &[String],
        frame: &mut Frame,
    ) -> Written {
        match self.mode {
            Mode::Text(look) if look.redrawable => {
                if !warnings.is_empty() {
                    frame.leave();
                    self.warn(warnings);
                }
                let size = terminal_now();
                let page = render(answer, Look { width: size.columns, ..look });
                put(&frame.draw(&page, size))
            }
            Mode::Json | Mode::Text(_) => self.answer(command, answer, warnings),
        }
    }

    /// Takes the last page away.
    pub fn erase(&self, frame: &mut Frame) -> Written {
        put(&frame.erase(terminal_now()))
    }

    /// Writes a document that is no answer: as it is, unless JSON was asked for in so many words.
    pub fn document(&self, command: &str, text: &str, json_wanted: bool) -> Written {
        if !json_wanted {
            return put(text);
        }
        let answer = Success::new(command, DocumentAnswer { document: text.to_owned() });
        match serde_json::to_string(&answer) {
            Ok(document) => put(&inert(document)),
            Err(_) => Written::Failed,
        }
    }

    /// Writes bytes that are no answer: as they are, unless JSON was asked for in so many words or a terminal would
    /// have to show them.
    pub fn raw(
        &self,
        command: &str,
        bytes: &[u8],
        answer: &dyn Printable,
        warnings: &[String],
        json_wanted: bool,
    ) -> Written {
        match self.mode {
            Mode::Json if json_wanted => self.answer(command, answer, warnings),
            Mode::Text(look) if look.terminal => self.answer(command, answer, warnings),
            Mode::Json | Mode::Text(_) => {
                self.warn(warnings);
                put_bytes(bytes)
            }
        }
    }

    /// Writes why the command failed: to stdout for programs, to stderr for people.
    pub fn failure(&self, command: &str, error: &ErrorView) -> Written {
        match self.mode {
            Mode::Json => {
                let document = FailureDocument::new(command, error.clone());
                match serde_json::to_string(&document) {
                    Ok(document) => put(&inert(document)),
                    Err(_) => Written::Failed,
                }
            }
            Mode::Text(_) => {
                let mut text = self.labelled(Tone::Bad, "error", &error.message);
                if let Some(hint) = &error.hint {
                    text.push_str(&self.labelled(Tone::Strong, "hint", hint));
                }
                say(&text);
                Written::Whole
            }
        }
    }

    /// Writes what another program printed, as it is; on a terminal control characters are made harmless.
    pub fn pass(&self, line: &[u8]) -> Written {
        match self.mode {
            Mode::Text(look) if look.terminal => {
                put_bytes(format!("{}\n", harmless(&String::from_utf8_lossy(line))).as_bytes())
            }
            Mode::Text(_) | Mode::Json => put_bytes(&[line, b"\n"].concat()),
        }
    }

    /// Writes lines that another program printed, as they are; on a terminal control characters are made harmless.
    pub fn output(&self, lines: &[u8]) -> Written {
        match self.mode {
            Mode::Text(look) if look.terminal => {
                let text = String::from_utf8_lossy(lines);
                put(&text.lines().map(|line| format!("{}\n", harmless(line))).collect::<String>())
            }
            Mode::Text(_) | Mode::Json => {
                count(lines.len());
                put_bytes(lines)
            }
        }
    }

    /// Writes a line about what is going on to stderr.
    pub fn progress(&self, line: &str) {
        say(&format!("{}\n", harmless(line)));
    }

    /// Writes warnings to stderr.
    pub fn warn(&self, warnings: &[String]) {
        let lines = warnings.iter().map(|warning| self.labelled(Tone::Attention, "warning", warning));
        say(&lines.collect::<String>());
    }

    fn labelled(&self, tone: Tone, label: &str, text: &str) -> String {
        format!("{} {}\n", self.error_paint.text(tone, &format!("{label}:")), harmless(text))
    }
}

/// How many bytes an answer's document has.
pub fn size<V: View>(command: &str, data: &V, warnings: &[String]) -> usize {
    let mut document = Success::new(command, data);
    document.warnings = warnings.to_vec();
    serde_json::to_string(&document).map_or(usize::MAX, |document| inert(document).len())
}

fn render(answer: &dyn Printable, look: Look) -> String {
    let mut paper = Paper::new(Paint { colour: look.colour }, look.width, now());
    answer.text(&mut paper);
    paper.finish()
}

/// A JSON document as a line, in which everything that a terminal might obey is written as an escape.
///
/// The serializer escapes the C0 controls; what is left can only stand inside strings.
fn inert(mut document: String) -> String {
    if document.contains(harmful) {
        let mut escaped = String::with_capacity(document.len() + 16);
        for character in document.chars() {
            if harmful(character) {
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
pub fn printed_bytes() -> u64 {
    PRINTED.load(Ordering::Relaxed)
}

fn count(bytes: usize) {
    PRINTED.fetch_add(bytes as u64, Ordering::Relaxed);
}

/// Writes to stdout at once.
fn put(text: &str) -> Written {
    count(text.len());
    put_bytes(text.as_bytes())
}

fn put_bytes(bytes: &[u8]) -> Written {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Ok(()) => Written::Whole,
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Written::NoReader,
        Err(error) => {
            say(&format!("error: The answer could not be written: {error}.\n"));
            Written::Failed
        }
    }
}

/// Writes to stderr; what cannot be said there cannot be said anywhere.
fn say(text: &str) {
    if !text.is_empty() {
        count(text.len());
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::inert;

    #[test]
    fn a_document_holds_nothing_that_a_terminal_obeys() {
        let texts = ["plain é 日本", "\u{9b}31m\u{7f}", "\u{202e}x\u{2066}", "a\u{1b}[2J\n\0"];
        let line = inert(serde_json::to_string(&texts).unwrap());
        assert!(!line.trim_end_matches('\n').contains(super::harmful), "{line}");
        assert!(line.contains("plain é 日本"), "{line}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&line).unwrap(), texts);
    }
}
