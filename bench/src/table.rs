//! What is printed: Markdown, so that a run can be pasted into the README as it is.

/// A table under way.
pub(crate) struct ReportTable {
    heading: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl ReportTable {
    /// A table with these columns.
    pub(crate) fn new(heading: &[&str]) -> Self {
        Self { heading: heading.iter().map(|&name| name.to_owned()).collect(), rows: Vec::new() }
    }

    /// Adds a row.
    pub(crate) fn push_row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Prints it with aligned columns, numbers to the right.
    pub(crate) fn print(&self) {
        let all = || std::iter::once(&self.heading).chain(&self.rows);
        let widths: Vec<usize> = (0..self.heading.len())
            .map(|column| all().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max())
            .map(|width| width.unwrap_or(0).max(3))
            .collect();
        let right = |column: usize| {
            let cells = || self.rows.iter().filter_map(|row| row.get(column)).filter(|cell| *cell != "–");
            cells().all(|cell| cell.starts_with(|first: char| first.is_ascii_digit() || first == '-'))
        };
        for (index, row) in all().enumerate() {
            let cells = row.iter().enumerate().map(|(column, cell)| {
                let space = " ".repeat(widths[column].saturating_sub(cell.chars().count()));
                if right(column) { format!("{space}{cell}") } else { format!("{cell}{space}") }
            });
            println!("| {} |", cells.collect::<Vec<_>>().join(" | "));
            if index == 0 {
                let dashes = widths.iter().enumerate().map(|(column, width)| {
                    if right(column) { format!("{}:", "-".repeat(width - 1)) } else { "-".repeat(*width) }
                });
                println!("| {} |", dashes.collect::<Vec<_>>().join(" | "));
            }
        }
        println!();
    }
}

/// A number with as many digits as it deserves.
pub(crate) fn format_number(number: f64) -> String {
    match number.abs() {
        _ if number.is_nan() => "–".to_owned(),
        size if size >= 1_000.0 => format!("{number:.0}"),
        size if size >= 100.0 => format!("{number:.1}"),
        size if size >= 0.1 => format!("{number:.2}"),
        _ => format!("{number:.3}"),
    }
}

/// Whether a target is met, in words.
pub(crate) fn verdict_text(met: bool) -> String {
    if met { "met" } else { "MISSED" }.to_owned()
}

/// A sentence under a table.
pub(crate) fn print_sentence(sentence: &str) {
    println!("{sentence}\n");
}

/// The heading of one benchmark.
pub(crate) fn print_heading(text: &str) {
    println!("## {text}\n");
}
