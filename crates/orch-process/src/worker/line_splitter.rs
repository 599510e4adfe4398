//! A stream, taken apart into lines of a bounded length.

/// How much room is kept for the next line that comes in pieces.
const KEPT_BYTES: usize = 16 * 1024;

/// A line of output, without its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputLine<'a> {
    /// What it holds, up to the bound.
    pub bytes: &'a [u8],
    /// How much more of it there was.
    pub cut_bytes: u64,
}

/// The line under way.
#[derive(Debug)]
pub(super) struct LineSplitter {
    begun: Vec<u8>,
    cut_bytes: u64,
    bytes_max: usize,
}

impl LineSplitter {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { begun: Vec::new(), cut_bytes: 0, bytes_max }
    }

    /// Takes more of the stream and hands on the lines that it completes.
    pub(super) fn push_bytes(&mut self, mut bytes: &[u8], mut take: impl FnMut(OutputLine<'_>)) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            if self.begun.is_empty() && line.len() <= self.bytes_max {
                take(OutputLine { bytes: line, cut_bytes: 0 });
            } else {
                self.extend_partial(line);
                self.emit_line(&mut take);
            }
            bytes = rest;
        }
        self.extend_partial(bytes);
    }

    /// Hands on the last line, which nothing ended but the end of the stream.
    pub(super) fn finish(&mut self, mut take: impl FnMut(OutputLine<'_>)) {
        if !self.begun.is_empty() || self.cut_bytes > 0 {
            self.emit_line(&mut take);
        }
    }

    fn extend_partial(&mut self, bytes: &[u8]) {
        let kept = bytes.len().min(self.bytes_max - self.begun.len());
        self.begun.extend_from_slice(&bytes[..kept]);
        self.cut_bytes += (bytes.len() - kept) as u64;
    }

    fn emit_line(&mut self, take: &mut impl FnMut(OutputLine<'_>)) {
        take(OutputLine { bytes: &self.begun, cut_bytes: self.cut_bytes });
        self.begun.clear();
        // One long line is no reason to keep room for another.
        self.begun.shrink_to(KEPT_BYTES);
        self.cut_bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of this stream, given in pieces of this size.
    fn split_stream(bytes_max: usize, stream: &[u8], piece: usize) -> Vec<(String, u64)> {
        let mut found = Vec::new();
        let mut lines = LineSplitter::new(bytes_max);
        let mut take = |line: OutputLine<'_>| {
            found.push((String::from_utf8(line.bytes.to_vec()).unwrap(), line.cut_bytes));
        };
        for bytes in stream.chunks(piece) {
            lines.push_bytes(bytes, &mut take);
        }
        lines.finish(&mut take);
        found
    }

    #[test]
    fn lines_do_not_depend_on_their_pieces() {
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
            for piece in 1..=stream.len().max(1) {
                assert_eq!(split_stream(6, stream, piece), expected, "{stream:?} by {piece}");
            }
        }
    }

    #[test]
    fn a_line_without_room_is_cut_whole() {
        assert_eq!(
            split_stream(0, b"abc\n\nd", 2),
            [(String::new(), 3), (String::new(), 0), (String::new(), 1)]
        );
    }

    #[test]
    fn a_long_line_leaves_no_room_behind() {
        let mut lines = LineSplitter::new(1 << 20);
        lines.push_bytes(&vec![b'x'; 1 << 20], |_| {});
        lines.push_bytes(b"\nnext", |line| assert_eq!(line.bytes.len(), 1 << 20));
        assert!(lines.begun.capacity() <= KEPT_BYTES, "{}", lines.begun.capacity());
    }
}
