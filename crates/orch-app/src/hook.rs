//! `orch hook`: what a client's session is told when it starts, and what holds its stop back.
//!
//! A session is a lead of the runs that it made, drives or took with `orch lead`, and a worker while it holds work
//! that it claimed. To any other session a hook says nothing. Nothing is told twice, and no stop is held back for
//! ever: once for each event that needs the lead, three times for claimed work.

use orch_core::event::AwaitedEvent;
use orch_core::id::{EventId, Slug, ThreadId};
use orch_core::limit;
use orch_core::time::TimeSpan;
use orch_scheduler::run::show_run;
use orch_store::page::PageRequest;
use serde::Deserialize;

use orch_contract::EventView;

use crate::app::App;
use crate::client_session::{SessionRecord, session_of_environment};
use crate::environment::HOOKS;
use crate::error::AppError;
use crate::inbox::ShowThread;
use crate::orch::events::ListEvents;
use crate::orch::wait::WaitForEvents;
use crate::request::Paging;

/// The most bytes that a hook says of news.
pub const NEWS_BYTES_MAX: usize = 500;

/// How often a stop is held back for one thread.
const HOLDS_MAX: u32 = 3;

/// How many events are told at once.
const EVENTS_TOLD: usize = 3;

/// What happened in a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookEvent {
    /// A session begins, is resumed, or has lost its context.
    SessionStart,
    /// A session is about to stop.
    Stop,
    /// A session has stopped, and waits in the background to be woken.
    Wake,
}

/// What a client says of the event. Fields that are absent or of another form are ignored.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct HookInput {
    /// The session.
    #[serde(alias = "sessionId", alias = "sessionID", alias = "thread_id", alias = "thread-id")]
    pub session_id: Option<String>,
}

impl HookInput {
    /// Reads what a client wrote to stdin.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Self {
        serde_json::from_slice(bytes).unwrap_or_default()
    }
}

/// What a hook says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HookAnswer {
    /// The run of which the session needs a brief.
    pub brief_of: Option<Slug>,
    /// What it has to know or do, at most [`NEWS_BYTES_MAX`] bytes; empty where there is nothing.
    pub text: String,
}

impl App<'_> {
    /// Returns what the session is told; nothing where it neither leads a run nor holds work.
    ///
    /// # Errors
    /// There is no store, or it cannot be read.
    pub fn answer_hook(&mut self, event: HookEvent, input: &HookInput) -> Result<HookAnswer, AppError> {
        if self.environment().variable_text(HOOKS)?.as_deref() == Some("off") {
            return Ok(HookAnswer::default());
        }
        let named = input.session_id.clone().filter(|session| !session.is_empty());
        let Some(session) =
            named.map_or_else(|| session_of_environment(self.environment()), |id| Ok(Some(id)))?
        else {
            return Ok(HookAnswer::default());
        };
        let record = self.session_record(&session)?;
        match event {
            HookEvent::SessionStart => self.greet_session(&record),
            HookEvent::Stop => self.hold_stop(&session, &record),
            HookEvent::Wake => self.wait_for_news(&session),
        }
    }

    fn greet_session(&mut self, record: &SessionRecord) -> Result<HookAnswer, AppError> {
        let text = self.open_claim(record)?.map(|thread| held_work_text(&thread)).unwrap_or_default();
        let brief_of = self.unfinished_leads(record).into_iter().next();
        Ok(HookAnswer { brief_of, text })
    }

    fn hold_stop(&mut self, session: &str, record: &SessionRecord) -> Result<HookAnswer, AppError> {
        if let Some(thread) = self.open_claim(record)?
            && record.claims.iter().any(|claim| claim.thread == thread && claim.holds < HOLDS_MAX)
        {
            self.change_session_record(session, |record| {
                let claims = record.claims.iter_mut().filter(|claim| claim.thread == thread);
                claims.for_each(|claim| claim.holds += 1);
            })?;
            return Ok(HookAnswer { brief_of: None, text: held_work_text(&thread) });
        }
        let text = self.untold_news(session, record)?.unwrap_or_default();
        Ok(HookAnswer { brief_of: None, text })
    }

    /// Waits for news of the session's runs until there are some, all have ended, or the session has ended.
    fn wait_for_news(&mut self, session: &str) -> Result<HookAnswer, AppError> {
        let own = std::process::id();
        let client = std::os::unix::process::parent_id();
        self.change_session_record(session, |record| record.waiter = Some(own))?;
        let mut seen = None;
        loop {
            let record = self.session_record(session)?;
            // A later stop of the session has a hook of its own.
            if record.waiter != Some(own) || std::os::unix::process::parent_id() != client {
                return Ok(HookAnswer::default());
            }
            let leads = self.unfinished_leads(&record);
            let text = self.untold_news(session, &record)?;
            if text.is_some() || leads.is_empty() {
                return Ok(HookAnswer { brief_of: None, text: text.unwrap_or_default() });
            }
            // Only what comes after everything that was looked at ends the wait, whether it is acknowledged or not.
            let after = seen.max(self.newest_event()?);
            seen = after.max(self.wait_after(after)?);
        }
    }

    /// Returns the number of the newest event.
    fn newest_event(&mut self) -> Result<Option<EventId>, AppError> {
        let request = ListEvents { run: None, task: None, after: None, limit: 1, newest: true };
        let listed = self.answer(&request, None)?.data;
        Ok(listed.events.last().and_then(|event| EventId::parse(&event.id)))
    }

    /// Waits a part of the time for an event that needs the lead, after the given one.
    fn wait_after(&mut self, after: Option<EventId>) -> Result<Option<EventId>, AppError> {
        let request = self.wait_request(None, after, WAKE_PART)?;
        Ok(EventId::parse(&self.answer(&request, None)?.data.cursor))
    }

    fn wait_request(
        &self,
        run: Option<Slug>,
        after: Option<EventId>,
        timeout: TimeSpan,
    ) -> Result<WaitForEvents, AppError> {
        let agent = self.calling_agent_or("--as", None)?;
        let (kinds, limit) = (Vec::<AwaitedEvent>::new(), limit::LIST_DEFAULT);
        Ok(WaitForEvents { agent, run, kinds, after, timeout, limit, empty_ok: true })
    }

    /// Returns the unfinished runs that the session leads, the newest first.
    fn unfinished_leads(&mut self, record: &SessionRecord) -> Vec<Slug> {
        let mut leads: Vec<Slug> =
            record.leads.iter().rev().filter_map(|name| Slug::new(name).ok()).collect();
        leads.retain(|run| self.is_run_unfinished(run));
        leads
    }

    /// Returns the last claimed thread that is still held, `th-N`.
    fn open_claim(&mut self, record: &SessionRecord) -> Result<Option<String>, AppError> {
        for claim in record.claims.iter().rev() {
            let Some(thread) = ThreadId::parse(&claim.thread) else { continue };
            let paging = Paging { limit: 1, after: None };
            let Ok(shown) = self.answer(&ShowThread { thread, paging }, None) else { continue };
            // A worker that waits for an answer may stop: nothing is lost.
            if shown.data.thread.state.0 == orch_core::thread::ThreadStatus::Claimed {
                return Ok(Some(claim.thread.clone()));
            }
        }
        Ok(None)
    }

    fn is_run_unfinished(&mut self, run: &Slug) -> bool {
        let page = PageRequest { limit: 1, after: None };
        let shown = self.session().ok().and_then(|session| show_run(session, Some(run), &page).ok());
        shown.is_some_and(|shown| shown.run.state.status().is_unfinished())
    }

    /// Returns the events that need the lead and that the session was not told, and records that it was.
    fn untold_news(&mut self, session: &str, record: &SessionRecord) -> Result<Option<String>, AppError> {
        let mut news = Vec::new();
        for run in record.leads.iter().filter_map(|name| Slug::new(name).ok()) {
            let request = self.wait_request(Some(run), None, TimeSpan(0))?;
            // A run that was removed has no news.
            let Ok(waited) = self.answer(&request, None) else { continue };
            news.extend(waited.data.events.into_iter().filter(|event| is_after(event, record.told())));
        }
        let Some(newest) = news.iter().filter_map(|event| EventId::parse(&event.id)).max() else {
            return Ok(None);
        };
        // Another hook of the session may have told it meanwhile.
        let is_told = self.change_session_record(session, |record| {
            let is_told = record.told() >= Some(newest);
            record.told = record.told.max(Some(newest.0));
            is_told
        })?;
        Ok((!is_told).then(|| news_text(&news, newest)))
    }
}

/// The part of a wait after which a waiting hook checks that its session still runs.
const WAKE_PART: TimeSpan = TimeSpan::from_seconds(5);

fn is_after(event: &EventView, told: Option<EventId>) -> bool {
    EventId::parse(&event.id) > told
}

fn held_work_text(thread: &str) -> String {
    format!(
        "You still hold {thread}. Finish it, then report with `inbox done {thread} --result TEXT`, or say why not \
        with `inbox fail {thread} --reason TEXT`. Ask the lead with `inbox ask {thread} TEXT --wait`. To give it \
        back undone: `inbox release {thread}`."
    )
}

/// Describes events, the oldest first, with the command that helps and the one that acknowledges them.
fn news_text(news: &[EventView], newest: EventId) -> String {
    let count = news.len();
    let mut text = match count {
        1 => "1 event of orch needs you:\n".to_owned(),
        _ => format!("{count} events of orch need you, the oldest first:\n"),
    };
    for event in news.iter().take(EVENTS_TOLD) {
        let about = event.task.as_deref().or(event.run.as_deref()).unwrap_or_default();
        let next = event.next.first().map(|next| format!(" -> {next}")).unwrap_or_default();
        text.push_str(&format!("- {} {about}{next}\n", event.kind));
    }
    let end = format!("Everything open: orch blocked. Acknowledge: orch ack --through {newest}");
    let room = NEWS_BYTES_MAX.saturating_sub(end.len() + 4);
    if text.len() > room {
        let cut = (0..=room).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(cut);
        text.push_str("…\n");
    }
    text + &end
}
