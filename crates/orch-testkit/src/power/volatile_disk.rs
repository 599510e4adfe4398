//! A mounted disk whose contents can be set back to what a power loss at an earlier moment leaves.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::disk_image::{CacheFate, DiskEvent, DiskImage, DiskReplay};
use super::fuse_file::FuseFile;
use crate::seeded_rng::SeededRng;

/// The size of the disk: the least that `mkfs.xfs` accepts, and some more.
const DISK_MEGABYTES: u64 = 400;

/// How the contents at earlier moments are known.
enum DiskRecorder {
    /// Every write and flush is recorded.
    Events(FuseFile, DiskImage),
    /// Copies of the image, which lies on a file system that copies in an instant. They hold the moments that were marked only.
    Copies(usize),
}

/// A disk of its own, with a file system.
pub struct VolatileDisk {
    folder: TempDir,
    recorder: DiskRecorder,
    is_mounted: bool,
}

/// What was recorded of a disk.
pub(super) struct DiskRecord {
    base: DiskImage,
    events: Vec<DiskEvent>,
    copies: usize,
}

impl DiskRecord {
    /// Returns the number of moments.
    pub(super) fn count_moments(&self) -> usize {
        self.events.len().max(self.copies)
    }

    /// Returns whether power can be lost between two marked moments.
    pub(super) fn has_events(&self) -> bool {
        self.copies == 0
    }

    /// Begins to replay.
    pub(super) fn replay(&self) -> DiskReplay<'_> {
        DiskReplay::new(self.base.clone(), &self.events)
    }
}

impl VolatileDisk {
    /// Makes and mounts a disk with this file system; `None` where that cannot be done.
    ///
    /// Every write is recorded where FUSE files can be mounted; otherwise the disk is copied at each mark.
    #[must_use]
    pub fn new(file_system: &str) -> Option<Self> {
        Self::with_events(file_system).or_else(|| Self::with_copies(file_system))
    }

    fn with_events(file_system: &str) -> Option<Self> {
        let folder = Self::make_folder();
        let image = folder.path().join("disk.img");
        std::fs::write(&image, "").ok()?;
        let file = FuseFile::mount_over(&image, DISK_MEGABYTES << 20).ok()?;
        let recorder = DiskRecorder::Events(file, DiskImage::default());
        let mut disk = Self { folder, recorder, is_mounted: false };
        disk.is_mounted = make_file_system(&image, file_system) && mount_image(&image, &disk.mount_point());
        disk.is_mounted.then_some(disk)
    }

    /// Makes a disk that is copied at each mark.
    #[must_use]
    pub fn with_copies(file_system: &str) -> Option<Self> {
        let folder = Self::make_folder();
        let outer = folder.path().join("outer.img");
        let mut disk = Self { folder, recorder: DiskRecorder::Copies(0), is_mounted: false };
        let image = disk.copy_path("disk");
        let made = make_sparse_file(&outer, "6G")
            && run_quietly(Command::new("mkfs.xfs").args(["-q", "-m", "reflink=1"]).arg(&outer))
            && mount_image(&outer, &disk.folder.path().join("outer"))
            && make_sparse_file(&image, &format!("{DISK_MEGABYTES}M"))
            && make_file_system(&image, file_system);
        disk.is_mounted = made && mount_image(&image, &disk.mount_point());
        disk.is_mounted.then_some(disk)
    }

    fn make_folder() -> TempDir {
        let folder = tempfile::Builder::new().prefix("orch-power-").tempdir().expect("there is room");
        for name in ["disk", "outer"] {
            std::fs::create_dir(folder.path().join(name)).expect("there is room");
        }
        folder
    }

    /// Returns where the disk is mounted.
    #[must_use]
    pub fn mount_point(&self) -> PathBuf {
        self.folder.path().join("disk")
    }

    fn copy_path(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("outer/{name}.img"))
    }

    /// Writes everything to the disk and begins to record.
    pub fn begin_recording(&mut self) {
        assert!(run_quietly(&mut Command::new("sync")), "sync fails");
        if let DiskRecorder::Events(file, base) = &mut self.recorder {
            *base = file.begin_recording();
        }
    }

    /// Returns this moment, to which the disk can be set back.
    pub fn mark_moment(&mut self) -> usize {
        if let DiskRecorder::Copies(count) = self.recorder {
            let copy = [self.copy_path("disk"), self.copy_path(&count.to_string())];
            assert!(run_quietly(Command::new("cp").arg("--reflink=always").args(copy)), "no copy");
            self.recorder = DiskRecorder::Copies(count + 1);
            return count;
        }
        self.current_moment()
    }

    /// Returns the number of moments until now.
    #[must_use]
    pub(super) fn current_moment(&self) -> usize {
        match &self.recorder {
            DiskRecorder::Events(file, _) => file.count_events(),
            DiskRecorder::Copies(count) => *count,
        }
    }

    /// Ends recording and unmounts the disk.
    pub(super) fn end_recording(&mut self) -> DiskRecord {
        self.unmount();
        match &mut self.recorder {
            DiskRecorder::Events(file, base) => {
                DiskRecord { base: std::mem::take(base), events: file.end_recording(), copies: 0 }
            }
            DiskRecorder::Copies(count) => {
                DiskRecord { base: DiskImage::default(), events: Vec::new(), copies: *count }
            }
        }
    }

    /// Mounts what a power loss at a moment leaves; returns whether the file system could be mounted.
    pub(super) fn show_moment(
        &mut self,
        replay: &mut DiskReplay<'_>,
        moment: usize,
        fate: CacheFate,
        chance: &mut SeededRng,
    ) -> bool {
        self.unmount();
        let image = match &self.recorder {
            DiskRecorder::Events(file, _) => {
                file.replace_contents(replay.lose_power(moment, fate, chance));
                self.folder.path().join("disk.img")
            }
            DiskRecorder::Copies(_) => self.copy_path(&moment.to_string()),
        };
        self.is_mounted = mount_image(&image, &self.mount_point());
        self.is_mounted
    }

    fn unmount(&mut self) {
        if self.is_mounted {
            assert!(run_quietly(Command::new("umount").arg(self.mount_point())), "the disk is in use");
            self.is_mounted = false;
        }
    }
}

impl Drop for VolatileDisk {
    fn drop(&mut self) {
        for name in ["disk", "disk.img", "outer"] {
            run_quietly(
                Command::new("umount").args(["--lazy", "--quiet"]).arg(self.folder.path().join(name)),
            );
        }
    }
}

fn make_sparse_file(path: &Path, size: &str) -> bool {
    run_quietly(Command::new("truncate").args(["--size", size]).arg(path))
}

fn make_file_system(image: &Path, file_system: &str) -> bool {
    run_quietly(Command::new(format!("mkfs.{file_system}")).arg("-q").arg(image))
}

fn mount_image(image: &Path, at: &Path) -> bool {
    run_quietly(Command::new("mount").args(["-o", "loop"]).args([image, at]))
}

/// Runs a command without output; returns whether it exists and succeeds.
fn run_quietly(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
