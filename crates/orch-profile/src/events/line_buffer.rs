//! Splitting a stream of bytes into lines of bounded length.

use super::super::limit;

/// Collects bytes until a line is complete.
#[derive(Clone, Debug)]
pub(crate) struct EventLineBuffer {
    partial: Vec<u8>,
    /// The current line exceeded the limit, so the rest of it is discarded.
    discarding: bool,
    bytes_max: usize,
}

impl EventLineBuffer {
    pub(crate) const fn new() -> Self {
        Self { partial: Vec::new(), discarding: false, bytes_max: limit::EVENT_LINE_BYTES_MAX }
    }

    /// Appends bytes, and calls `line` with each completed line, without its newline.
    pub(crate) fn push_bytes(&mut self, bytes: &[u8], mut line: impl FnMut(&[u8])) {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (part, behind) = (&rest[..end], &rest[end + 1..]);
            rest = behind;
            let fits =
                !std::mem::take(&mut self.discarding) && self.partial.len() + part.len() <= self.bytes_max;
            if fits && self.partial.is_empty() {
                line(part);
            } else if fits {
                self.partial.extend_from_slice(part);
                line(&self.partial);
            }
            self.partial.clear();
        }
        if self.discarding || self.partial.len() + rest.len() > self.bytes_max {
            self.discarding = true;
            // Frees the memory of a huge line at once.
            self.partial = Vec::new();
        } else {
            self.partial.extend_from_slice(rest);
        }
    }

    /// Returns a last line without a newline.
    pub(crate) fn into_partial_line(self) -> Option<Vec<u8>> {
        if self.discarding || self.partial.is_empty() { None } else { Some(self.partial) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_do_not_depend_on_the_sizes_of_the_pieces() {
        let text = b"one\n\ntwo is longer\nthree\r\nfour";
        for size in 1..text.len() {
            let mut lines = EventLineBuffer { bytes_max: 8, ..EventLineBuffer::new() };
            let mut seen = Vec::new();
            for piece in text.chunks(size) {
                lines.push_bytes(piece, |line| seen.push(String::from_utf8(line.to_vec()).unwrap()));
            }
            assert_eq!(seen, ["one", "", "three\r"], "{size}");
            assert_eq!(lines.into_partial_line().as_deref(), Some(&b"four"[..]), "{size}");
        }
    }
}
