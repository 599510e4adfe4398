//! Power storms: a disk loses its power at random moments of a story, and everything that was answered must be on it.
//!
//! The disk is an image behind a [`fuse_file`] that records each write and flush; a loop device and a real file system lie
//! on it. A [`power_story`] runs leads, workers and users there. Then the power is lost again and again, at moments after
//! answers and between them: what was flushed is on the disk, and of what the disk still held in its cache nothing, all, or
//! any part ([`disk_image`]). The file system is mounted as the next boot finds it, and the [`power_oracle`] looks for what
//! the answers promised. Where FUSE is not available, the disk is copied at each answer instead ([`volatile_disk`]).

mod disk_image;
mod fuse_file;
mod power_oracle;
mod power_site;
mod power_story;
mod volatile_disk;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use self::disk_image::CacheFate;
use self::power_oracle::StoryMoment;
use self::power_site::PowerSite;
use self::power_story::{PowerStory, StoryStep};
use self::volatile_disk::DiskRecord;
pub use self::volatile_disk::VolatileDisk;
use crate::seeded_rng::SeededRng;

/// The share of power losses that come right after an answer, in percent.
const AFTER_ANSWERS_PERCENT: usize = 40;

/// The number of power losses for which the events are replayed once, earliest first.
const LOSSES_PER_REPLAY: usize = 25;

/// The parameters of a storm.
#[derive(Clone, Debug)]
pub struct PowerStorm {
    /// The folder of the built programs.
    pub programs: PathBuf,
    /// The file system of the disk, as `mkfs` names it.
    pub file_system: String,
    /// The seed, which reproduces the story and the moments.
    pub seed: u64,
    /// The number of steps of the story.
    pub steps: usize,
    /// The number of power losses.
    pub losses: usize,
    /// The time after which no more power is lost.
    pub at_most: Duration,
}

/// Counts of what a storm did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PowerTally {
    /// Steps of stories.
    pub steps: usize,
    /// Writes and flushes of the disks.
    pub requests: usize,
    /// Power losses.
    pub losses: usize,
    /// Those right after an answer.
    pub after_answers: usize,
}

impl PowerTally {
    /// Returns the sums of two tallies.
    #[must_use]
    pub fn merged_with(&self, other: &Self) -> Self {
        Self {
            steps: self.steps + other.steps,
            requests: self.requests + other.requests,
            losses: self.losses + other.losses,
            after_answers: self.after_answers + other.after_answers,
        }
    }
}

impl std::fmt::Display for PowerTally {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { steps, requests, losses, after_answers } = self;
        write!(
            formatter,
            "{steps} steps, {requests} requests to disks, {losses} power losses ({after_answers} right after an answer)"
        )
    }
}

impl PowerStorm {
    /// Tells the story, then loses the power again and again; `None` where no such disk can be made.
    ///
    /// # Errors
    /// Something that an answer promised is missing after a power loss, or a command failed that should not.
    pub fn run_storm(&self) -> Result<Option<PowerTally>, String> {
        let Some(disk) = VolatileDisk::new(&self.file_system) else { return Ok(None) };
        self.run_on(disk).map(Some).map_err(|failure| {
            format!("the power storm of seed {} on {}: {failure}", self.seed, self.file_system)
        })
    }

    fn run_on(&self, mut disk: VolatileDisk) -> Result<PowerTally, String> {
        let begin = Instant::now();
        let mut site = PowerSite::new(&disk.mount_point(), &self.programs);
        disk.begin_recording();
        let steps = PowerStory::new(&site, &mut disk, self.seed).tell(self.steps)?;
        let record = disk.end_recording();
        let boot = tempfile::NamedTempFile::new().map_err(|error| format!("no boot id: {error}"))?;
        site.set_boot_id(boot.path().to_owned());
        let mut chance = SeededRng::new(self.seed);
        let mut tally =
            PowerTally { steps: steps.len(), requests: record.count_moments(), ..PowerTally::default() };
        while tally.losses < self.losses {
            let count = LOSSES_PER_REPLAY.min(self.losses - tally.losses);
            let mut replay = record.replay();
            for (moment, fate) in choose_losses(&steps, &record, count, &mut chance) {
                if begin.elapsed() > self.at_most {
                    return Ok(tally);
                }
                let id = format!("{:08x}-0000-4000-8000-{:012x}\n", self.seed & 0xffff_ffff, tally.losses);
                std::fs::write(boot.path(), id).map_err(|error| format!("no boot id: {error}"))?;
                let around = StoryMoment::new(&steps, moment);
                let at = || format!("request {moment}, the disk's cache {fate:?}, {}", around.description());
                if !disk.show_moment(&mut replay, moment, fate, &mut chance) {
                    return Err(format!("{}: the file system cannot be mounted", at()));
                }
                around.check_site(&site).map_err(|failure| format!("{}: {failure}", at()))?;
                tally.losses += 1;
                tally.after_answers += usize::from(steps.iter().any(|step| step.answered == moment));
            }
        }
        Ok(tally)
    }
}

/// Chooses moments, earliest first.
fn choose_losses(
    steps: &[StoryStep],
    record: &DiskRecord,
    count: usize,
    chance: &mut SeededRng,
) -> Vec<(usize, CacheFate)> {
    let first = steps.first().map_or(0, |step| step.answered);
    let fates = [CacheFate::Lost, CacheFate::Lost, CacheFate::Kept, CacheFate::Mixed];
    let mut losses: Vec<(usize, CacheFate)> = (0..count)
        .map(|_| {
            let fate = *chance.pick(&fates).unwrap_or(&CacheFate::Lost);
            if !record.has_events() || chance.is_within_percent(AFTER_ANSWERS_PERCENT) {
                return (chance.pick(steps).map_or(first, |step| step.answered), fate);
            }
            (first + chance.number_below(record.count_moments().saturating_sub(first) + 1), fate)
        })
        .collect();
    losses.sort_by_key(|(moment, _)| *moment);
    losses
}
