//! The moves of a lead and its workers, for stories to be told in.

use serde_json::Value;

use crate::place::{Held, Place};

impl Place {
    /// A folder with a run whose failed tasks may be tried again at once.
    pub(crate) fn with_run(name: &str) -> Self {
        let place = Self::empty();
        place.begin(name, &[]);
        place
    }

    /// Begins a run whose failed tasks may be tried again at once.
    pub(crate) fn begin(&self, name: &str, more: &[&str]) -> Value {
        let arguments = ["run", "init", "A goal", "--name", name, "--retry-delay", "0s"];
        self.orch(&[&arguments[..], more].concat()).ok()["run"].clone()
    }

    /// Adds a task with this key, which waits for others.
    pub(crate) fn task(&self, key: &str, after: &[&str]) -> Value {
        let mut arguments = vec!["task", "add", "Do it", "--key", key];
        for on in after {
            arguments.extend(["--after", on]);
        }
        self.orch(&arguments).ok()["task"].clone()
    }

    /// Dispatches a task.
    pub(crate) fn dispatch(&self, task: &str, agent: &str) -> Value {
        self.orch(&["dispatch", task, "--to", agent]).ok()
    }

    /// Dispatches a task and claims its work as that agent.
    pub(crate) fn begun(&self, task: &str, agent: &str) -> Held {
        self.dispatch(task, agent);
        self.claim(agent, agent)
    }

    /// Closes claimed work as done.
    pub(crate) fn finish(&self, held: &Held, result: &str) {
        self.holding(held, &["done", &held.thread, "--result", result]).ok();
    }

    /// Closes claimed work as failed.
    pub(crate) fn give_up(&self, held: &Held, reason: &str) {
        self.holding(held, &["fail", &held.thread, "--reason", reason]).ok();
    }

    /// A call of `inbox` by the holder of a thread.
    pub(crate) fn holding(&self, held: &Held, arguments: &[&str]) -> crate::place::Call {
        self.inbox(&[arguments, &["--token", &held.token]].concat())
    }

    /// Dispatches a task, claims it and reports it.
    pub(crate) fn do_task(&self, task: &str, agent: &str) {
        let held = self.begun(task, agent);
        self.finish(&held, "Done.");
    }

    /// A task's state.
    pub(crate) fn state(&self, task: &str) -> String {
        text(&self.orch(&["task", "show", task]).ok()["task"]["state"])
    }

    /// The keys of what can be dispatched, in order.
    pub(crate) fn ready(&self) -> Vec<String> {
        keys(&self.orch(&["ready"]).ok()["tasks"])
    }
}

/// The keys of a list of tasks.
pub(crate) fn keys(tasks: &Value) -> Vec<String> {
    tasks.as_array().unwrap().iter().map(|task| text(&task["key"])).collect()
}

/// The kinds of a list of events.
pub(crate) fn kinds(events: &Value) -> Vec<String> {
    events.as_array().unwrap().iter().map(|event| text(&event["kind"])).collect()
}

/// The codes of a list of reasons.
pub(crate) fn codes(reasons: &Value) -> Vec<String> {
    reasons.as_array().unwrap().iter().map(|reason| text(&reason["code"])).collect()
}

/// A JSON text.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}
