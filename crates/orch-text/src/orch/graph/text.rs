//! A graph for a terminal, level by level: each task with its state and its dependencies.

use unicode_width::UnicodeWidthStr;

use super::{GraphDrawing, GraphNode, node_levels};
use crate::orch::{counted_noun, state};
use crate::table::truncate_to_width;
use crate::{TextPage, TextTone, escape_controls};

/// The most tasks that are drawn individually; larger graphs are summarised by level.
const TASKS_DRAWN: usize = 120;

/// The most levels of a summary.
const LEVELS_DRAWN: usize = 40;

/// The widest column of keys.
const KEY_WIDTH: usize = 24;

/// Draws the graph.
pub fn draw_graph(paper: &mut TextPage, drawing: &GraphDrawing<'_>) {
    if drawing.nodes.is_empty() {
        paper.write_line(format!("{} has no tasks yet.", drawing.run));
        return;
    }
    let mut by_level: Vec<Vec<usize>> = Vec::new();
    for (node, level) in node_levels(drawing).into_iter().enumerate() {
        if by_level.len() <= level {
            by_level.resize_with(level + 1, Vec::new);
        }
        by_level[level].push(node);
    }
    let run = paper.painter().paint_text(TextTone::Strong, drawing.run);
    paper.write_line(format!(
        "{run}: {}, {}, {}",
        counted_noun(drawing.nodes.len(), "task", "tasks"),
        counted_noun(by_level.len(), "level", "levels"),
        counted_noun(drawing.edges.len(), "dependency", "dependencies"),
    ));
    paper.write_gap();
    if drawing.nodes.len() <= TASKS_DRAWN {
        draw_each_task(paper, drawing, &by_level);
    } else {
        draw_summary(paper, drawing, &by_level);
    }
    paper.write_gap();
    let tally = level_tally(paper, paper.width(), drawing.nodes.iter());
    paper.write_line(tally);
}

fn draw_each_task(paper: &mut TextPage, drawing: &GraphDrawing<'_>, by_level: &[Vec<usize>]) {
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
            let task = task_row(paper, drawing.nodes[member], &waits_for[member], keys, room);
            paper.write_line(format!("{number:>digits$} {branch} {task}"));
        }
    }
}

/// Formats glyph, key, title and dependencies in `width` columns; the title is shortened first.
fn task_row(paper: &TextPage, node: GraphNode<'_>, waits_for: &[&str], keys: usize, width: usize) -> String {
    let paint = paper.painter();
    let key = truncate_to_width(node.key, keys);
    let padding = " ".repeat(keys.saturating_sub(key.width()));
    let name =
        paint.paint_text(state::state_tone(node.state), &format!("{} {key}", state::state_glyph(node.state)));
    let room = width.saturating_sub(keys + 4);
    let waits = wait_list(waits_for, room / 2);
    let title = truncate_to_width(&escape_controls(node.title), room.saturating_sub(waits.width()));
    format!("{name}{padding}  {title}{}", paint.paint_text(TextTone::Faint, &waits))
}

/// Formats `  ← a, b, +3` in at most `width` columns; empty for a task without dependencies.
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
    truncate_to_width(&list, width.max(12))
}

fn draw_summary(paper: &mut TextPage, drawing: &GraphDrawing<'_>, by_level: &[Vec<usize>]) {
    const NAMES_SHOWN: usize = 4;
    let digits = by_level.len().to_string().len();
    for (level, members) in by_level.iter().enumerate().take(LEVELS_DRAWN) {
        let indent = digits + 3;
        let width = paper.width().saturating_sub(indent);
        let tally = level_tally(paper, width, members.iter().map(|member| &drawing.nodes[*member]));
        let tally = tally.replace('\n', &format!("\n{:indent$}", ""));
        let mut names =
            members.iter().take(NAMES_SHOWN).map(|member| drawing.nodes[*member].key).collect::<Vec<_>>();
        if members.len() > NAMES_SHOWN {
            names.push("…");
        }
        paper.write_line(format!("{:>digits$} ─ {tally}", level + 1));
        let names = truncate_to_width(&names.join(" "), paper.width().saturating_sub(digits + 3));
        paper.write_note(&format!("{:digits$}   {names}", ""));
    }
    if by_level.len() > LEVELS_DRAWN {
        let rest = &by_level[LEVELS_DRAWN..];
        let tasks: usize = rest.iter().map(Vec::len).sum();
        paper.write_note(&format!(
            "… and {} more with {}; orch graph --format dot draws all of them.",
            counted_noun(rest.len(), "level", "levels"),
            counted_noun(tasks, "task", "tasks")
        ));
    }
}

/// Writes how many tasks are in each state.
fn level_tally<'a>(
    paper: &TextPage,
    width: usize,
    nodes: impl Iterator<Item = &'a GraphNode<'a>> + Clone,
) -> String {
    let mut counts = orch_core::run::TaskCounts::default();
    for node in nodes {
        counts.add_task(node.state);
    }
    state::format_tally(paper.painter(), width, |state| counts.in_state(state))
}

#[cfg(test)]
mod tests {
    use orch_core::task::TaskState;
    use orch_core::time::Time;

    use super::*;
    use crate::TextPainter;
    use crate::orch::graph::tests::diamond_graph;

    fn draw_to_text(drawing: &GraphDrawing<'_>, width: usize) -> String {
        let mut paper = TextPage::new(TextPainter { colour: false }, width, Time(0));
        draw_graph(&mut paper, drawing);
        paper.into_text()
    }

    #[test]
    fn a_diamond() {
        assert_eq!(
            draw_to_text(&diamond_graph(), 80),
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
        let nodes =
            keys.iter().map(|key| GraphNode { key, title: &title, state: TaskState::Waiting }).collect();
        let edges =
            (1..60).flat_map(|task| (0..task.min(7)).map(move |back| (task, task - back - 1))).collect();
        let drawing = GraphDrawing { run: "wide", nodes, edges };
        for width in [80, 60] {
            for line in draw_to_text(&drawing, width).lines() {
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
            .map(|(number, key)| GraphNode { key, title: "x", state: state(number) })
            .collect();
        let edges = (50..5_000).map(|task| (task, task - 50)).collect();
        let page = draw_to_text(&GraphDrawing { run: "large", nodes, edges }, 80);
        assert!(page.lines().count() < 100, "{page}");
        assert!(page.contains("  1 ─ ✓ 50 done\n      t0 t1 t2 t3 …\n"), "{page}");
        assert!(page.contains("… and 60 levels more with 3000 tasks"), "{page}");
        assert!(page.ends_with("\n· 4950 waiting  ✓ 50 done\n"), "{page}");
    }

    #[test]
    fn an_empty_run_says_so() {
        assert_eq!(
            draw_to_text(&GraphDrawing { run: "ship", nodes: Vec::new(), edges: Vec::new() }, 80),
            "ship has no tasks yet.\n"
        );
    }
}
