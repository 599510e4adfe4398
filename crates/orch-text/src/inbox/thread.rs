//! Text for threads.

use orch_contract::ThreadView;
use orch_contract::inbox::{ThreadListResponse, ThreadShowResponse};
use orch_core::thread::ThreadStatus;

use crate::{HumanReadable, TableCell, TextPage, TextTable, TextTone, escape_controls};

use super::message::write_messages;

/// Returns the tone of a thread's state.
#[must_use]
pub fn state_tone(state: ThreadStatus) -> TextTone {
    match state {
        ThreadStatus::Queued => TextTone::Plain,
        ThreadStatus::Claimed => TextTone::Busy,
        ThreadStatus::Blocked => TextTone::Attention,
        ThreadStatus::Done => TextTone::Good,
        ThreadStatus::Failed => TextTone::Bad,
        ThreadStatus::Cancelled => TextTone::Faint,
    }
}

/// Writes the facts of a thread.
pub fn write_thread_facts(paper: &mut TextPage, thread: &ThreadView) {
    let paint = paper.painter();
    let state = paint.paint_text(state_tone(thread.state.0), thread.state.0.name());
    let subject = escape_controls(&thread.subject);
    paper.write_line(format!("{}  {state}  {subject}", paint.paint_text(TextTone::Strong, &thread.id)));
    let mut facts = vec![
        format!("{} from {} to {}", thread.kind, thread.from, thread.to),
        format!("priority {}", thread.priority),
        format!("sent {}", paper.relative_time(thread.created_at)),
    ];
    if let Some(holder) = &thread.holder {
        facts.push(format!("held by {holder}"));
    }
    if let Some(expires_at) = thread.lease.and_then(|lease| lease.expires_at) {
        let expired = thread.lease.is_some_and(|lease| lease.expired);
        let word = if expired { "expired" } else { "expires" };
        facts.push(format!("lease {word} {}", paper.relative_time(expires_at)));
    }
    if thread.withdrawn {
        facts.push("withdrawn for now".to_owned());
    }
    paper.write_note(&format!("  {}", facts.join(", ")));
    if let Some(question) = &thread.question {
        let label = paint.paint_text(TextTone::Attention, "asks:");
        paper.write_line(format!(
            "  {label} {}",
            escape_controls(question.body.as_deref().unwrap_or_default().trim_end())
        ));
    }
}

impl HumanReadable for ThreadListResponse {
    fn render_human(&self, paper: &mut TextPage) {
        if self.threads.is_empty() {
            paper.write_line("No threads.");
            return;
        }
        let mut table =
            TextTable::new(&["THREAD", "STATE", "P", "TO", "HOLDER", "MESSAGES", "UPDATED", "SUBJECT"])
                .with_elastic_column(7);
        for thread in &self.threads {
            table.push_row(vec![
                TableCell::new(&thread.id, TextTone::Strong),
                TableCell::new(thread.state.0.name(), state_tone(thread.state.0)),
                TableCell::plain(thread.priority.to_string()),
                TableCell::plain(&thread.to),
                TableCell::plain(thread.holder.as_deref().unwrap_or("-")),
                TableCell::plain(thread.message_count.to_string()),
                TableCell::new(paper.relative_time(thread.updated_at), TextTone::Faint),
                TableCell::plain(&thread.subject),
            ]);
        }
        paper.write_table(&table);
        paper.write_truncation(self.threads.len(), self.total, self.next.as_deref());
    }
}

impl HumanReadable for ThreadShowResponse {
    fn render_human(&self, paper: &mut TextPage) {
        write_thread_facts(paper, &self.thread);
        paper.write_gap();
        write_messages(paper, &self.messages);
        paper.write_truncation(self.messages.len(), self.total, self.next.as_deref());
    }
}
