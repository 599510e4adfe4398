//! Messages.

use orch_core::id::{MessageId, ThreadId};
use orch_core::message::{Draft, Extra, Message, MessageKind};
use orch_store::Store;
use orch_store::table::message::{self, Search};

use crate::Open;
use crate::fixture::{NOW, read, slug, write};

fn add(store: &mut Store, thread: i64, from: &str, to: &str, kind: MessageKind, body: &str) -> Message {
    let draft =
        Draft { from: slug(from), to: slug(to), kind, body: body.to_owned(), extra: Extra::default() };
    write(store, |tx| message::insert(tx, ThreadId(thread), draft.clone(), NOW))
}

fn ids(messages: &[Message]) -> Vec<i64> {
    messages.iter().map(|message| message.id.0).collect()
}

pub(crate) fn exercise(open: Open<'_>) {
    let mut store = open();
    assert_eq!(read(&mut store, message::newest), MessageId(0));
    everything_is_kept(&mut store);
    searches(&mut store);
    questions(&mut store);
}

fn everything_is_kept(store: &mut Store) {
    let extra = Extra {
        payload: Some(r#"{"a":1}"#.to_owned()),
        artifacts: vec!["out/a.txt".to_owned(), "b \"quoted\"".to_owned()],
        options: vec!["yes".to_owned(), "no".to_owned()],
        default: Some("yes".to_owned()),
        percent: Some(42),
    };
    let body = "Lines\nand ünïcode and 'quotes'; -- $1 ?1".to_owned();
    let draft = Draft { from: slug("w"), to: slug("lead"), kind: MessageKind::Question, body, extra };
    let written = write(store, |tx| message::insert(tx, ThreadId(1), draft.clone(), NOW));
    assert_eq!(written, Message { id: MessageId(1), thread: ThreadId(1), content: draft, created_at: NOW });
    assert_eq!(read(store, |tx| message::load(tx, MessageId(1))), Some(written));
    assert_eq!(read(store, |tx| message::load(tx, MessageId(2))), None);
}

fn searches(store: &mut Store) {
    add(store, 1, "lead", "w", MessageKind::Answer, "x");
    add(store, 2, "lead", "w", MessageKind::Work, "x");
    add(store, 1, "w", "lead", MessageKind::Progress, "half");
    add(store, 1, "lead", "w", MessageKind::Note, "x");
    add(store, 1, "w", "lead", MessageKind::Late, "too late");
    let (first, none) = (ThreadId(1), MessageId(0));
    assert_eq!(read(store, message::newest), MessageId(6));
    assert_eq!(ids(&read(store, |tx| message::of_thread(tx, first, MessageId(1), 2))), [2, 4]);
    assert_eq!(ids(&read(store, |tx| message::last_of_thread(tx, first, 2))), [5, 6], "oldest first");
    let progress = read(store, |tx| message::last_of_kind(tx, first, MessageKind::Progress));
    assert_eq!(progress.unwrap().content.body, "half");

    let to = slug("w");
    let check = |store: &mut Store, thread: Option<i64>, kind, after, expected: &[i64]| {
        let thread = thread.map(ThreadId);
        let search = Search { to: &to, after: MessageId(after), thread, kind, limit: 2 };
        assert_eq!(ids(&read(store, |tx| message::search(tx, &search))), expected, "{search:?}");
    };
    check(store, None, None, 0, &[2, 3]);
    check(store, None, None, 3, &[5]);
    check(store, None, Some(MessageKind::Work), 0, &[3]);
    check(store, Some(1), None, 0, &[2, 5]);
    check(store, Some(1), Some(MessageKind::Note), 0, &[5]);
    check(store, Some(1), Some(MessageKind::Note), 5, &[]);
    assert_eq!(read(store, |tx| message::count_to(tx, &to, MessageId(2))), 2);
    let (newest, count) = read(store, |tx| message::unread(tx, first, &to, none, 1));
    assert_eq!((ids(&newest), count), (vec![5], 2), "the newest few, and how many there are");
    let (newest, count) = read(store, |tx| message::unread(tx, first, &to, MessageId(5), 1));
    assert_eq!((ids(&newest), count), (vec![], 0));

    let twin = |store: &mut _, from: &str, body: &str| {
        read(store, |tx| message::late_twin(tx, first, &slug(from), body)).map(|message| message.id.0)
    };
    assert_eq!(twin(store, "w", "too late"), Some(6));
    assert_eq!(twin(store, "v", "too late"), None);
    assert_eq!(twin(store, "w", "half"), None, "not what was in time");
}

fn questions(store: &mut Store) {
    let thread = ThreadId(9);
    let first = add(store, 9, "w", "lead", MessageKind::Question, "Left?");
    let asked = |store: &mut _, from: &str| {
        read(store, |tx| message::question_of(tx, thread, &slug(from), "Left?")).map(|message| message.id)
    };
    let answer = |store: &mut _, question| {
        read(store, |tx| message::answer_to(tx, thread, question)).map(|message| message.id)
    };
    assert_eq!(asked(store, "w"), Some(first.id));
    assert_eq!(asked(store, "v"), None);
    assert_eq!(answer(store, first.id), None);
    add(store, 9, "w", "lead", MessageKind::Progress, "waiting");
    let answered = add(store, 9, "lead", "w", MessageKind::Answer, "Right.");
    assert_eq!(answer(store, first.id), Some(answered.id));
    let second = add(store, 9, "w", "lead", MessageKind::Question, "Left?");
    assert_eq!(asked(store, "w"), Some(second.id), "the newest");
    assert_eq!(answer(store, second.id), None);
    let third = add(store, 9, "w", "lead", MessageKind::Question, "Up?");
    let late = add(store, 9, "lead", "w", MessageKind::Answer, "Up.");
    assert_eq!(answer(store, second.id), None, "it was withdrawn");
    assert_eq!(answer(store, third.id), Some(late.id));
    assert_eq!(answer(store, first.id), Some(answered.id));
}
