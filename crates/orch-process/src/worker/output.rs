//! What a worker writes: to its log, to its watcher, and its end for whoever asks how it went.

use std::io::{self, PipeReader, Read as _};
use std::time::Instant;

use super::Watcher;
use super::lines::{Line, Lines};
use super::log::{LogFault, RotatingLog};
use crate::limit::{OUTPUT_BYTES, WORKER_TAIL_BYTES};
use crate::log::Recent;

/// Both outputs of a worker.
#[derive(Debug)]
pub(super) struct Output {
    /// Each is nothing when every process has closed it.
    pub(super) stdout: Option<PipeReader>,
    pub(super) stderr: Option<PipeReader>,
    pub(super) last: Option<Instant>,
    log: RotatingLog,
    recent: Recent,
    lines: Lines,
    buffer: Box<[u8]>,
}

impl Output {
    pub(super) fn new(
        stdout: PipeReader,
        stderr: PipeReader,
        log: RotatingLog,
        line_bytes_max: usize,
    ) -> Self {
        Self {
            stdout: Some(stdout),
            stderr: Some(stderr),
            last: None,
            log,
            recent: Recent::new(WORKER_TAIL_BYTES),
            lines: Lines::new(line_bytes_max),
            buffer: vec![0; OUTPUT_BYTES].into_boxed_slice(),
        }
    }

    /// Takes what has come on stdout, in so many reads at most.
    pub(super) fn take_stdout(&mut self, reads_max: usize, watcher: &mut dyn Watcher) {
        for _ in 0..reads_max {
            let length = match read(&mut self.stdout, &mut self.buffer) {
                Come::Bytes(length) => length,
                Come::End => return self.lines.finish(|line: Line<'_>| watcher.line(line)),
                Come::Nothing => return,
            };
            self.note(length);
            self.lines.add(&self.buffer[..length], |line: Line<'_>| watcher.line(line));
        }
    }

    /// Takes what has come on stderr, in so many reads at most.
    pub(super) fn take_stderr(&mut self, reads_max: usize) {
        for _ in 0..reads_max {
            let Come::Bytes(length) = read(&mut self.stderr, &mut self.buffer) else { return };
            self.note(length);
        }
    }

    /// Hands on the last line, gives the end of the output as text, and says what could not be logged.
    pub(super) fn finish(mut self, watcher: &mut dyn Watcher) -> (String, Option<LogFault>) {
        self.lines.finish(|line: Line<'_>| watcher.line(line));
        (self.recent.text(), self.log.into_fault())
    }

    /// Both outputs go to the log as they come.
    fn note(&mut self, length: usize) {
        self.last = Some(Instant::now());
        self.log.add(&self.buffer[..length]);
        self.recent.add(&self.buffer[..length]);
    }
}

/// What a look into a pipe brought.
enum Come {
    Bytes(usize),
    Nothing,
    End,
}

fn read(from: &mut Option<PipeReader>, buffer: &mut [u8]) -> Come {
    let Some(pipe) = from else { return Come::Nothing };
    loop {
        match pipe.read(buffer) {
            Ok(0) => break,
            Ok(length) => return Come::Bytes(length),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Come::Nothing,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    *from = None;
    Come::End
}
