//! The server: one thread that sleeps until requests appear, and one for each request that is performed.

use std::collections::VecDeque;
use std::io::{self, PipeWriter};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::fs::AtFlags;

use super::folder::{ANSWERS, REQUESTS, create_mailbox, open_folder, read_file, write_file};
use super::is_request_id;
use super::watch::FolderWatch;

/// The stack of the thread that watches, which does little.
const WATCHER_STACK_BYTES: usize = 128 * 1024;

/// How much a client may ask.
#[derive(Clone, Copy, Debug)]
pub struct MailboxLimits {
    /// The largest request in bytes.
    pub request_bytes_max: u64,
    /// How many requests are performed at once.
    pub waiting_max: usize,
    /// How many requests a second are performed.
    pub per_second_max: usize,
    /// How long an answer is kept that nothing has taken.
    pub answers_kept: Duration,
    /// The largest size of all kept answers in bytes.
    pub answers_bytes_max: u64,
}

/// Why a request was not performed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailboxRefusal {
    /// Too many requests wait for their answers.
    TooManyWaiting,
    /// Too many requests came within a second.
    TooFast,
    /// The file is not what a request has to be.
    Unreadable(String),
}

/// Performs the requests of a mailbox, several at once.
pub trait MailboxHandler: Send + Sync {
    /// Answers a request.
    fn answer(&self, request: &[u8]) -> Vec<u8>;

    /// Answers a request that is not performed.
    fn refuse(&self, reason: &MailboxRefusal) -> Vec<u8>;
}

/// A mailbox that is served until this value is dropped, which also removes the folder.
#[derive(Debug)]
pub struct MailboxServer {
    path: PathBuf,
    /// The watcher ends when this end of a pipe is closed.
    stop: Option<PipeWriter>,
    watcher: Option<JoinHandle<()>>,
    _lock: OwnedFd,
}

impl MailboxServer {
    /// Creates the folder, which may be left from an earlier server, and begins to serve.
    ///
    /// # Errors
    /// The folder cannot be created, belongs to another user, or is served already.
    pub fn start(path: &Path, limits: MailboxLimits, handler: Arc<dyn MailboxHandler>) -> io::Result<Self> {
        let lock = create_mailbox(path)?;
        let requests = open_folder(&path.join(REQUESTS))?;
        let answers = open_folder(&path.join(ANSWERS))?;
        let watch = FolderWatch::start(&path.join(REQUESTS));
        let (stopped, stop) = io::pipe()?;
        let answers = Arc::new(AnswerFolder { folder: answers, limits, kept: Mutex::default() });
        let mut mailbox = RequestFolder {
            folder: requests,
            limits,
            handler,
            answers,
            waiting: Arc::default(),
            recent: VecDeque::new(),
        };
        let watcher = std::thread::Builder::new()
            .name("mailbox".to_owned())
            .stack_size(WATCHER_STACK_BYTES)
            .spawn(move || {
                loop {
                    mailbox.take_requests();
                    if watch.wait(mailbox.next_look(), Some(stopped.as_fd())) {
                        return;
                    }
                }
            })?;
        Ok(Self { path: path.to_owned(), stop: Some(stop), watcher: Some(watcher), _lock: lock })
    }
}

impl Drop for MailboxServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(watcher) = self.watcher.take() {
            // A watcher that panicked serves nothing any more either.
            let _ = watcher.join();
        }
        // What stays is removed with the next server of this folder's parent.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// The requests of a mailbox.
struct RequestFolder {
    folder: OwnedFd,
    limits: MailboxLimits,
    handler: Arc<dyn MailboxHandler>,
    answers: Arc<AnswerFolder>,
    /// How many requests are being performed.
    waiting: Arc<AtomicUsize>,
    /// When the requests of the last second began.
    recent: VecDeque<Instant>,
}

impl RequestFolder {
    /// Takes every request in the folder.
    fn take_requests(&mut self) {
        for id in self.list_requests() {
            let name = format!("{id}.json");
            let read = read_file(&self.folder, &name, self.limits.request_bytes_max);
            let is_removed = [AtFlags::empty(), AtFlags::REMOVEDIR]
                .into_iter()
                .any(|flags| rustix::fs::unlinkat(&self.folder, name.as_str(), flags).is_ok());
            // A folder that is not empty stays, and is never answered.
            if !is_removed {
                continue;
            }
            match self.admit(read) {
                Ok(request) => self.perform_request(id, request),
                Err(refusal) => self.answers.write_answer(&id, &self.handler.refuse(&refusal)),
            }
        }
    }

    /// Returns the ids of the requests in the folder, in the order of their names.
    fn list_requests(&self) -> Vec<String> {
        let Ok(entries) = rustix::fs::Dir::read_from(&self.folder) else { return Vec::new() };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().to_str().ok().map(str::to_owned));
        let ids = names.filter_map(|name| name.strip_suffix(".json").map(str::to_owned));
        let mut ids: Vec<String> = ids.filter(|id| is_request_id(id)).collect();
        ids.sort();
        ids
    }

    fn admit(&mut self, read: io::Result<Vec<u8>>) -> Result<Vec<u8>, MailboxRefusal> {
        let request = read.map_err(|error| MailboxRefusal::Unreadable(error.to_string()))?;
        let now = Instant::now();
        while self.recent.front().is_some_and(|begun| now.duration_since(*begun) >= Duration::from_secs(1)) {
            self.recent.pop_front();
        }
        if self.recent.len() >= self.limits.per_second_max {
            return Err(MailboxRefusal::TooFast);
        }
        if self.waiting.load(Ordering::SeqCst) >= self.limits.waiting_max {
            return Err(MailboxRefusal::TooManyWaiting);
        }
        self.recent.push_back(now);
        Ok(request)
    }

    /// Performs a request in a thread of its own, because it may wait for minutes.
    fn perform_request(&self, id: String, request: Vec<u8>) {
        let (handler, answers) = (Arc::clone(&self.handler), Arc::clone(&self.answers));
        let guard = WaitingGuard::enter(&self.waiting);
        let (unstarted_id, refuser) = (id.clone(), Arc::clone(&self.handler));
        let started = std::thread::Builder::new().name("request".to_owned()).spawn(move || {
            let _guard = guard;
            answers.write_answer(&id, &handler.answer(&request));
        });
        if started.is_err() {
            self.answers.write_answer(&unstarted_id, &refuser.refuse(&MailboxRefusal::TooManyWaiting));
        }
    }

    /// Returns when kept answers have to be looked at, if there are any.
    fn next_look(&self) -> Option<Instant> {
        self.answers.forget_old();
        self.answers.oldest_at().map(|at| at + self.limits.answers_kept)
    }
}

/// Counts a request as long as it is performed, also if its thread panics.
struct WaitingGuard(Arc<AtomicUsize>);

impl WaitingGuard {
    fn enter(waiting: &Arc<AtomicUsize>) -> Self {
        waiting.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(waiting))
    }
}

impl Drop for WaitingGuard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The answers of a mailbox, bounded in age and size.
struct AnswerFolder {
    folder: OwnedFd,
    limits: MailboxLimits,
    kept: Mutex<VecDeque<KeptAnswer>>,
}

/// An answer that was written.
struct KeptAnswer {
    name: String,
    at: Instant,
    bytes: u64,
}

impl AnswerFolder {
    fn write_answer(&self, id: &str, answer: &[u8]) {
        let name = format!("{id}.json");
        // A full disk, or a folder that the client removed: the client gets no answer, and nothing else is lost.
        if write_file(&self.folder, &name, answer).is_ok() {
            let kept = KeptAnswer { name, at: Instant::now(), bytes: answer.len() as u64 };
            self.kept.lock().unwrap_or_else(PoisonError::into_inner).push_back(kept);
        }
        self.forget_old();
    }

    fn oldest_at(&self) -> Option<Instant> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).front().map(|kept| kept.at)
    }

    /// Removes answers that are too old or too many.
    fn forget_old(&self) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut size: u64 = kept.iter().map(|answer| answer.bytes).sum();
        while let Some(oldest) = kept.front() {
            let is_old = oldest.at.elapsed() >= self.limits.answers_kept;
            if !is_old && size <= self.limits.answers_bytes_max {
                return;
            }
            size -= oldest.bytes;
            // The client has usually taken it.
            let _ = rustix::fs::unlinkat(&self.folder, oldest.name.as_str(), AtFlags::empty());
            kept.pop_front();
        }
    }
}
