//! Splits a stream into lines of bounded length.

/// The buffer capacity that is kept for the next partial line.
const CAPACITY_BYTES_MAX: usize = 16 * 1024;

/// A line of output, without its line terminator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputLine<'a> {
    /// Its beginning, up to the limit.
    pub bytes: &'a [u8],
    /// How many bytes were cut off.
    pub cut_bytes: u64,
}

/// Collects the current line.
#[derive(Debug)]
pub(super) struct LineSplitter {
    partial: Vec<u8>,
    cut_bytes: u64,
    bytes_max: usize,
}

impl LineSplitter {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { partial: Vec::new(), cut_bytes: 0, bytes_max }
    }

    /// Adds bytes of the stream and emits the lines that they complete.
    pub(super) fn push_bytes(&mut self, mut bytes: &[u8], mut emit: impl FnMut(OutputLine<'_>)) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            if self.partial.is_empty() && line.len() <= self.bytes_max {
                emit(OutputLine { bytes: line, cut_bytes: 0 });
            } else {
                self.extend_partial(line);
                self.emit_line(&mut emit);
            }
            bytes = rest;
        }
        self.extend_partial(bytes);
    }

    /// Emits the last line if it has no line terminator.
    pub(super) fn finish(&mut self, mut emit: impl FnMut(OutputLine<'_>)) {
        if !self.partial.is_empty() || self.cut_bytes > 0 {
            self.emit_line(&mut emit);
        }
    }

    fn extend_partial(&mut self, bytes: &[u8]) {
        let kept = bytes.len().min(self.bytes_max - self.partial.len());
        self.partial.extend_from_slice(&bytes[..kept]);
        self.cut_bytes += (bytes.len() - kept) as u64;
    }

    fn emit_line(&mut self, emit: &mut impl FnMut(OutputLine<'_>)) {
        emit(OutputLine { bytes: &self.partial, cut_bytes: self.cut_bytes });
        self.partial.clear();
        // One long line must not keep its memory for the next.
        self.partial.shrink_to(CAPACITY_BYTES_MAX);
        self.cut_bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Splits a stream that arrives in chunks of this size.
    fn split_stream(bytes_max: usize, stream: &[u8], chunk_bytes: usize) -> Vec<(String, u64)> {
        let mut found = Vec::new();
        let mut lines = LineSplitter::new(bytes_max);
        let mut emit = |line: OutputLine<'_>| {
            found.push((String::from_utf8(line.bytes.to_vec()).unwrap(), line.cut_bytes));
        };
        for bytes in stream.chunks(chunk_bytes) {
            lines.push_bytes(bytes, &mut emit);
        }
        lines.finish(&mut emit);
        found
    }

    #[test]
    fn lines_do_not_depend_on_chunk_sizes() {
        for (stream, expected) in [
            (&b""[..], vec![]),
            (b"one\n", vec![("one", 0)]),
            (b"one\n\ntwo", vec![("one", 0), ("", 0), ("two", 0)]),
            (b"sixsix\r\n", vec![("sixsix", 1)]),
            (b"1234567\n1234567\n1", vec![("123456", 1), ("123456", 1), ("1", 0)]),
            (b"1234567890", vec![("123456", 4)]),
        ] {
            let expected: Vec<(String, u64)> =
                expected.into_iter().map(|(line, cut)| (line.to_owned(), cut)).collect();
            for chunk_bytes in 1..=stream.len().max(1) {
                assert_eq!(
                    split_stream(6, stream, chunk_bytes),
                    expected,
                    "{stream:?} in chunks of {chunk_bytes}"
                );
            }
        }
    }

    #[test]
    fn a_limit_of_zero_cuts_every_line_off() {
        assert_eq!(
            split_stream(0, b"abc\n\nd", 2),
            [(String::new(), 3), (String::new(), 0), (String::new(), 1)]
        );
    }

    #[test]
    fn a_long_line_does_not_keep_its_memory() {
        let mut lines = LineSplitter::new(1 << 20);
        lines.push_bytes(&vec![b'x'; 1 << 20], |_| {});
        lines.push_bytes(b"\nnext", |line| assert_eq!(line.bytes.len(), 1 << 20));
        assert!(lines.partial.capacity() <= CAPACITY_BYTES_MAX, "{}", lines.partial.capacity());
    }
}
