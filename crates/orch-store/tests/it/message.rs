//! Messages.

use orch_core::id::{MessageId, ThreadId};
use orch_core::message::{Message, MessageDraft, MessageExtras, MessageKind};
use orch_store::Store;
use orch_store::table::message::{self, MessageFilter};

use crate::StoreOpener;
use crate::fixture::{NOW, read_store, test_slug, write_store};

fn add_message(
    store: &mut Store,
    thread: i64,
    from: &str,
    to: &str,
    kind: MessageKind,
    body: &str,
) -> Message {
    let draft = MessageDraft {
        from: test_slug(from),
        to: test_slug(to),
        kind,
        body: body.to_owned(),
        extra: MessageExtras::default(),
    };
    write_store(store, |tx| message::insert(tx, ThreadId(thread), draft.clone(), NOW))
}

fn message_ids(messages: &[Message]) -> Vec<i64> {
    messages.iter().map(|message| message.id.0).collect()
}

pub(crate) fn check_conformance(open: StoreOpener<'_>) {
    let mut store = open();
    assert_eq!(read_store(&mut store, message::newest_id), MessageId(0));
    everything_is_kept(&mut store);
    searches(&mut store);
    questions(&mut store);
}

fn everything_is_kept(store: &mut Store) {
    let extra = MessageExtras {
        payload: Some(r#"{"a":1}"#.to_owned()),
        artifacts: vec!["out/a.txt".to_owned(), "b \"quoted\"".to_owned()],
        options: vec!["yes".to_owned(), "no".to_owned()],
        default: Some("yes".to_owned()),
        percent: Some(42),
    };
    let body = "Lines\nand ünïcode and 'quotes'; -- $1 ?1".to_owned();
    let draft = MessageDraft {
        from: test_slug("w"),
        to: test_slug("lead"),
        kind: MessageKind::Question,
        body,
        extra,
    };
    let written = write_store(store, |tx| message::insert(tx, ThreadId(1), draft.clone(), NOW));
    assert_eq!(written, Message { id: MessageId(1), thread: ThreadId(1), content: draft, created_at: NOW });
    assert_eq!(read_store(store, |tx| message::load(tx, MessageId(1))), Some(written));
    assert_eq!(read_store(store, |tx| message::load(tx, MessageId(2))), None);
}

fn searches(store: &mut Store) {
    add_message(store, 1, "lead", "w", MessageKind::Answer, "x");
    add_message(store, 2, "lead", "w", MessageKind::Work, "x");
    add_message(store, 1, "w", "lead", MessageKind::Progress, "half");
    add_message(store, 1, "lead", "w", MessageKind::Note, "x");
    add_message(store, 1, "w", "lead", MessageKind::Late, "too late");
    let (first, none) = (ThreadId(1), MessageId(0));
    assert_eq!(read_store(store, message::newest_id), MessageId(6));
    assert_eq!(
        message_ids(&read_store(store, |tx| message::list_by_thread(tx, first, MessageId(1), 2))),
        [2, 4]
    );
    assert_eq!(
        message_ids(&read_store(store, |tx| message::last_of_thread(tx, first, 2))),
        [5, 6],
        "oldest first"
    );
    let count = |store: &mut Store, kind| read_store(store, |tx| message::count_of_kind(tx, first, kind));
    assert_eq!((count(store, MessageKind::Progress), count(store, MessageKind::Suggestion)), (1, 0));
    let progress = read_store(store, |tx| message::last_of_kind(tx, first, MessageKind::Progress));
    assert_eq!(progress.unwrap().content.body, "half");

    let to = test_slug("w");
    let check = |store: &mut Store, thread: Option<i64>, kind, after, expected: &[i64]| {
        let thread = thread.map(ThreadId);
        let search = MessageFilter { to: &to, after: MessageId(after), thread, kind, limit: 2 };
        assert_eq!(
            message_ids(&read_store(store, |tx| message::list_matching(tx, &search))),
            expected,
            "{search:?}"
        );
    };
    check(store, None, None, 0, &[2, 3]);
    check(store, None, None, 3, &[5]);
    check(store, None, Some(MessageKind::Work), 0, &[3]);
    check(store, Some(1), None, 0, &[2, 5]);
    check(store, Some(1), Some(MessageKind::Note), 0, &[5]);
    check(store, Some(1), Some(MessageKind::Note), 5, &[]);
    assert_eq!(read_store(store, |tx| message::count_to(tx, &to, MessageId(2))), 2);
    let (newest, count) = read_store(store, |tx| message::list_unread(tx, first, &to, none, 1));
    assert_eq!((message_ids(&newest), count), (vec![5], 2), "the newest few, and how many there are");
    let (newest, count) = read_store(store, |tx| message::list_unread(tx, first, &to, MessageId(5), 1));
    assert_eq!((message_ids(&newest), count), (vec![], 0));

    let twin = |store: &mut _, from: &str, body: &str| {
        read_store(store, |tx| message::find_late_duplicate(tx, first, &test_slug(from), body))
            .map(|message| message.id.0)
    };
    assert_eq!(twin(store, "w", "too late"), Some(6));
    assert_eq!(twin(store, "v", "too late"), None);
    assert_eq!(twin(store, "w", "half"), None, "not what was in time");
}

fn questions(store: &mut Store) {
    let thread = ThreadId(9);
    let first = add_message(store, 9, "w", "lead", MessageKind::Question, "Left?");
    let asked = |store: &mut _, from: &str| {
        read_store(store, |tx| message::find_question(tx, thread, &test_slug(from), "Left?"))
            .map(|message| message.id)
    };
    let answer = |store: &mut _, question| {
        read_store(store, |tx| message::find_answer(tx, thread, question)).map(|message| message.id)
    };
    assert_eq!(asked(store, "w"), Some(first.id));
    assert_eq!(asked(store, "v"), None);
    assert_eq!(answer(store, first.id), None);
    add_message(store, 9, "w", "lead", MessageKind::Progress, "waiting");
    let answered = add_message(store, 9, "lead", "w", MessageKind::Answer, "Right.");
    assert_eq!(answer(store, first.id), Some(answered.id));
    let second = add_message(store, 9, "w", "lead", MessageKind::Question, "Left?");
    assert_eq!(asked(store, "w"), Some(second.id), "the newest");
    assert_eq!(answer(store, second.id), None);
    let third = add_message(store, 9, "w", "lead", MessageKind::Question, "Up?");
    let late = add_message(store, 9, "lead", "w", MessageKind::Answer, "Up.");
    assert_eq!(answer(store, second.id), None, "it was withdrawn");
    assert_eq!(answer(store, third.id), Some(late.id));
    assert_eq!(answer(store, first.id), Some(answered.id));
}
