//! Text for profiles.

use orch_contract::orch::profile::{ProfileView, ProfilesResponse};

use crate::{HumanReadable, TableCell, TextPage, TextTable, TextTone, escape_controls};

impl HumanReadable for ProfilesResponse {
    fn render_human(&self, paper: &mut TextPage) {
        let mut table = TextTable::new(&["PROFILE", "PROGRAM", "WORKERS", "RESUMES", "USAGE", "SOURCE"])
            .with_elastic_column(5);
        for profile in &self.profiles {
            table.push_row(vec![
                TableCell::new(&profile.name, TextTone::Strong),
                program_cell(profile),
                TableCell::plain(profile.workers.to_string()),
                TableCell::plain(match profile.resumable {
                    Some(true) => "yes",
                    Some(false) => "no",
                    None => "-",
                }),
                TableCell::plain(profile.metered.as_deref().unwrap_or("-")),
                TableCell::new(profile.source.as_deref().unwrap_or("-"), TextTone::Faint),
            ]);
        }
        paper.write_table(&table);
        for profile in &self.profiles {
            if let Some(problem) = &profile.problem {
                write_warning(paper, problem);
            }
            let Some(cooldown) = &profile.cooldown else { continue };
            let until = cooldown.until.map(|until| format!(" until {until}")).unwrap_or_default();
            let told = if cooldown.told_by_provider { ", as its provider says" } else { "" };
            let reason = cooldown.reason.as_deref().unwrap_or(cooldown.cause.0.name());
            write_warning(paper, &format!("No worker of {} is started{until}{told}: {reason}", profile.name));
            paper.write_line(format!("  orch profile resume {}", profile.name));
        }
    }
}

fn write_warning(paper: &mut TextPage, text: &str) {
    paper.write_gap();
    let mark = paper.painter().paint_text(TextTone::Attention, "!");
    paper.write_line(format!("{mark} {}", escape_controls(text)));
}

fn program_cell(profile: &ProfileView) -> TableCell {
    let Some(program) = &profile.program else { return TableCell::plain("-") };
    match (profile.command_found, &profile.version) {
        (Some(false), _) => TableCell::new(format!("{program}, not installed"), TextTone::Bad),
        (_, Some(version)) => TableCell::plain(format!("{program}, {version}")),
        _ => TableCell::plain(program),
    }
}
