//! The picture of a graph of tasks: levels as columns, and lines from each task to those that wait for it.

use std::collections::{BTreeMap, BTreeSet};

use orch_contract::orch::graph::GraphResponse;
use serde::Serialize;

/// The most tasks that are drawn; a larger graph is shown by its levels, and drawn around one task.
pub(super) const DRAWN_MAX: usize = 60;

/// The distance of columns and of rows, in the units of the picture.
const COLUMN: usize = 220;
const ROW: usize = 52;

/// The size of a box.
const BOX: (usize, usize) = (180, 36);

/// How far from a task its neighbourhood reaches, in steps.
const NEIGHBOUR_STEPS: usize = 2;

/// A picture.
#[derive(Debug, Serialize)]
pub(super) struct GraphPicture {
    width: usize,
    height: usize,
    box_width: usize,
    box_height: usize,
    boxes: Vec<TaskBox>,
    lines: Vec<GraphLine>,
}

/// A task in the picture.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct TaskBox {
    key: String,
    title: String,
    state: String,
    x: usize,
    y: usize,
}

/// A line from the right of a task to the left of one that waits for it.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct GraphLine {
    x1: usize,
    y1: usize,
    x2: usize,
    y2: usize,
    /// The distance of the curve's control points from its ends.
    bend: usize,
}

/// A level: the tasks whose longest chain of dependencies has the same length.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct GraphLevel {
    number: usize,
    total: usize,
    /// How many of its tasks are in each state, by the state's name.
    states: BTreeMap<String, usize>,
}

/// A graph by positions in its list of tasks.
struct IndexedGraph<'a> {
    graph: &'a GraphResponse,
    /// What each task waits for.
    needs: Vec<Vec<usize>>,
    levels: Vec<usize>,
}

impl<'a> IndexedGraph<'a> {
    fn new(graph: &'a GraphResponse) -> Self {
        let places: BTreeMap<&str, usize> =
            graph.tasks.iter().enumerate().map(|(place, task)| (task.id.as_str(), place)).collect();
        let mut needs = vec![Vec::new(); graph.tasks.len()];
        for edge in &graph.dependencies {
            if let (Some(task), Some(on)) = (places.get(edge.task.as_str()), places.get(edge.on.as_str())) {
                needs[*task].push(*on);
            }
        }
        let levels = find_levels(&needs);
        Self { graph, needs, levels }
    }

    fn state(&self, place: usize) -> String {
        self.graph.tasks[place].state.to_string()
    }
}

/// Returns the length of the longest chain that ends at each task. A graph of tasks has no cycles.
fn find_levels(needs: &[Vec<usize>]) -> Vec<usize> {
    let mut waiting: Vec<usize> = needs.iter().map(Vec::len).collect();
    let mut dependents = vec![Vec::new(); needs.len()];
    for (task, needed) in needs.iter().enumerate() {
        for on in needed {
            dependents[*on].push(task);
        }
    }
    let mut levels = vec![0; needs.len()];
    let mut free: Vec<usize> = (0..needs.len()).filter(|task| waiting[*task] == 0).collect();
    while let Some(task) = free.pop() {
        for dependent in &dependents[task] {
            levels[*dependent] = levels[*dependent].max(levels[task] + 1);
            waiting[*dependent] -= 1;
            if waiting[*dependent] == 0 {
                free.push(*dependent);
            }
        }
    }
    levels
}

/// Counts the tasks of each level.
pub(super) fn count_levels(graph: &GraphResponse) -> Vec<GraphLevel> {
    let indexed = IndexedGraph::new(graph);
    let mut levels: BTreeMap<usize, GraphLevel> = BTreeMap::new();
    for (place, number) in indexed.levels.iter().enumerate() {
        let level = levels
            .entry(*number)
            .or_insert_with(|| GraphLevel { number: number + 1, ..GraphLevel::default() });
        level.total += 1;
        *level.states.entry(indexed.state(place)).or_default() += 1;
    }
    levels.into_values().collect()
}

/// Draws a graph, or what lies around the task with this key.
pub(super) fn draw_graph(graph: &GraphResponse, around: Option<&str>) -> GraphPicture {
    let indexed = IndexedGraph::new(graph);
    let center = around.and_then(|key| graph.tasks.iter().position(|task| task.key == key));
    let shown = match center {
        Some(center) => indexed.neighbourhood(center),
        None => (0..graph.tasks.len().min(DRAWN_MAX)).collect(),
    };
    indexed.draw(&shown)
}

impl IndexedGraph<'_> {
    /// Returns the tasks within some steps of one, itself included, the nearest first up to the most that are drawn.
    fn neighbourhood(&self, center: usize) -> BTreeSet<usize> {
        let mut shown = BTreeSet::from([center]);
        let mut edge = vec![center];
        for _ in 0..NEIGHBOUR_STEPS {
            let near: Vec<usize> = (0..self.needs.len())
                .filter(|task| !shown.contains(task))
                .filter(|task| {
                    edge.iter()
                        .any(|from| self.needs[*from].contains(task) || self.needs[*task].contains(from))
                })
                .take(DRAWN_MAX.saturating_sub(shown.len()))
                .collect();
            shown.extend(&near);
            edge = near;
        }
        shown
    }

    fn draw(&self, shown: &BTreeSet<usize>) -> GraphPicture {
        let mut columns: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for place in shown {
            columns.entry(self.levels[*place]).or_default().push(*place);
        }
        let mut rows: BTreeMap<usize, usize> = BTreeMap::new();
        let mut points: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
        let (mut width, mut height) = (0, 0);
        for (column, mut places) in columns.into_values().enumerate() {
            // A task stands beside the middle of what it waits for.
            places.sort_by_key(|place| {
                let above: Vec<usize> =
                    self.needs[*place].iter().filter_map(|on| rows.get(on).copied()).collect();
                let middle = above.iter().sum::<usize>() * 2 / above.len().max(1);
                (middle, *place)
            });
            for (row, place) in places.iter().enumerate() {
                rows.insert(*place, row);
                points.insert(*place, (column * COLUMN + 8, row * ROW + 8));
                width = width.max(column * COLUMN + BOX.0 + 16);
                height = height.max(row * ROW + BOX.1 + 16);
            }
        }
        let boxes = points.iter().map(|(place, (x, y))| TaskBox {
            key: self.graph.tasks[*place].key.clone(),
            title: self.graph.tasks[*place].title.clone(),
            state: self.state(*place),
            x: *x,
            y: *y,
        });
        let lines = points.iter().flat_map(|(place, to)| {
            let from = self.needs[*place].iter().filter_map(|on| points.get(on));
            from.map(|from| line_between(*from, *to))
        });
        GraphPicture {
            width,
            height,
            box_width: BOX.0,
            box_height: BOX.1,
            boxes: boxes.collect(),
            lines: lines.collect(),
        }
    }
}

fn line_between(from: (usize, usize), to: (usize, usize)) -> GraphLine {
    let (x1, x2) = (from.0 + BOX.0, to.0);
    GraphLine { x1, y1: from.1 + BOX.1 / 2, x2, y2: to.1 + BOX.1 / 2, bend: x2.saturating_sub(x1) / 2 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_the_length_of_the_longest_chain() {
        // 0 ← 1 ← 2, 0 ← 2, and 3 alone.
        assert_eq!(find_levels(&[vec![], vec![0], vec![1, 0], vec![]]), [0, 1, 2, 0]);
        assert_eq!(find_levels(&[]), Vec::<usize>::new());
    }

    #[test]
    fn lines_lead_from_right_to_left() {
        let line = line_between((8, 8), (228, 60));
        assert_eq!(line, GraphLine { x1: 188, y1: 26, x2: 228, y2: 78, bend: 20 });
    }
}
