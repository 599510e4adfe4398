//! The dependency graph of a plan: ranks, levels, cycles. Works on indices in one pass.

use std::collections::VecDeque;

/// The ranks and levels of a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphLayout {
    /// For each task the length of its longest chain of dependents, in tasks.
    pub ranks: Vec<u32>,
    /// How many levels the graph has: the length of its longest chain, in tasks.
    pub levels: u32,
}

/// A cycle of the graph: its tasks in order, the first one repeated at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DependencyCycle(pub Vec<usize>);

/// Ranks `tasks` tasks by Kahn's topological sort (1962) from the leaves backwards.
///
/// `edges` are pairs (task, on): `task` waits for `on`.
/// `floor` gives the minimum ranks that tasks have from dependents outside this graph; missing entries are 0.
///
/// # Errors
/// The edges form a cycle.
pub fn layout_graph(
    tasks: usize,
    edges: &[(usize, usize)],
    floor: &[u32],
) -> Result<GraphLayout, DependencyCycle> {
    let forward = AdjacencyList::new(tasks, edges.iter().copied());
    let mut dependents_left = vec![0_u32; tasks];
    for &(_, on) in edges {
        dependents_left[on] += 1;
    }
    let mut ranks: Vec<u32> = (0..tasks).map(|task| floor.get(task).copied().unwrap_or(0)).collect();
    let mut queue: VecDeque<usize> = (0..tasks).filter(|task| dependents_left[*task] == 0).collect();
    let mut placed = 0;
    while let Some(task) = queue.pop_front() {
        placed += 1;
        for &on in forward.neighbours(task) {
            ranks[on] = ranks[on].max(ranks[task] + 1);
            dependents_left[on] -= 1;
            if dependents_left[on] == 0 {
                queue.push_back(on);
            }
        }
    }
    if placed < tasks {
        return Err(find_cycle(&forward, &dependents_left));
    }
    let levels = ranks.iter().max().map_or(0, |rank| rank + 1);
    Ok(GraphLayout { ranks, levels })
}

/// Walks from a task that could not be ranked until a task repeats.
///
/// A task that could not be ranked has a dependent that could not be ranked either,
/// so the walk moves from a task to such a dependent; the cycle is the reversed walk.
fn find_cycle(forward: &AdjacencyList, dependents_left: &[u32]) -> DependencyCycle {
    let stuck = |task: &usize| dependents_left[*task] > 0;
    let mut dependent_of = vec![usize::MAX; dependents_left.len()];
    for task in (0..dependents_left.len()).filter(stuck) {
        for &on in forward.neighbours(task).iter().filter(|on| stuck(on)) {
            dependent_of[on] = task;
        }
    }
    let Some(start) = (0..dependents_left.len()).find(stuck) else { return DependencyCycle(Vec::new()) };
    let mut order = vec![usize::MAX; dependents_left.len()];
    let mut walk = Vec::new();
    let mut task = start;
    while order[task] == usize::MAX {
        order[task] = walk.len();
        walk.push(task);
        task = dependent_of[task];
    }
    let mut cycle = walk.split_off(order[task]);
    cycle.push(task);
    cycle.reverse();
    DependencyCycle(cycle)
}

/// Adjacency lists in two arrays.
struct AdjacencyList {
    starts: Vec<usize>,
    targets: Vec<usize>,
}

impl AdjacencyList {
    fn new(nodes: usize, edges: impl Iterator<Item = (usize, usize)> + Clone) -> Self {
        let mut starts = vec![0_usize; nodes + 1];
        for (from, _) in edges.clone() {
            starts[from + 1] += 1;
        }
        for node in 0..nodes {
            starts[node + 1] += starts[node];
        }
        let mut targets = vec![0; starts[nodes]];
        let mut next = starts.clone();
        for (from, to) in edges {
            targets[next[from]] = to;
            next[from] += 1;
        }
        Self { starts, targets }
    }

    fn neighbours(&self, node: usize) -> &[usize] {
        &self.targets[self.starts[node]..self.starts[node + 1]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_diamond_has_three_levels() {
        let layout = layout_graph(4, &[(1, 0), (2, 0), (3, 1), (3, 2)], &[]).unwrap();
        assert_eq!(layout, GraphLayout { ranks: vec![2, 1, 1, 0], levels: 3 });
    }

    #[test]
    fn ranks_begin_at_the_floor() {
        assert_eq!(layout_graph(2, &[(1, 0)], &[0, 5]).unwrap().ranks, vec![6, 5]);
        assert_eq!(layout_graph(0, &[], &[]).unwrap().levels, 0);
    }

    #[test]
    fn a_cycle_is_named() {
        let DependencyCycle(cycle) =
            layout_graph(5, &[(1, 0), (2, 1), (3, 2), (1, 3), (4, 3)], &[]).unwrap_err();
        assert_eq!(cycle.first(), cycle.last());
        assert_eq!(cycle.len(), 4);
        for pair in cycle.windows(2) {
            assert!([(2, 1), (3, 2), (1, 3)].contains(&(pair[0], pair[1])), "{cycle:?}");
        }
        assert_eq!(layout_graph(1, &[(0, 0)], &[]), Err(DependencyCycle(vec![0, 0])));
    }

    proptest! {
        #[test]
        fn any_graph_is_ranked_or_has_a_real_cycle(
            edges in proptest::collection::btree_set((0_usize..12, 0_usize..12), 0..40)
        ) {
            let edges: Vec<_> = edges.into_iter().collect();
            match layout_graph(12, &edges, &[]) {
                Ok(layout) => {
                    for &(task, on) in &edges {
                        prop_assert!(layout.ranks[on] > layout.ranks[task]);
                    }
                    for (node, rank) in layout.ranks.iter().enumerate().filter(|(_, rank)| **rank > 0) {
                        prop_assert!(edges.iter().any(|&(task, on)| on == node && layout.ranks[task] + 1 == *rank));
                    }
                }
                Err(DependencyCycle(cycle)) => {
                    prop_assert!(cycle.len() >= 2);
                    prop_assert_eq!(cycle.first(), cycle.last());
                    for pair in cycle.windows(2) {
                        prop_assert!(edges.contains(&(pair[0], pair[1])));
                    }
                }
            }
        }
    }
}
