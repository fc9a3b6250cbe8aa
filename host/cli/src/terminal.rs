//! What the command prints, and where: results to standard output, everything else to standard
//! error. Colours, borders and progress bars appear only where a person looks.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use clap::builder::styling::{AnsiColor, Style};
use comfy_table::{
    Attribute, Cell, Color, ColumnConstraint, ContentArrangement, Row, Table, Width, presets,
};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::exit::Exit;
use crate::failure::Failure;

/// Colours of the help, the same as of everything else.
pub(crate) const STYLES: clap::builder::Styles = clap::builder::Styles::styled()
    .header(AnsiColor::Cyan.on_default().bold())
    .usage(AnsiColor::Cyan.on_default().bold())
    .literal(Style::new().bold())
    .placeholder(AnsiColor::Green.on_default());

const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const WARN: Style = AnsiColor::Yellow.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();
const DIM: Style = Style::new().dimmed();

/// How the command speaks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminal {
    /// One JSON document on standard output instead of text.
    pub(crate) json: bool,
    /// No progress and no remarks.
    pub(crate) quiet: bool,
}

impl Terminal {
    /// Prints a result. The text may hold colours; they are taken out where nobody sees them.
    pub(crate) fn print(self, text: &str) -> Result<(), Failure> {
        let mut out = anstream::stdout().lock();
        written(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
    }

    /// Prints a result as JSON.
    pub(crate) fn print_json(self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value).map_err(|error| {
            Failure::new(Exit::Output, "the result cannot be written as JSON").cause(&error)
        })?;
        let mut out = std::io::stdout().lock();
        written(writeln!(out, "{text}").and_then(|()| out.flush()))
    }

    /// A step, for people who watch.
    pub(crate) fn say(self, text: impl AsRef<str>) {
        if !self.quiet {
            to_stderr(&format!("{DIM}{}{DIM:#}\n", text.as_ref()));
        }
    }

    /// Something that is not an error but should not pass unseen.
    pub(crate) fn warn(self, text: impl AsRef<str>) {
        to_stderr(&format!("{WARN}warning:{WARN:#} {}\n", text.as_ref()));
    }

    /// Reports a failure: on standard error, and with `--json` on standard output as well, so that a
    /// program that reads it always finds one document.
    pub(crate) fn fail(self, failure: &Failure) {
        if failure.quiet {
            return;
        }
        self.complain(failure);
        if self.json {
            document(failure);
        }
    }

    /// Tells people of a failure.
    pub(crate) fn complain(self, failure: &Failure) {
        let mut text = format!("{BAD}error:{BAD:#} {}\n", failure.what);
        for cause in &failure.causes {
            text.push_str(&format!("  {DIM}because:{DIM:#} {cause}\n"));
        }
        if let Some(hint) = &failure.hint {
            text.push_str(&format!("{HINT}hint:{HINT:#} {hint}\n"));
        }
        to_stderr(&text);
    }

    /// A progress bar over bytes, shown only on a terminal.
    pub(crate) fn progress(self, name: &str, total: Option<u64>) -> ProgressBar {
        if self.quiet || !std::io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let (bar, template) = match total {
            Some(total) => (
                ProgressBar::new(total),
                "{msg:20!} {bar:28.cyan/dim} {bytes:>10} of {total_bytes:10} {eta:>4}",
            ),
            None => (ProgressBar::no_length(), "{msg:20!} {spinner} {bytes:>10}"),
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━╸─"));
        }
        bar.set_message(name.to_owned());
        bar.enable_steady_tick(Duration::from_millis(200));
        bar
    }
}

/// A failure as the one document on standard output.
pub(crate) fn document(failure: &Failure) {
    let report = serde_json::json!({ "error": failure.document() });
    let terminal = Terminal {
        json: true,
        quiet: false,
    };
    // The exit code tells it as well: a reader that went away changes nothing.
    let _ = terminal.print_json(&report);
}

/// Standard error is for people: if it is gone there is nobody to tell.
fn to_stderr(text: &str) {
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
}

fn written(result: std::io::Result<()>) -> Result<(), Failure> {
    result.map_err(|error| {
        let mut failure = Failure::new(Exit::Output, "standard output cannot be written");
        failure.quiet = error.kind() == std::io::ErrorKind::BrokenPipe;
        failure.cause(&error)
    })
}

/// Whether results may be drawn for a person: a terminal that shows colours.
fn drawn() -> bool {
    let out = std::io::stdout();
    let choice = anstream::AutoStream::choice(&out);
    out.is_terminal() && choice != anstream::ColorChoice::Never
}

/// Columns of the terminal that results go to. `None` in a pipe, and on a terminal that does not know
/// its size (a serial console, a pseudo-terminal that nobody sized) and says 0.
fn width() -> Option<u16> {
    // Asked of a table, since one that draws no colours would not ask by itself.
    let columns = std::io::stdout()
        .is_terminal()
        .then(|| Table::new().width())
        .flatten();
    columns.filter(|columns| *columns > 0)
}

/// A table of plain columns. On a terminal its header stands out and long cells are wrapped; where
/// there is no width every row is one line.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    if drawn() {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    if let Some(width) = width() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(width);
    }
    if !header.is_empty() {
        let bold = |name| {
            Cell::new(name)
                .fg(Color::Cyan)
                .add_attribute(Attribute::Bold)
        };
        table.set_header(header.iter().map(bold));
    }
    table
}

/// A cell that says yes or no.
pub(crate) fn verdict(good: bool, text: &str) -> Cell {
    let cell = Cell::new(text).add_attribute(Attribute::Bold);
    cell.fg(if good { Color::Green } else { Color::Red })
}

/// Blanks on both sides of a cell.
const PADDING: usize = 2;

/// The rows of a table as text, each line without trailing blanks. No word is broken: what a narrow
/// terminal has no room for are the columns in `spare`, which go one after another.
pub(crate) fn rows(table: &mut Table, spare: &[usize]) -> String {
    if let Some(width) = table.width().filter(|_| width().is_some()) {
        let mut least = longest_words(table);
        let total = |least: &[usize]| least.iter().sum::<usize>();
        for column in spare {
            if total(&least) > usize::from(width)
                && let (Some(words), Some(column)) =
                    (least.get_mut(*column), table.column_mut(*column))
            {
                *words = 0;
                column.set_constraint(ColumnConstraint::Hidden);
            }
        }
        for (number, words) in least.iter().enumerate().filter(|(_, words)| **words > 0) {
            if let Some(column) = table.column_mut(number) {
                let words = Width::Fixed(u16::try_from(*words).unwrap_or(u16::MAX));
                column.set_constraint(ColumnConstraint::LowerBoundary(words));
            }
        }
    }
    table
        .to_string()
        .lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect()
}

/// The longest word of each column, with the blanks around it.
fn longest_words(table: &mut Table) -> Vec<usize> {
    let mut least = vec![0; table.column_count()];
    let cells = |row: &Row| row.cell_iter().map(Cell::content).collect::<Vec<_>>();
    for row in table.header().into_iter().chain(table.row_iter()) {
        for (least, text) in least.iter_mut().zip(cells(row)) {
            let words = text.split_whitespace().map(|word| word.chars().count());
            *least = words
                .max()
                .map_or(0, |longest| longest + PADDING)
                .max(*least);
        }
    }
    least
}

/// A text behind `indent` blanks, broken between words where the terminal is narrower.
pub(crate) fn wrapped(text: &str, indent: usize) -> String {
    wrapped_to(width().map_or(usize::MAX, usize::from), text, indent)
}

fn wrapped_to(width: usize, text: &str, indent: usize) -> String {
    let (mut all, mut line) = (String::new(), String::new());
    for word in text.split_whitespace() {
        let wanted = indent + line.chars().count() + 1 + word.chars().count();
        if !line.is_empty() && wanted > width {
            all += &format!("{:indent$}{line}\n", "");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line += word;
    }
    all + &format!("{:indent$}{line}\n", "")
}

/// A text in the colour of success or failure.
pub(crate) fn coloured(good: bool, text: &str) -> String {
    let style = if good { GOOD } else { BAD };
    format!("{style}{text}{style:#}")
}

/// A text that stands back.
pub(crate) fn dim(text: &str) -> String {
    format!("{DIM}{text}{DIM:#}")
}

/// A heading.
pub(crate) fn bold(text: &str) -> String {
    let bold = Style::new().bold();
    format!("{bold}{text}{bold:#}")
}

#[cfg(test)]
mod tests {
    use super::wrapped_to;

    #[test]
    fn lines_break_between_words_only() {
        let text = "the key may be used";
        assert_eq!(wrapped_to(usize::MAX, text, 2), "  the key may be used\n");
        assert_eq!(wrapped_to(12, text, 2), "  the key\n  may be\n  used\n");
        assert_eq!(wrapped_to(3, text, 0), "the\nkey\nmay\nbe\nused\n");
        assert_eq!(wrapped_to(3, "unbreakable", 1), " unbreakable\n");
    }
}
