//! A mailbox and those who attack it.

#![expect(clippy::disallowed_methods, reason = "an attacker of the mailbox has no event to wait for")]

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::*;

const LIMITS: MailboxLimits = MailboxLimits {
    request_bytes_max: 1_000,
    waiting_max: 4,
    per_second_max: 1_000,
    answers_kept: Duration::from_secs(600),
    answers_bytes_max: 1_000_000,
};

/// Answers with the request in capitals; `sleep` waits for ever.
struct ShoutingHandler;

impl MailboxHandler for ShoutingHandler {
    fn answer(&self, request: &[u8]) -> Vec<u8> {
        if request == b"sleep" {
            std::thread::sleep(Duration::from_secs(3_600));
        }
        request.to_ascii_uppercase()
    }

    fn refuse(&self, reason: &MailboxRefusal) -> Vec<u8> {
        format!("refused: {reason:?}").into_bytes()
    }
}

struct TestMailbox {
    folder: tempfile::TempDir,
}

impl TestMailbox {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::DirBuilder::new().mode(0o700).create(folder.path().join("home")).unwrap();
        Self { folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("home/box")
    }

    fn serve(&self, limits: MailboxLimits) -> MailboxServer {
        MailboxServer::start(&self.path(), limits, Arc::new(ShoutingHandler)).unwrap()
    }

    /// Puts a file into the requests as an attacker does, and returns the answer to it.
    fn answer_to(&self, id: &str, put: impl FnOnce(&Path)) -> String {
        let staged = self.folder.path().join(format!("staged-{id}"));
        put(&staged);
        fs::rename(&staged, self.path().join("requests").join(format!("{id}.json"))).unwrap();
        let answer = self.path().join("answers").join(format!("{id}.json"));
        for _ in 0..1_000 {
            if let Ok(text) = fs::read_to_string(&answer) {
                return text;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("no answer to {id}")
    }
}

#[test]
fn requests_are_answered_one_by_one_and_at_once() {
    let place = TestMailbox::new();
    let server = place.serve(LIMITS);
    let path = place.path();
    std::thread::scope(|scope| {
        for number in 0..4 {
            let path = &path;
            scope.spawn(move || {
                for turn in 0..20 {
                    let id = format!("client-{number}-{turn}");
                    let answer = exchange_message(path, &id, id.as_bytes());
                    let answer = String::from_utf8(answer.unwrap()).unwrap();
                    // Four clients are as many as may wait, and one that was answered may still be counted.
                    assert!(answer == id.to_uppercase() || answer.contains("TooManyWaiting"), "{answer}");
                }
            });
        }
    });
    drop(server);
    assert!(!path.exists(), "the folder is removed");
}

#[test]
fn only_this_user_can_enter() {
    let place = TestMailbox::new();
    let _server = place.serve(LIMITS);
    for folder in ["", "requests", "answers"] {
        let mode = fs::metadata(place.path().join(folder)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{folder}");
    }
    assert!(MailboxServer::start(&place.path(), LIMITS, Arc::new(ShoutingHandler)).is_err(), "it is served");
    let open = TestMailbox::new();
    fs::create_dir(open.path()).unwrap();
    fs::set_permissions(open.path(), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(
        MailboxServer::start(&open.path(), LIMITS, Arc::new(ShoutingHandler)).is_err(),
        "others can enter"
    );
    let exposed = TestMailbox::new();
    fs::set_permissions(exposed.folder.path().join("home"), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(
        MailboxServer::start(&exposed.path(), LIMITS, Arc::new(ShoutingHandler)).is_err(),
        "others see the parent"
    );
    let linked = TestMailbox::new();
    symlink(place.folder.path(), linked.path()).unwrap();
    assert!(MailboxServer::start(&linked.path(), LIMITS, Arc::new(ShoutingHandler)).is_err(), "a link");
}

#[test]
fn what_is_no_plain_file_is_refused_and_never_waited_for() {
    let place = TestMailbox::new();
    let _server = place.serve(LIMITS);
    let secret = place.folder.path().join("secret");
    fs::write(&secret, "secret").unwrap();
    let answers = [
        place.answer_to("link", |staged| symlink(&secret, staged).unwrap()),
        place.answer_to("hard-link", |staged| fs::hard_link(&secret, staged).unwrap()),
        place.answer_to("pipe", |staged| {
            let mode = rustix::fs::Mode::from_raw_mode(0o600);
            rustix::fs::mknodat(rustix::fs::CWD, staged, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        }),
        place.answer_to("folder", |staged| fs::DirBuilder::new().mode(0o700).create(staged).unwrap()),
        place.answer_to("large", |staged| fs::write(staged, vec![b'x'; 1_001]).unwrap()),
        place.answer_to("closed", |staged| {
            fs::write(staged, "x").unwrap();
            fs::set_permissions(staged, fs::Permissions::from_mode(0o000)).unwrap();
        }),
    ];
    for (index, answer) in answers.iter().enumerate() {
        let is_readable_by_root = index == 5 && rustix::process::geteuid().is_root();
        assert!(answer.contains("Unreadable") || is_readable_by_root, "{index}: {answer}");
        assert!(!answer.to_lowercase().contains("secret"), "{answer}");
    }
    assert_eq!(exchange_message(&place.path(), "after", b"still here").unwrap(), b"STILL HERE");
}

#[test]
fn a_client_that_asks_too_much_is_refused() {
    let place = TestMailbox::new();
    let _server = place.serve(MailboxLimits { per_second_max: 2, ..LIMITS });
    let answers: Vec<Vec<u8>> =
        (0..3).map(|turn| exchange_message(&place.path(), &format!("fast-{turn}"), b"x").unwrap()).collect();
    assert_eq!(answers[..2], [b"X", b"X"]);
    assert_eq!(answers[2], b"refused: TooFast");

    let place = TestMailbox::new();
    let _server = place.serve(MailboxLimits { waiting_max: 2, ..LIMITS });
    for turn in 0..2 {
        fs::write(place.folder.path().join("staged"), "sleep").unwrap();
        let request = place.path().join("requests").join(format!("sleep-{turn}.json"));
        fs::rename(place.folder.path().join("staged"), &request).unwrap();
        while request.exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    let third = exchange_message(&place.path(), "third", b"x").unwrap();
    assert_eq!(third, b"refused: TooManyWaiting");
}

#[test]
fn answers_are_bounded_in_size() {
    let place = TestMailbox::new();
    let _server = place.serve(MailboxLimits { answers_bytes_max: 1_500, ..LIMITS });
    for id in ["one", "two"] {
        place.answer_to(id, |staged| fs::write(staged, vec![b'x'; 900]).unwrap());
    }
    assert!(!place.path().join("answers/one.json").exists(), "the older one is removed");
    assert!(place.path().join("answers/two.json").exists());
}

#[test]
fn a_client_knows_that_nothing_serves() {
    let place = TestMailbox::new();
    let error = exchange_message(&place.path(), "x", b"x").unwrap_err();
    assert!(matches!(error, MailboxError::NotServed), "{error:?}");
    close_mailbox(&place.path(), b"bye").unwrap();
    assert!(!place.path().exists(), "nothing is created for a missing mailbox");
    let server = place.serve(LIMITS);
    assert!(is_mailbox_served(&place.path()));
    // A server that is killed leaves its folder, and the system frees its lock.
    std::mem::forget(server);
    let copy = TestMailbox::new();
    for folder in ["", "requests", "answers"] {
        fs::DirBuilder::new().mode(0o700).create(copy.path().join(folder)).unwrap();
    }
    fs::write(copy.path().join("lock"), "").unwrap();
    let error = exchange_message(&copy.path(), "x", b"x").unwrap_err();
    assert!(matches!(error, MailboxError::NotServed), "{error:?}");
    close_mailbox(&copy.path(), b"lease lost").unwrap();
    let error = exchange_message(&copy.path(), "x", b"x").unwrap_err();
    assert!(matches!(&error, MailboxError::Closed(answer) if answer == b"lease lost"), "{error:?}");
    let _server = copy.serve(LIMITS);
    assert_eq!(exchange_message(&copy.path(), "x", b"x").unwrap(), b"X", "a new server opens it again");
}

#[test]
fn names_of_requests_are_plain() {
    for (name, good) in
        [("a-1", true), ("", false), ("-a", false), ("A", false), ("../a", false), (".a", false)]
    {
        assert_eq!(is_request_id(name), good, "{name}");
    }
}
