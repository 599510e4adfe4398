//! Messages for people.

use orch_contract::Message;
use orch_core::message::MessageKind;

use crate::human::table::cut;
use crate::human::{Paper, Tone, harmless};

/// Writes messages, each with its text.
pub fn messages(paper: &mut Paper, messages: &[Message]) {
    for (index, message) in messages.iter().enumerate() {
        if index > 0 {
            paper.gap();
        }
        one(paper, message);
    }
}

fn one(paper: &mut Paper, message: &Message) {
    let paint = paper.paint();
    let percent = message.percent.map(|percent| format!(" {percent}%")).unwrap_or_default();
    let kind = paint.text(tone(message.kind.0), &format!("{}{percent}", message.kind));
    let ago = paint.text(Tone::Faint, &paper.ago(message.created_at));
    let id = paint.text(Tone::Strong, &message.id);
    paper.line(format!("{id}  {kind}  {} → {}  {ago}", message.from, message.to));
    paper.block(message.body.as_deref().unwrap_or_default(), 2);
    for (label, texts) in [("option", &message.options), ("artifact", &message.artifacts)] {
        for text in texts {
            paper.note(&format!("  {label}: {}", harmless(text)));
        }
    }
    if let Some(default) = &message.default {
        paper.note(&format!("  default: {}", harmless(default)));
    }
    if let Some(payload) = &message.payload {
        // It is for programs; people see that it is there.
        let line = format!("  payload: {}", harmless(&payload.to_string()));
        paper.note(&cut(&line, paper.width()));
    }
}

fn tone(kind: MessageKind) -> Tone {
    match kind {
        MessageKind::Work | MessageKind::Note | MessageKind::Answer => Tone::Plain,
        MessageKind::Progress => Tone::Busy,
        MessageKind::Question => Tone::Attention,
        MessageKind::Result => Tone::Good,
        MessageKind::Failure => Tone::Bad,
        MessageKind::Cancel | MessageKind::Late => Tone::Faint,
    }
}
