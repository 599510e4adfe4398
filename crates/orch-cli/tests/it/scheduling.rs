//! The moves of a lead and its workers, for stories to be told in.

use serde_json::Value;

use crate::test_environment::{ClaimedThread, TestEnvironment};

impl TestEnvironment {
    /// A folder with a run whose failed tasks may be tried again at once.
    pub(crate) fn with_run(name: &str) -> Self {
        let place = Self::without_store();
        place.begin_run(name, &[]);
        place
    }

    /// Begins a run whose failed tasks may be tried again at once.
    pub(crate) fn begin_run(&self, name: &str, more: &[&str]) -> Value {
        let arguments = ["run", "init", "A goal", "--name", name, "--retry-delay", "0s"];
        self.orch(&[&arguments[..], more].concat()).ok()["run"].clone()
    }

    /// Adds a task with this key, which waits for others.
    pub(crate) fn add_task(&self, key: &str, after: &[&str]) -> Value {
        let mut arguments = vec!["task", "add", "Do it", "--key", key];
        for on in after {
            arguments.extend(["--after", on]);
        }
        self.orch(&arguments).ok()["task"].clone()
    }

    /// Dispatches a task.
    pub(crate) fn dispatch_task(&self, task: &str, agent: &str) -> Value {
        self.orch(&["dispatch", task, "--to", agent]).ok()
    }

    /// Dispatches a task and claims its work as that agent.
    pub(crate) fn start_task(&self, task: &str, agent: &str) -> ClaimedThread {
        self.dispatch_task(task, agent);
        self.claim_work(agent, agent)
    }

    /// Closes claimed work as done.
    pub(crate) fn finish_work(&self, held: &ClaimedThread, result: &str) {
        self.holder_call(held, &["done", &held.thread, "--result", result]).ok();
    }

    /// Closes claimed work as failed.
    pub(crate) fn fail_work(&self, held: &ClaimedThread, reason: &str) {
        self.holder_call(held, &["fail", &held.thread, "--reason", reason]).ok();
    }

    /// A call of `inbox` by the holder of a thread.
    pub(crate) fn holder_call(
        &self,
        held: &ClaimedThread,
        arguments: &[&str],
    ) -> crate::test_environment::CliInvocation {
        self.inbox(&[arguments, &["--token", &held.token]].concat())
    }

    /// Dispatches a task, claims it and reports it.
    pub(crate) fn complete_task(&self, task: &str, agent: &str) {
        let held = self.start_task(task, agent);
        self.finish_work(&held, "Done.");
    }

    /// A task's state.
    pub(crate) fn task_state(&self, task: &str) -> String {
        json_text(&self.orch(&["task", "show", task]).ok()["task"]["state"])
    }

    /// The keys of what can be dispatched, in order.
    pub(crate) fn ready_keys(&self) -> Vec<String> {
        task_keys(&self.orch(&["ready"]).ok()["tasks"])
    }
}

/// The keys of a list of tasks.
pub(crate) fn task_keys(tasks: &Value) -> Vec<String> {
    tasks.as_array().unwrap().iter().map(|task| json_text(&task["key"])).collect()
}

/// The kinds of a list of events.
pub(crate) fn event_kinds(events: &Value) -> Vec<String> {
    events.as_array().unwrap().iter().map(|event| json_text(&event["kind"])).collect()
}

/// The codes of a list of reasons.
pub(crate) fn reason_codes(reasons: &Value) -> Vec<String> {
    reasons.as_array().unwrap().iter().map(|reason| json_text(&reason["code"])).collect()
}

/// A JSON text.
pub(crate) fn json_text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}
