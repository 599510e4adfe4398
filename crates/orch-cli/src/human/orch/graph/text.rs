//! A graph for a terminal: level by level, each task with its state and what it waits for.

use unicode_width::UnicodeWidthStr;

use super::{Drawing, Node, levels};
use crate::human::orch::{counted, state};
use crate::human::table::cut;
use crate::human::{Paper, Tone, harmless};

/// The most tasks that are drawn one by one; larger graphs are summed up by level.
const TASKS_DRAWN: usize = 120;

/// The most levels of a summary.
const LEVELS_DRAWN: usize = 40;

/// The widest column of keys.
const KEY_WIDTH: usize = 24;

/// Draws the graph.
pub(crate) fn draw(paper: &mut Paper, drawing: &Drawing<'_>) {
    if drawing.nodes.is_empty() {
        paper.line(format!("{} has no tasks yet.", drawing.run));
        return;
    }
    let mut by_level: Vec<Vec<usize>> = Vec::new();
    for (node, level) in levels(drawing).into_iter().enumerate() {
        if by_level.len() <= level {
            by_level.resize_with(level + 1, Vec::new);
        }
        by_level[level].push(node);
    }
    let run = paper.paint().text(Tone::Strong, drawing.run);
    paper.line(format!(
        "{run}: {}, {}, {}",
        counted(drawing.nodes.len(), "task", "tasks"),
        counted(by_level.len(), "level", "levels"),
        counted(drawing.edges.len(), "dependency", "dependencies"),
    ));
    paper.gap();
    if drawing.nodes.len() <= TASKS_DRAWN {
        one_by_one(paper, drawing, &by_level);
    } else {
        summed_up(paper, drawing, &by_level);
    }
    paper.gap();
    let tally = tally(paper, paper.width(), drawing.nodes.iter());
    paper.line(tally);
}

fn one_by_one(paper: &mut Paper, drawing: &Drawing<'_>, by_level: &[Vec<usize>]) {
    let mut waits_for: Vec<Vec<&str>> = vec![Vec::new(); drawing.nodes.len()];
    for &(task, on) in &drawing.edges {
        waits_for[task].push(drawing.nodes[on].key);
    }
    let digits = by_level.len().to_string().len();
    let keys = drawing.nodes.iter().map(|node| node.key.width()).max().unwrap_or(0).min(KEY_WIDTH);
    for (level, members) in by_level.iter().enumerate() {
        for (place, &member) in members.iter().enumerate() {
            let number = if place == 0 { (level + 1).to_string() } else { String::new() };
            let branch = match (place == 0, place + 1 == members.len()) {
                (true, true) => "─",
                (true, false) => "┬",
                (false, false) => "├",
                (false, true) => "└",
            };
            let room = paper.width().saturating_sub(digits + 3);
            let task = task(paper, drawing.nodes[member], &waits_for[member], keys, room);
            paper.line(format!("{number:>digits$} {branch} {task}"));
        }
    }
}

/// Glyph, key, title and what the task waits for, in `width` columns; the title gives way first.
fn task(paper: &Paper, node: Node<'_>, waits_for: &[&str], keys: usize, width: usize) -> String {
    let paint = paper.paint();
    let key = cut(node.key, keys);
    let padding = " ".repeat(keys.saturating_sub(key.width()));
    let name = paint.text(state::tone(node.state), &format!("{} {key}", state::glyph(node.state)));
    let room = width.saturating_sub(keys + 4);
    let waits = wait_list(waits_for, room / 2);
    let title = cut(&harmless(node.title), room.saturating_sub(waits.width()));
    format!("{name}{padding}  {title}{}", paint.text(Tone::Faint, &waits))
}

/// "  ← a, b, +3" in at most `width` columns; empty for a task that waits for nothing.
fn wait_list(keys: &[&str], width: usize) -> String {
    let Some((first, others)) = keys.split_first() else { return String::new() };
    let mut list = format!("  ← {first}");
    for (place, key) in others.iter().enumerate() {
        let last = place + 1 == others.len();
        let reserve = if last { 0 } else { ", +99".width() };
        if list.width() + 2 + key.width() + reserve > width {
            list.push_str(&format!(", +{}", others.len() - place));
            break;
        }
        list.push_str(", ");
        list.push_str(key);
    }
    cut(&list, width.max(12))
}

fn summed_up(paper: &mut Paper, drawing: &Drawing<'_>, by_level: &[Vec<usize>]) {
    const NAMES_SHOWN: usize = 4;
    let digits = by_level.len().to_string().len();
    for (level, members) in by_level.iter().enumerate().take(LEVELS_DRAWN) {
        let indent = digits + 3;
        let width = paper.width().saturating_sub(indent);
        let tally = tally(paper, width, members.iter().map(|member| &drawing.nodes[*member]));
        let tally = tally.replace('\n', &format!("\n{:indent$}", ""));
        let mut names =
            members.iter().take(NAMES_SHOWN).map(|member| drawing.nodes[*member].key).collect::<Vec<_>>();
        if members.len() > NAMES_SHOWN {
            names.push("…");
        }
        paper.line(format!("{:>digits$} ─ {tally}", level + 1));
        let names = cut(&names.join(" "), paper.width().saturating_sub(digits + 3));
        paper.note(&format!("{:digits$}   {names}", ""));
    }
    if by_level.len() > LEVELS_DRAWN {
        let rest = &by_level[LEVELS_DRAWN..];
        let tasks: usize = rest.iter().map(Vec::len).sum();
        paper.note(&format!(
            "… and {} more with {}; orch graph --format dot draws all of them.",
            counted(rest.len(), "level", "levels"),
            counted(tasks, "task", "tasks")
        ));
    }
}

/// How many tasks are in which state.
fn tally<'a>(paper: &Paper, width: usize, nodes: impl Iterator<Item = &'a Node<'a>> + Clone) -> String {
    let mut counts = orch_core::run::Counts::default();
    for node in nodes {
        counts.add(node.state);
    }
    state::tally(paper.paint(), width, |state| counts.of(state))
}

#[cfg(test)]
mod tests {
    use orch_core::task::TaskState;
    use orch_core::time::Time;

    use super::*;
    use crate::human::Paint;
    use crate::human::orch::graph::tests::diamond;

    fn drawn(drawing: &Drawing<'_>, width: usize) -> String {
        let mut paper = Paper::new(Paint { colour: false }, width, Time(0));
        draw(&mut paper, drawing);
        paper.finish()
    }

    #[test]
    fn a_diamond() {
        assert_eq!(
            drawn(&diamond(), 80),
            "\
ship: 4 tasks, 3 levels, 4 dependencies

1 ─ ✓ schema   Write the schema
2 ┬ ● api      Build the \"API\" <v2> & #1 `x`⏎line  ← schema
  └ ○ ui       Build the UI  ← schema
3 ─ · release  Release  ← api, ui

· 1 waiting  ○ 1 ready  ● 1 running  ✓ 1 done
"
        );
    }

    #[test]
    fn lines_fit_the_terminal() {
        let keys: Vec<String> =
            (0..60).map(|number| format!("a-rather-long-key-for-task-{number}")).collect();
        let title =
            "A title that goes on and on and on and on and on and on and on and on, 日本語".to_owned();
        let nodes = keys.iter().map(|key| Node { key, title: &title, state: TaskState::Waiting }).collect();
        let edges =
            (1..60).flat_map(|task| (0..task.min(7)).map(move |back| (task, task - back - 1))).collect();
        let drawing = Drawing { run: "wide", nodes, edges };
        for width in [80, 60] {
            for line in drawn(&drawing, width).lines() {
                assert!(line.width() <= width, "{} {line}", line.width());
            }
        }
    }

    #[test]
    fn a_large_graph_is_summed_up() {
        let keys: Vec<String> = (0..5_000).map(|number| format!("t{number}")).collect();
        let state = |number: usize| if number < 50 { TaskState::Done } else { TaskState::Waiting };
        let nodes = keys
            .iter()
            .enumerate()
            .map(|(number, key)| Node { key, title: "x", state: state(number) })
            .collect();
        let edges = (50..5_000).map(|task| (task, task - 50)).collect();
        let page = drawn(&Drawing { run: "large", nodes, edges }, 80);
        assert!(page.lines().count() < 100, "{page}");
        assert!(page.contains("  1 ─ ✓ 50 done\n      t0 t1 t2 t3 …\n"), "{page}");
        assert!(page.contains("… and 60 levels more with 3000 tasks"), "{page}");
        assert!(page.ends_with("\n· 4950 waiting  ✓ 50 done\n"), "{page}");
    }

    #[test]
    fn an_empty_run_says_so() {
        assert_eq!(
            drawn(&Drawing { run: "ship", nodes: Vec::new(), edges: Vec::new() }, 80),
            "ship has no tasks yet.\n"
        );
    }
}
