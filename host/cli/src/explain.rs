//! `keybearer explain`: the words and numbers that this project's parts say, in plain English.

mod preflight;
mod topics;

use clap::Args;
use comfy_table::{Cell, CellAlignment};

use crate::failure::Failure;
use crate::terminal::{Terminal, bold, dim, rows, table, wrapped};
use preflight::Preflight;
use topics::{GROUPS, Topic, all};

const EXAMPLES: &str = "\
Examples:
  keybearer explain                  list everything
  keybearer explain LevelTooLow      a word: every part that says it
  keybearer explain 128              a number: every part that says it
  keybearer explain denial 9         of one part only
  keybearer explain exit             a whole part
  keybearer explain --policy UHD --outputs hdmi:2.2,analog
                                     what UHD allows with these outputs

The parts: key-status, reason, status, denial, service-code, level, exit.";

/// Explain a status, reason, denial, number or exit code
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Explain {
    /// A word, a number, a part, or a part and a word or number
    #[arg(conflicts_with = "policy")]
    topic: Vec<String>,
    #[command(flatten)]
    preflight: Preflight,
}

impl Explain {
    pub(crate) fn run(self, terminal: Terminal) -> Result<(), Failure> {
        if let Some(column) = self.preflight.policy() {
            return self.preflight.run(column, terminal);
        }
        let found = find(&self.topic)?;
        if terminal.json {
            return terminal.print_json(&found);
        }
        let text = if self.topic.is_empty() || found.len() > 4 {
            list(&found)
        } else {
            tell(&found)
        };
        terminal.print(&text)
    }
}

/// The topics that the words name.
fn find(words: &[String]) -> Result<Vec<Topic>, Failure> {
    let mut found = all();
    let mut rest = words;
    if let Some((first, behind)) = words.split_first()
        && let Some((group, _)) = GROUPS
            .iter()
            .find(|(group, _)| plain(group) == plain(first))
    {
        found.retain(|topic| topic.group == *group);
        rest = behind;
    }
    if !rest.is_empty() {
        let wanted = plain(&rest.concat());
        let near = |topic: &Topic| plain(&topic.name).contains(&wanted);
        let mut names: Vec<String> = found
            .iter()
            .filter(|topic| near(topic))
            .map(|topic| topic.name.clone())
            .collect();
        names.dedup();
        found.retain(|topic| {
            plain(&topic.name) == wanted || topic.number.is_some_and(|n| n.to_string() == wanted)
        });
        if found.is_empty() {
            let what = format!("nothing here is called {:?}", words.join(" "));
            return Err(Failure::usage(what).hint(if names.is_empty() {
                "`keybearer explain` lists everything".to_owned()
            } else {
                format!("did you mean {}?", names.join(" or "))
            }));
        }
    }
    Ok(found)
}

/// A word as it is compared: `level too low`, `level-too-low` and `LevelTooLow` are one.
fn plain(word: &str) -> String {
    word.chars()
        .filter(|c| c.is_ascii_alphanumeric())
        .collect::<String>()
        .to_ascii_lowercase()
}

fn tell(topics: &[Topic]) -> String {
    let mut text = String::new();
    for topic in topics {
        let number = topic
            .number
            .map(|number| format!(" {number}"))
            .unwrap_or_default();
        text += &format!(
            "{}  {}\n",
            bold(&topic.name),
            dim(&format!("{}{number}", topic.group))
        );
        text += &wrapped(&topic.meaning, 2);
        if let Some(advice) = topic.advice {
            text += &wrapped(&format!("What to do: {advice}."), 2);
        }
    }
    text
}

fn list(topics: &[Topic]) -> String {
    let mut text = String::new();
    for (group, what) in GROUPS {
        let mut of_group = table(&[]);
        for topic in topics.iter().filter(|topic| topic.group == *group) {
            let number = topic
                .number
                .map(|number| number.to_string())
                .unwrap_or_default();
            let number = Cell::new(number).set_alignment(CellAlignment::Right);
            of_group.add_row([number, Cell::new(&topic.name), Cell::new(&topic.meaning)]);
        }
        if !of_group.is_empty() {
            text += &format!(
                "{}  {}\n{}",
                bold(group),
                dim(what),
                rows(&mut of_group, &[])
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{all, find, plain};

    fn named(words: &[&str]) -> Vec<String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let found = find(&words).expect("something");
        found
            .iter()
            .map(|topic| format!("{} {}", topic.group, topic.name))
            .collect()
    }

    #[test]
    fn words_numbers_and_parts_are_found() {
        assert_eq!(
            named(&["level too low"]),
            ["status LevelTooLow", "denial LevelTooLow"]
        );
        assert_eq!(named(&["denial", "9"]), ["denial LevelTooLow"]);
        assert_eq!(named(&["128"]), ["status LevelTooLow"]);
        assert_eq!(named(&["4008"]), ["service-code 4008"]);
        assert_eq!(
            named(&["output-restricted"]),
            ["key-status output-restricted"]
        );
        assert_eq!(named(&["exit", "130"]), ["exit interrupted"]);
    }

    #[test]
    fn near_misses_are_suggested() {
        let failure = find(&["level-too".to_owned()]).expect_err("no such word");
        assert_eq!(failure.hint.as_deref(), Some("did you mean LevelTooLow?"));
    }

    #[test]
    fn no_two_topics_of_a_part_share_name_or_number() {
        let topics = all();
        for (index, topic) in topics.iter().enumerate() {
            for other in topics[index + 1..]
                .iter()
                .filter(|other| other.group == topic.group)
            {
                assert_ne!(plain(&topic.name), plain(&other.name));
                assert!(
                    topic.number.is_none() || topic.number != other.number,
                    "{}",
                    topic.name
                );
            }
        }
    }
}
