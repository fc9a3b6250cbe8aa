//! The tables as text: DRM by DRM, rules down and profiles across.

use comfy_table::Cell;
use keybearer_rules::{Column, Drm, Rules};

use super::Cells;
use crate::terminal::{dim, rows, table};

/// All tables. Where the cells are `converted`, those that the built-in profile has otherwise are
/// marked.
pub(super) fn tables(cells: &Cells, converted: bool) -> String {
    let mut text = String::new();
    let mut marked = false;
    // The order of the tables and not that of the alphabet.
    for drm in Drm::ALL {
        let Some(rules) = cells.get(drm.name()) else {
            continue;
        };
        let columns: Vec<Column> = Column::ALL
            .iter()
            .copied()
            .filter(|column| {
                rules
                    .values()
                    .any(|values| values.contains_key(column.name()))
            })
            .collect();
        let header: Vec<&str> = [drm.name()]
            .into_iter()
            .chain(columns.iter().map(|column| column.name()))
            .collect();
        let mut of_drm = table(&header);
        for rule in Rules::names(*drm) {
            let Some(values) = rules.get(rule) else {
                continue;
            };
            let mut row = vec![Cell::new(rule)];
            for column in &columns {
                let value = values.get(column.name()).map_or("", |value| &value.0);
                let built_in = Rules::column(*drm, *column).value(rule);
                let differs =
                    converted && built_in.is_some_and(|built_in| built_in.to_string() != value);
                marked |= differs;
                row.push(Cell::new(match differs {
                    true => format!("{value} *"),
                    false => value.to_owned(),
                }));
            }
            of_drm.add_row(row);
        }
        text += &rows(&mut of_drm, &[]);
        text += "\n";
    }
    if marked {
        text += &dim("* the built-in profile has another value");
        text += "\n";
    } else {
        text.truncate(text.trim_end().len());
        text += "\n";
    }
    text
}
