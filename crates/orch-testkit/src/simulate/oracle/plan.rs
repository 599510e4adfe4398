//! Adding a plan in the oracle.

use std::collections::BTreeSet;

use super::{OracleModel, OracleRunState, OracleTask, OwnTaskState};

/// One task of a plan.
#[derive(Clone, Debug)]
pub(crate) struct PlanLine {
    pub(crate) key: Option<&'static str>,
    pub(crate) after: Vec<&'static str>,
}

impl OracleModel {
    /// Adds a plan; `update` replaces the dependencies of existing tasks, which are refused otherwise.
    pub(crate) fn apply_plan(
        &mut self,
        run: usize,
        lines: &[PlanLine],
        update: bool,
        new: &OracleTask,
    ) -> Result<String, &'static str> {
        if self.runs[run].state == OracleRunState::Cancelled {
            return Err("RunNotOpen");
        }
        let keys = self.keys_of(run, lines)?;
        let there: Vec<Option<usize>> = keys.iter().map(|key| self.runs[run].task_index(key)).collect();
        if !update && there.iter().any(Option::is_some) {
            return Err("TaskExists");
        }
        let (mut added, mut changed, mut edges) = (0, 0, 0);
        let first = self.runs[run].tasks.len();
        for (index, key) in keys.iter().enumerate().filter(|(index, _)| there[*index].is_none()) {
            let mut seen = BTreeSet::new();
            for on in &lines[index].after {
                if !seen.insert(on) {
                    return Err("DependencyExists");
                }
                if !keys.iter().any(|key| key == on) {
                    self.find_task(run, on)?;
                }
            }
            let born = self.task_count();
            self.runs[run].tasks.push(OracleTask { key: key.clone(), born, ..new.clone() });
            added += 1;
        }
        for (index, key) in keys.iter().enumerate().filter(|(index, _)| there[*index].is_none()) {
            let (_, task) = self.find_task(run, key)?;
            for on in &lines[index].after {
                let (_, on) = self.find_task(run, on)?;
                if on == task || self.runs[run].waits_for(on, task) {
                    return Err("DependencyCycle");
                }
                self.runs[run].tasks[task].after.insert(on);
                edges += 1;
            }
        }
        let mut rewired = Vec::new();
        for (index, task) in there.into_iter().enumerate().filter_map(|(index, task)| Some((index, task?))) {
            rewired.extend(self.remove_dependencies(run, task, &lines[index].after));
        }
        changed += rewired.len();
        for (task, new) in rewired {
            self.add_edges((run, task), &new)?;
            edges += new.len();
        }
        let ready = keys.iter().filter(|key| {
            self.runs[run].task_index(key).is_some_and(|task| self.runs[run].task_state(task) == "ready")
        });
        let (ready, all) = (ready.count(), self.runs[run].tasks.len() - first);
        assert_eq!(all, added, "a plan adds what is new");
        Ok(format!("+{added} ~{changed} edges {edges} ready {ready}"))
    }

    /// Returns every line's key; generated keys avoid the given ones.
    fn keys_of(&mut self, run: usize, lines: &[PlanLine]) -> Result<Vec<String>, &'static str> {
        let given: Vec<String> = lines.iter().filter_map(|line| line.key).map(str::to_owned).collect();
        if given.iter().collect::<BTreeSet<_>>().len() < given.len() {
            return Err("TaskExists");
        }
        let mut keys = Vec::new();
        for line in lines {
            keys.push(match line.key {
                Some(key) => key.to_owned(),
                None => self.next_key(run, &given),
            });
        }
        Ok(keys)
    }

    /// Removes the dependencies that a plan does not name; returns it with the new ones, or `None` if nothing changes.
    fn remove_dependencies(
        &mut self,
        run: usize,
        task: usize,
        after: &[&'static str],
    ) -> Option<(usize, Vec<&'static str>)> {
        if self.runs[run].tasks[task].base != OwnTaskState::Free {
            return None;
        }
        let now = self.runs[run].tasks[task].after.clone();
        let key = |place: &usize| self.runs[run].tasks[*place].key.clone();
        let keep: BTreeSet<usize> =
            now.iter().copied().filter(|place| after.contains(&key(place).as_str())).collect();
        let new: Vec<&'static str> =
            after.iter().copied().filter(|on| !now.iter().any(|place| key(place) == *on)).collect();
        let gone = keep.len() < now.len();
        self.runs[run].tasks[task].after = keep;
        (gone || !new.is_empty()).then_some((task, new))
    }
}
