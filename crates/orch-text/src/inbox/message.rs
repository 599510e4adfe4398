//! Text for messages.

use orch_contract::MessageView;
use orch_core::message::MessageKind;

use crate::table::truncate_to_width;
use crate::{TextPage, TextTone, escape_controls};

/// Writes messages with their texts.
pub fn write_messages(paper: &mut TextPage, messages: &[MessageView]) {
    for (index, message) in messages.iter().enumerate() {
        if index > 0 {
            paper.write_gap();
        }
        write_message(paper, message);
    }
}

fn write_message(paper: &mut TextPage, message: &MessageView) {
    let paint = paper.painter();
    let percent = message.percent.map(|percent| format!(" {percent}%")).unwrap_or_default();
    let kind = paint.paint_text(message_tone(message.kind.0), &format!("{}{percent}", message.kind));
    let ago = paint.paint_text(TextTone::Faint, &paper.relative_time(message.created_at));
    let id = paint.paint_text(TextTone::Strong, &message.id);
    paper.write_line(format!("{id}  {kind}  {} → {}  {ago}", message.from, message.to));
    paper.write_block(message.body.as_deref().unwrap_or_default(), 2);
    for (label, texts) in [("option", &message.options), ("artifact", &message.artifacts)] {
        for text in texts {
            paper.write_note(&format!("  {label}: {}", escape_controls(text)));
        }
    }
    if let Some(default) = &message.default {
        paper.write_note(&format!("  default: {}", escape_controls(default)));
    }
    if let Some(payload) = &message.payload {
        // The payload is for programs; people only see that there is one.
        let line = format!("  payload: {}", escape_controls(payload.as_str()));
        paper.write_note(&truncate_to_width(&line, paper.width()));
    }
}

fn message_tone(kind: MessageKind) -> TextTone {
    match kind {
        MessageKind::Work | MessageKind::Note | MessageKind::Answer => TextTone::Plain,
        MessageKind::Progress | MessageKind::Suggestion => TextTone::Busy,
        MessageKind::Question => TextTone::Attention,
        MessageKind::Result => TextTone::Good,
        MessageKind::Failure => TextTone::Bad,
        MessageKind::Cancel | MessageKind::Late => TextTone::Faint,
    }
}
