//! What the changing commands of `inbox`, its waits and its list of agents tell people.

use orch_contract::inbox::{
    AckAnswer, AgentsAnswer, AskAnswer, ClaimAnswer, CloseAnswer, ProgressAnswer, RenewAnswer, ReplyAnswer,
    RunAnswer, SendAnswer, ThreadAnswer, WaitAnswer,
};
use orch_contract::{Message, MessageShown};

use crate::human::{Cell, Human, Paper, Table, Tone, harmless};

use super::message::messages;
use super::thread::head;

impl Human for SendAnswer {
    fn human(&self, paper: &mut Paper) {
        paper.line(format!("Sent {} to {}.", self.message.id(), self.message.to()));
        head(paper, &self.thread);
        whole(paper, &self.message);
    }
}

impl Human for ClaimAnswer {
    fn human(&self, paper: &mut Paper) {
        let Some(thread) = &self.thread else {
            paper.line("There is nothing to claim.");
            return;
        };
        head(paper, thread);
        if let Some(token) = self.lease.as_ref().and_then(|lease| lease.token.as_deref()) {
            let label = paper.paint().text(Tone::Strong, "token:");
            paper.line(format!("  {label} {token}"));
        }
        paper.gap();
        messages(paper, &self.messages);
        if let Some(token) = self.lease.as_ref().and_then(|lease| lease.token.as_deref()) {
            paper.gap();
            paper.note(&format!("When it is done: inbox done {} --token {token} --result TEXT", thread.id));
        }
    }
}

impl Human for RenewAnswer {
    fn human(&self, paper: &mut Paper) {
        match self.lease.expires_at {
            Some(expires_at) => paper.line(format!("The lease expires {}.", paper.ago(expires_at))),
            None => paper.line("A question is open; the lease does not run."),
        }
        unread(paper, self.unread, &self.messages);
    }
}

impl Human for ProgressAnswer {
    fn human(&self, paper: &mut Paper) {
        paper.line(format!("Told {} as {}; the lease is renewed.", self.message.to(), self.message.id()));
        whole(paper, &self.message);
        unread(paper, self.unread, &self.messages);
    }
}

impl Human for AskAnswer {
    fn human(&self, paper: &mut Paper) {
        match &self.answer {
            Some(answer) => {
                paper.line(format!("{} answers:", answer.from));
                paper.block(answer.body.as_deref().unwrap_or_default(), 2);
            }
            None => {
                paper.line(format!(
                    "Asked {} as {}; the work is blocked until it is answered.",
                    self.question.to, self.question.id
                ));
                let Message { thread, from, .. } = &self.question;
                paper.note(&format!(
                    "Wait for the answer: inbox wait --for {from} --thread {thread} --kind answer"
                ));
            }
        }
    }
}

impl Human for ReplyAnswer {
    fn human(&self, paper: &mut Paper) {
        paper.line(format!("Answered {} as {}; the work goes on.", self.message.to(), self.message.id()));
        whole(paper, &self.message);
    }
}

impl Human for WaitAnswer {
    fn human(&self, paper: &mut Paper) {
        if self.messages.is_empty() {
            paper.line(format!("Nothing came after {}.", self.cursor));
            return;
        }
        messages(paper, &self.messages);
        paper.gap();
        acknowledge(paper, &self.messages);
    }
}

impl Human for AckAnswer {
    fn human(&self, paper: &mut Paper) {
        paper.line(format!("Acknowledged through {}.", self.cursor));
    }
}

impl Human for CloseAnswer {
    fn human(&self, paper: &mut Paper) {
        head(paper, &self.thread);
        whole(paper, &self.message);
    }
}

impl Human for ThreadAnswer {
    fn human(&self, paper: &mut Paper) {
        head(paper, &self.thread);
    }
}

impl Human for AgentsAnswer {
    fn human(&self, paper: &mut Paper) {
        if self.agents.is_empty() {
            paper.line("No agents yet.");
            return;
        }
        let mut table = Table::new(&["AGENT", "LAST SEEN", "CLAIMED", "QUEUED", "UNREAD"]);
        for agent in &self.agents {
            let seen = agent.last_seen_at.map_or_else(|| "never".to_owned(), |at| paper.ago(at));
            table.row(vec![
                Cell::new(&agent.name, Tone::Strong),
                Cell::plain(seen),
                Cell::plain(agent.claimed.to_string()),
                Cell::plain(agent.queued.to_string()),
                Cell::plain(agent.unread.to_string()),
            ]);
        }
        paper.table(&table);
        paper.rest(self.agents.len(), self.total, self.next.as_deref());
    }
}

/// Writes a message that is shown whole.
fn whole(paper: &mut Paper, message: &MessageShown) {
    if let MessageShown::Full(message) = message {
        paper.gap();
        messages(paper, std::slice::from_ref(message));
    }
}

/// Writes what a holder has not read.
fn unread(paper: &mut Paper, count: u64, notes: &[Message]) {
    if count == 0 {
        return;
    }
    let plural = if count == 1 { "message" } else { "messages" };
    let label = paper.paint().text(Tone::Attention, &format!("{count} unread {plural}:"));
    paper.line(label);
    messages(paper, notes);
    acknowledge(paper, notes);
}

/// Writes how to acknowledge messages, which are all to one agent.
fn acknowledge(paper: &mut Paper, messages: &[Message]) {
    let Some(last) = messages.last() else { return };
    let they = if messages.len() == 1 { "it is" } else { "they are" };
    paper.gap();
    paper.note(&format!("When {they} dealt with: inbox ack --for {} --through {}", last.to, last.id));
}

impl Human for RunAnswer {
    fn human(&self, paper: &mut Paper) {
        let why = self.detail.as_deref().unwrap_or("");
        paper.line(format!("{}  {}  {}", self.thread, self.outcome.0.name(), harmless(why)));
    }
}
