//! Lines out of pieces of any size, within a bound.

use super::super::limit;

/// Collects bytes until a line ends.
#[derive(Clone, Debug)]
pub(crate) struct EventLineBuffer {
    begun: Vec<u8>,
    /// The line grew beyond the bound; its rest is passed over.
    passing: bool,
    bytes_max: usize,
}

impl EventLineBuffer {
    pub(crate) const fn new() -> Self {
        Self { begun: Vec::new(), passing: false, bytes_max: limit::EVENT_LINE_BYTES_MAX }
    }

    /// Takes more bytes, and hands on each line that they end, without its end.
    pub(crate) fn push_bytes(&mut self, bytes: &[u8], mut line: impl FnMut(&[u8])) {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (part, behind) = (&rest[..end], &rest[end + 1..]);
            rest = behind;
            let whole = !std::mem::take(&mut self.passing) && self.begun.len() + part.len() <= self.bytes_max;
            match (whole, self.begun.is_empty()) {
                (true, true) => line(part),
                (true, false) => {
                    self.begun.extend_from_slice(part);
                    line(&self.begun);
                }
                (false, _) => {}
            }
            self.begun.clear();
        }
        if self.passing || self.begun.len() + rest.len() > self.bytes_max {
            self.passing = true;
            // What a single huge line took is given back at once.
            self.begun = Vec::new();
        } else {
            self.begun.extend_from_slice(rest);
        }
    }

    /// A last line that was not ended.
    pub(crate) fn into_partial_line(self) -> Option<Vec<u8>> {
        if self.passing || self.begun.is_empty() { None } else { Some(self.begun) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_the_same_however_they_are_cut() {
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
