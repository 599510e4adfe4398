//! Threads for people.

use orch_contract::Thread;
use orch_contract::inbox::{ListAnswer, ShowAnswer};
use orch_core::thread::ThreadStatus;

use crate::human::{Cell, Human, Paper, Table, Tone, harmless};

use super::message::messages;

/// How a state is painted.
#[must_use]
pub fn state_tone(state: ThreadStatus) -> Tone {
    match state {
        ThreadStatus::Queued => Tone::Plain,
        ThreadStatus::Claimed => Tone::Busy,
        ThreadStatus::Blocked => Tone::Attention,
        ThreadStatus::Done => Tone::Good,
        ThreadStatus::Failed => Tone::Bad,
        ThreadStatus::Cancelled => Tone::Faint,
    }
}

/// Writes a thread's facts.
pub fn head(paper: &mut Paper, thread: &Thread) {
    let paint = paper.paint();
    let state = paint.text(state_tone(thread.state.0), thread.state.0.name());
    let subject = harmless(&thread.subject);
    paper.line(format!("{}  {state}  {subject}", paint.text(Tone::Strong, &thread.id)));
    let mut facts = vec![
        format!("{} from {} to {}", thread.kind, thread.from, thread.to),
        format!("priority {}", thread.priority),
        format!("sent {}", paper.ago(thread.created_at)),
    ];
    if let Some(holder) = &thread.holder {
        facts.push(format!("held by {holder}"));
    }
    if let Some(expires_at) = thread.lease.and_then(|lease| lease.expires_at) {
        let expired = thread.lease.is_some_and(|lease| lease.expired);
        let word = if expired { "expired" } else { "expires" };
        facts.push(format!("lease {word} {}", paper.ago(expires_at)));
    }
    if thread.withdrawn {
        facts.push("withdrawn for now".to_owned());
    }
    paper.note(&format!("  {}", facts.join(", ")));
    if let Some(question) = &thread.question {
        let label = paint.text(Tone::Attention, "asks:");
        paper
            .line(format!("  {label} {}", harmless(question.body.as_deref().unwrap_or_default().trim_end())));
    }
}

impl Human for ListAnswer {
    fn human(&self, paper: &mut Paper) {
        if self.threads.is_empty() {
            paper.line("No threads.");
            return;
        }
        let mut table =
            Table::new(&["THREAD", "STATE", "P", "TO", "HOLDER", "MESSAGES", "UPDATED", "SUBJECT"])
                .elastic(7);
        for thread in &self.threads {
            table.row(vec![
                Cell::new(&thread.id, Tone::Strong),
                Cell::new(thread.state.0.name(), state_tone(thread.state.0)),
                Cell::plain(thread.priority.to_string()),
                Cell::plain(&thread.to),
                Cell::plain(thread.holder.as_deref().unwrap_or("-")),
                Cell::plain(thread.message_count.to_string()),
                Cell::new(paper.ago(thread.updated_at), Tone::Faint),
                Cell::plain(&thread.subject),
            ]);
        }
        paper.table(&table);
        paper.rest(self.threads.len(), self.total, self.next.as_deref());
    }
}

impl Human for ShowAnswer {
    fn human(&self, paper: &mut Paper) {
        head(paper, &self.thread);
        paper.gap();
        messages(paper, &self.messages);
        paper.rest(self.messages.len(), self.total, self.next.as_deref());
    }
}
