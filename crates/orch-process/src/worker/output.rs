//! What a worker writes: to its log, to its watcher, and its end for whoever asks how it went.

use std::io::{self, PipeReader, Read as _};
use std::time::Instant;

use super::WorkerObserver;
use super::line_splitter::{LineSplitter, OutputLine};
use super::rotating_log::{LogFault, RotatingLog};
use crate::bounded_log::TailBuffer;
use crate::limit::{OUTPUT_BYTES, WORKER_TAIL_BYTES};

/// Both outputs of a worker.
#[derive(Debug)]
pub(super) struct WorkerOutput {
    /// Each is nothing when every process has closed it.
    pub(super) stdout: Option<PipeReader>,
    pub(super) stderr: Option<PipeReader>,
    pub(super) last: Option<Instant>,
    log: RotatingLog,
    recent: TailBuffer,
    lines: LineSplitter,
    buffer: Box<[u8]>,
}

impl WorkerOutput {
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
            recent: TailBuffer::new(WORKER_TAIL_BYTES),
            lines: LineSplitter::new(line_bytes_max),
            buffer: vec![0; OUTPUT_BYTES].into_boxed_slice(),
        }
    }

    /// Takes what has come on stdout, in so many reads at most.
    pub(super) fn drain_stdout(&mut self, reads_max: usize, watcher: &mut dyn WorkerObserver) {
        for _ in 0..reads_max {
            let length = match read_pipe(&mut self.stdout, &mut self.buffer) {
                PipeRead::Bytes(length) => length,
                PipeRead::End => return self.lines.finish(|line: OutputLine<'_>| watcher.on_line(line)),
                PipeRead::WouldBlock => return,
            };
            self.record_output(length);
            self.lines.push_bytes(&self.buffer[..length], |line: OutputLine<'_>| watcher.on_line(line));
        }
    }

    /// Takes what has come on stderr, in so many reads at most.
    pub(super) fn drain_stderr(&mut self, reads_max: usize) {
        for _ in 0..reads_max {
            let PipeRead::Bytes(length) = read_pipe(&mut self.stderr, &mut self.buffer) else { return };
            self.record_output(length);
        }
    }

    /// Hands on the last line, gives the end of the output as text, and says what could not be logged.
    pub(super) fn finish(mut self, watcher: &mut dyn WorkerObserver) -> (String, Option<LogFault>) {
        self.lines.finish(|line: OutputLine<'_>| watcher.on_line(line));
        (self.recent.into_text(), self.log.into_fault())
    }

    /// Both outputs go to the log as they come.
    fn record_output(&mut self, length: usize) {
        self.last = Some(Instant::now());
        self.log.add(&self.buffer[..length]);
        self.recent.add(&self.buffer[..length]);
    }
}

/// What a look into a pipe brought.
enum PipeRead {
    Bytes(usize),
    WouldBlock,
    End,
}

fn read_pipe(from: &mut Option<PipeReader>, buffer: &mut [u8]) -> PipeRead {
    let Some(pipe) = from else { return PipeRead::WouldBlock };
    loop {
        match pipe.read(buffer) {
            Ok(0) => break,
            Ok(length) => return PipeRead::Bytes(length),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return PipeRead::WouldBlock,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    *from = None;
    PipeRead::End
}
