//! Text for the changing commands of `inbox`, its waits and its list of agents.

use orch_contract::inbox::{
    AskResponse, ClaimResponse, CloseResponse, InboxAgentsResponse, MessageAckResponse, MessageWaitResponse,
    ProgressResponse, RenewResponse, ReplyResponse, SendResponse, SuggestResponse, ThreadResponse,
    WorkerRunResponse,
};
use orch_contract::{MessageOrSummary, MessageView};

use crate::{HumanReadable, TableCell, TextPage, TextTable, TextTone, escape_controls};

use super::message::write_messages;
use super::thread::write_thread_facts;

impl HumanReadable for SendResponse {
    fn render_human(&self, paper: &mut TextPage) {
        paper.write_line(format!("Sent {} to {}.", self.message.id(), self.message.to()));
        write_thread_facts(paper, &self.thread);
        write_full_message(paper, &self.message);
    }
}

impl HumanReadable for ClaimResponse {
    fn render_human(&self, paper: &mut TextPage) {
        let Some(thread) = &self.thread else {
            paper.write_line("Nothing to claim.");
            return;
        };
        write_thread_facts(paper, thread);
        if let Some(token) = self.lease.as_ref().and_then(|lease| lease.token.as_deref()) {
            let label = paper.painter().paint_text(TextTone::Strong, "token:");
            paper.write_line(format!("  {label} {token}"));
        }
        paper.write_gap();
        write_messages(paper, &self.messages);
        if let Some(token) = self.lease.as_ref().and_then(|lease| lease.token.as_deref()) {
            paper.write_gap();
            paper.write_note(&format!(
                "When it is done: inbox done {} --token {token} --result TEXT",
                thread.id
            ));
        }
    }
}

impl HumanReadable for RenewResponse {
    fn render_human(&self, paper: &mut TextPage) {
        match self.lease.expires_at {
            Some(expires_at) => {
                paper.write_line(format!("The lease expires {}.", paper.relative_time(expires_at)));
            }
            None => paper.write_line("A question is open; the lease is suspended."),
        }
        write_unread(paper, self.unread, &self.messages);
    }
}

impl HumanReadable for ProgressResponse {
    fn render_human(&self, paper: &mut TextPage) {
        paper.write_line(format!(
            "Told {} as {}; the lease is renewed.",
            self.message.to(),
            self.message.id()
        ));
        write_full_message(paper, &self.message);
        write_unread(paper, self.unread, &self.messages);
    }
}

impl HumanReadable for SuggestResponse {
    fn render_human(&self, paper: &mut TextPage) {
        let message = &self.message;
        paper.write_line(format!("Suggested to {} as {}; the work continues.", message.to, message.id));
    }
}

impl HumanReadable for AskResponse {
    fn render_human(&self, paper: &mut TextPage) {
        match &self.answer {
            Some(answer) => {
                paper.write_line(format!("{} answers:", answer.from));
                paper.write_block(answer.body.as_deref().unwrap_or_default(), 2);
            }
            None => {
                paper.write_line(format!(
                    "Asked {} as {}; the work is blocked until it is answered.",
                    self.question.to, self.question.id
                ));
                let MessageView { thread, from, .. } = &self.question;
                paper.write_note(&format!(
                    "Wait for the answer: inbox wait --for {from} --thread {thread} --kind answer"
                ));
            }
        }
    }
}

impl HumanReadable for ReplyResponse {
    fn render_human(&self, paper: &mut TextPage) {
        paper.write_line(format!(
            "Answered {} as {}; the work continues.",
            self.message.to(),
            self.message.id()
        ));
        write_full_message(paper, &self.message);
    }
}

impl HumanReadable for MessageWaitResponse {
    fn render_human(&self, paper: &mut TextPage) {
        if self.messages.is_empty() {
            paper.write_line(format!("Nothing came after {}.", self.cursor));
            return;
        }
        write_messages(paper, &self.messages);
        paper.write_gap();
        write_ack_hint(paper, &self.messages);
    }
}

impl HumanReadable for MessageAckResponse {
    fn render_human(&self, paper: &mut TextPage) {
        paper.write_line(format!("Acknowledged through {}.", self.cursor));
    }
}

impl HumanReadable for CloseResponse {
    fn render_human(&self, paper: &mut TextPage) {
        write_thread_facts(paper, &self.thread);
        write_full_message(paper, &self.message);
    }
}

impl HumanReadable for ThreadResponse {
    fn render_human(&self, paper: &mut TextPage) {
        write_thread_facts(paper, &self.thread);
    }
}

impl HumanReadable for InboxAgentsResponse {
    fn render_human(&self, paper: &mut TextPage) {
        if self.agents.is_empty() {
            paper.write_line("No agents yet.");
            return;
        }
        let mut table = TextTable::new(&["AGENT", "LAST SEEN", "CLAIMED", "QUEUED", "UNREAD"]);
        for agent in &self.agents {
            let seen = agent.last_seen_at.map_or_else(|| "never".to_owned(), |at| paper.relative_time(at));
            table.push_row(vec![
                TableCell::new(&agent.name, TextTone::Strong),
                TableCell::plain(seen),
                TableCell::plain(agent.claimed.to_string()),
                TableCell::plain(agent.queued.to_string()),
                TableCell::plain(agent.unread.to_string()),
            ]);
        }
        paper.write_table(&table);
        paper.write_truncation(self.agents.len(), self.total, self.next.as_deref());
    }
}

/// Writes a message with its full text.
fn write_full_message(paper: &mut TextPage, message: &MessageOrSummary) {
    if let MessageOrSummary::Full(message) = message {
        paper.write_gap();
        write_messages(paper, std::slice::from_ref(message));
    }
}

/// Writes how many messages the holder has not read.
fn write_unread(paper: &mut TextPage, count: u64, notes: &[MessageView]) {
    if count == 0 {
        return;
    }
    let plural = if count == 1 { "message" } else { "messages" };
    let label = paper.painter().paint_text(TextTone::Attention, &format!("{count} unread {plural}:"));
    paper.write_line(label);
    write_messages(paper, notes);
    write_ack_hint(paper, notes);
}

/// Writes how to acknowledge messages, which are all addressed to one agent.
fn write_ack_hint(paper: &mut TextPage, messages: &[MessageView]) {
    let Some(last) = messages.last() else { return };
    let they = if messages.len() == 1 { "it is" } else { "they are" };
    paper.write_gap();
    paper.write_note(&format!("When {they} dealt with: inbox ack --for {} --through {}", last.to, last.id));
}

impl HumanReadable for WorkerRunResponse {
    fn render_human(&self, paper: &mut TextPage) {
        let why = self.detail.as_deref().unwrap_or("");
        paper.write_line(format!("{}  {}  {}", self.thread, self.outcome.0.name(), escape_controls(why)));
    }
}
