//! A file of which every write and flush is recorded: a FUSE file system that consists of this one file.
//!
//! The protocol is spoken over `/dev/fuse` directly. Its few requests for one file take less than what a library would bring.

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::mount::{MountFlags, mount};

use super::disk_image::{DiskEvent, DiskImage};

/// The greatest number of bytes of one write.
const WRITE_MAX: u32 = 128 * 1024;

/// The size of a request's header, and of an answer's.
const REQUEST_HEADER: usize = 40;
const ANSWER_HEADER: usize = 16;

/// The size of what precedes the bytes of a write.
const WRITE_HEADER: usize = 40;

/// What the file holds, and what was done to it since recording began.
#[derive(Default)]
struct RecordedFile {
    size: u64,
    image: DiskImage,
    events: Option<Vec<DiskEvent>>,
}

/// The file while it is mounted; the caller unmounts it.
#[derive(Clone)]
pub(super) struct FuseFile {
    recorded: Arc<Mutex<RecordedFile>>,
}

impl FuseFile {
    /// Mounts a file of zeros over an existing file.
    ///
    /// # Errors
    /// There is no `/dev/fuse`, or mounting is not allowed.
    pub(super) fn mount_over(path: &Path, size: u64) -> io::Result<Self> {
        let device = OpenOptions::new().read(true).write(true).open("/dev/fuse")?;
        let options = format!("fd={},rootmode=100600,user_id=0,group_id=0", device.as_raw_fd());
        let options = CString::new(options)?;
        mount("orch-power", path, "fuse", MountFlags::NOSUID | MountFlags::NODEV, options.as_c_str())?;
        let recorded = Arc::new(Mutex::new(RecordedFile { size, ..RecordedFile::default() }));
        let served = FuseServer { device, recorded: Arc::clone(&recorded) };
        std::thread::spawn(move || served.serve_requests());
        Ok(Self { recorded })
    }

    fn lock(&self) -> MutexGuard<'_, RecordedFile> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to record; returns the contents before the first event.
    pub(super) fn begin_recording(&self) -> DiskImage {
        let mut recorded = self.lock();
        recorded.events = Some(Vec::new());
        recorded.image.clone()
    }

    /// Returns the number of recorded events.
    pub(super) fn count_events(&self) -> usize {
        self.lock().events.as_ref().map_or(0, Vec::len)
    }

    /// Ends recording; returns the events.
    pub(super) fn end_recording(&self) -> Vec<DiskEvent> {
        self.lock().events.take().unwrap_or_default()
    }

    /// Replaces the contents.
    pub(super) fn replace_contents(&self, image: DiskImage) {
        self.lock().image = image;
    }
}

/// The thread that answers the kernel.
struct FuseServer {
    device: File,
    recorded: Arc<Mutex<RecordedFile>>,
}

/// An answer's body, or an error number.
type FuseAnswer = Result<Vec<u8>, i32>;

impl FuseServer {
    /// Answers requests until the file is unmounted.
    fn serve_requests(self) {
        let mut buffer = vec![0; WRITE_MAX as usize + 64 * 1024];
        loop {
            let request = match (&self.device).read(&mut buffer) {
                Ok(count) if count >= REQUEST_HEADER => &buffer[..count],
                // The request was taken back before it could be read.
                Err(error) if matches!(error.raw_os_error(), Some(ENOENT | EINTR | EAGAIN)) => continue,
                // It was unmounted.
                _ => return,
            };
            let (opcode, unique) = (number_at(request, 4), wide_number_at(request, 8));
            let Some(answer) = self.answer(opcode, &request[REQUEST_HEADER..]) else { continue };
            let (error, body) = match answer {
                Ok(body) => (0, body),
                Err(error) => (-error, Vec::new()),
            };
            let mut message = Vec::with_capacity(ANSWER_HEADER + body.len());
            message.extend(u32::try_from(ANSWER_HEADER + body.len()).unwrap_or(0).to_ne_bytes());
            message.extend(error.to_ne_bytes());
            message.extend(unique.to_ne_bytes());
            message.extend(body);
            // The process that asked may have exited.
            let _ = (&self.device).write_all(&message);
        }
    }

    /// Returns what to answer; `None` where the kernel expects no answer.
    fn answer(&self, opcode: u32, body: &[u8]) -> Option<FuseAnswer> {
        let mut recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        Some(match opcode {
            FORGET | BATCH_FORGET | INTERRUPT => return None,
            INIT => Ok(init_answer(body)),
            GETATTR | SETATTR => Ok(attribute_answer(recorded.size)),
            // Handle 0, and nothing is cached: each write arrives here before it is answered.
            OPEN => Ok(numbers(&[0, 0, OPEN_DIRECT, 0])),
            READ => {
                let (offset, length) = (wide_number_at(body, 8), u64::from(number_at(body, 16)));
                let length = length.min(recorded.size.saturating_sub(offset));
                Ok(recorded.image.read(offset, usize::try_from(length).unwrap_or(0)))
            }
            WRITE => {
                let (offset, length) = (wide_number_at(body, 8), number_at(body, 16));
                let bytes = &body[WRITE_HEADER..WRITE_HEADER + length as usize];
                recorded.image.write(offset, bytes);
                if let Some(events) = &mut recorded.events {
                    events.push(DiskEvent::Write { offset, bytes: bytes.to_vec() });
                }
                Ok(numbers(&[length, 0]))
            }
            FSYNC => {
                if let Some(events) = &mut recorded.events {
                    events.push(DiskEvent::Flush);
                }
                Ok(Vec::new())
            }
            STATFS => Ok(vec![0; STATFS_BYTES]),
            FLUSH | RELEASE | DESTROY => Ok(Vec::new()),
            _ => Err(ENOSYS),
        })
    }
}

/// Agrees with the kernel on a version and on the size of writes.
fn init_answer(body: &[u8]) -> Vec<u8> {
    const MAJOR: u32 = 7;
    const MINOR_MAX: u32 = 31;
    let mut answer = numbers(&[
        MAJOR,
        number_at(body, 4).min(MINOR_MAX),
        number_at(body, 8),
        INIT_BIG_WRITES | INIT_MAX_PAGES,
        // At most 16 requests in the background, congested at 12.
        16 | (12 << 16),
        WRITE_MAX,
        1,
        WRITE_MAX / 4096,
    ]);
    answer.resize(INIT_BYTES, 0);
    answer
}

/// A regular file of this size.
fn attribute_answer(size: u64) -> Vec<u8> {
    const REGULAR_FILE: u32 = 0o100_600;
    let mut answer = vec![0; 16];
    for wide in [1, size, size / 512, 0, 0, 0] {
        answer.extend(wide.to_ne_bytes());
    }
    answer.extend(numbers(&[0, 0, 0, REGULAR_FILE, 1, 0, 0, 0, 4096, 0]));
    answer
}

fn numbers(all: &[u32]) -> Vec<u8> {
    all.iter().flat_map(|number| number.to_ne_bytes()).collect()
}

fn number_at(bytes: &[u8], offset: usize) -> u32 {
    bytes.get(offset..offset + 4).and_then(|part| part.try_into().ok()).map_or(0, u32::from_ne_bytes)
}

fn wide_number_at(bytes: &[u8], offset: usize) -> u64 {
    bytes.get(offset..offset + 8).and_then(|part| part.try_into().ok()).map_or(0, u64::from_ne_bytes)
}

// Of the kernel's `linux/fuse.h`.
const FORGET: u32 = 2;
const GETATTR: u32 = 3;
const SETATTR: u32 = 4;
const OPEN: u32 = 14;
const READ: u32 = 15;
const WRITE: u32 = 16;
const STATFS: u32 = 17;
const RELEASE: u32 = 18;
const FSYNC: u32 = 20;
const FLUSH: u32 = 25;
const INIT: u32 = 26;
const INTERRUPT: u32 = 36;
const DESTROY: u32 = 38;
const BATCH_FORGET: u32 = 42;
const OPEN_DIRECT: u32 = 1;
const INIT_BIG_WRITES: u32 = 1 << 5;
const INIT_MAX_PAGES: u32 = 1 << 22;
const INIT_BYTES: usize = 64;
const STATFS_BYTES: usize = 80;

// Of the kernel's `errno.h`.
const ENOENT: i32 = 2;
const EINTR: i32 = 4;
const EAGAIN: i32 = 11;
const ENOSYS: i32 = 38;
