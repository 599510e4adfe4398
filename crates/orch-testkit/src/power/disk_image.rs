//! A disk in memory, the writes and flushes that it received, and what a power loss at any of these moments leaves.

use std::collections::HashMap;
use std::sync::Arc;

use crate::seeded_rng::SeededRng;

/// The number of bytes that a disk writes completely or not at all.
const BLOCK_BYTES: usize = 4096;

type DiskBlock = [u8; BLOCK_BYTES];

/// The contents of a disk; blocks that were never written are zero.
#[derive(Clone, Default)]
pub(super) struct DiskImage {
    blocks: HashMap<u64, Arc<DiskBlock>>,
}

impl DiskImage {
    /// Reads bytes at an offset.
    pub(super) fn read(&self, offset: u64, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length);
        while bytes.len() < length {
            let (block, inside) = locate(offset + bytes.len() as u64);
            let count = (BLOCK_BYTES - inside).min(length - bytes.len());
            match self.blocks.get(&block) {
                Some(found) => bytes.extend_from_slice(&found[inside..inside + count]),
                None => bytes.resize(bytes.len() + count, 0),
            }
        }
        bytes
    }

    /// Writes bytes at an offset.
    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) {
        for (offset, part) in split_into_blocks(offset, bytes) {
            let (block, inside) = locate(offset);
            let found = self.blocks.entry(block).or_insert_with(|| Arc::new([0; BLOCK_BYTES]));
            Arc::make_mut(found)[inside..inside + part.len()].copy_from_slice(part);
        }
    }
}

/// Returns the block of an offset, and the place inside it.
fn locate(offset: u64) -> (u64, usize) {
    let block = offset / BLOCK_BYTES as u64;
    (block, usize::try_from(offset - block * BLOCK_BYTES as u64).unwrap_or(0))
}

/// Splits a write at the borders of blocks.
fn split_into_blocks(offset: u64, bytes: &[u8]) -> Vec<(u64, &[u8])> {
    let (mut parts, mut rest, mut offset) = (Vec::new(), bytes, offset);
    while !rest.is_empty() {
        let (part, after) = rest.split_at((BLOCK_BYTES - locate(offset).1).min(rest.len()));
        parts.push((offset, part));
        offset += part.len() as u64;
        rest = after;
    }
    parts
}

/// A request that a disk received.
pub(super) enum DiskEvent {
    /// Bytes that the disk may hold in its cache until the next flush.
    Write { offset: u64, bytes: Vec<u8> },
    /// All earlier writes are on the disk when this is answered.
    Flush,
}

/// The fate of the writes that the disk still holds in its cache when the power is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CacheFate {
    /// All are lost.
    Lost,
    /// All are on the disk.
    Kept,
    /// Each block is on the disk or is not, in no order.
    Mixed,
}

/// The events of a disk, replayed to later and later moments.
pub(super) struct DiskReplay<'a> {
    events: &'a [DiskEvent],
    /// What was flushed before the event `flushed`.
    durable: DiskImage,
    flushed: usize,
}

impl<'a> DiskReplay<'a> {
    /// Begins with the contents before the first event.
    pub(super) fn new(base: DiskImage, events: &'a [DiskEvent]) -> Self {
        Self { events, durable: base, flushed: 0 }
    }

    /// Returns the contents if the power is lost after so many events, which never become fewer.
    pub(super) fn lose_power(
        &mut self,
        position: usize,
        fate: CacheFate,
        chance: &mut SeededRng,
    ) -> DiskImage {
        let past = &self.events[self.flushed..position];
        let flush = past.iter().rposition(|event| matches!(event, DiskEvent::Flush));
        if let Some(flush) = flush {
            for (offset, bytes) in writes_of(&past[..flush]) {
                self.durable.write(offset, bytes);
            }
            self.flushed += flush + 1;
        }
        let mut left = self.durable.clone();
        for (offset, bytes) in writes_of(&self.events[self.flushed..position]) {
            for (offset, part) in split_into_blocks(offset, bytes) {
                let is_kept = match fate {
                    CacheFate::Lost => false,
                    CacheFate::Kept => true,
                    CacheFate::Mixed => chance.is_within_percent(50),
                };
                if is_kept {
                    left.write(offset, part);
                }
            }
        }
        left
    }
}

fn writes_of(events: &[DiskEvent]) -> impl Iterator<Item = (u64, &[u8])> {
    events.iter().filter_map(|event| match event {
        DiskEvent::Write { offset, bytes } => Some((*offset, bytes.as_slice())),
        DiskEvent::Flush => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_as_they_were_written_across_blocks() {
        let mut image = DiskImage::default();
        image.write(BLOCK_BYTES as u64 - 2, b"abcd");
        assert_eq!(image.read(BLOCK_BYTES as u64 - 3, 6), b"\0abcd\0");
    }

    #[test]
    fn what_was_flushed_survives_and_the_rest_by_its_fate() {
        let write = |offset, byte: u8| DiskEvent::Write { offset, bytes: vec![byte] };
        let events = [write(0, 1), DiskEvent::Flush, write(1, 2), write(8192, 3), DiskEvent::Flush];
        let left = |position, fate| {
            let mut replay = DiskReplay::new(DiskImage::default(), &events);
            let image = replay.lose_power(position, fate, &mut SeededRng::new(1));
            [image.read(0, 1)[0], image.read(1, 1)[0], image.read(8192, 1)[0]]
        };
        assert_eq!(left(1, CacheFate::Lost), [0, 0, 0]);
        assert_eq!(left(1, CacheFate::Kept), [1, 0, 0]);
        assert_eq!(left(4, CacheFate::Lost), [1, 0, 0]);
        assert_eq!(left(4, CacheFate::Kept), [1, 2, 3]);
        assert_eq!(left(5, CacheFate::Lost), [1, 2, 3]);
        let mut replay = DiskReplay::new(DiskImage::default(), &events);
        let mut chance = SeededRng::new(1);
        let mut mixed = || {
            let image = replay.lose_power(4, CacheFate::Mixed, &mut chance);
            [image.read(0, 1)[0], image.read(1, 1)[0], image.read(8192, 1)[0]]
        };
        let seen: Vec<_> = (0..50).map(|_| mixed()).collect();
        for expected in [[1, 0, 0], [1, 2, 0], [1, 0, 3], [1, 2, 3]] {
            assert!(seen.contains(&expected), "{expected:?}");
        }
    }
}
