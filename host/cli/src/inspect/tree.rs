//! A tree of lines.

use std::fmt;

use crate::terminal::bold;

/// A line with lines below it.
#[derive(Debug, Default)]
pub(super) struct Tree {
    text: String,
    below: Vec<Tree>,
}

impl Tree {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            below: Vec::new(),
        }
    }

    /// A line of a name and a value, the values in one column.
    pub(super) fn field(name: &str, value: impl fmt::Display) -> Self {
        Self::new(format!("{name:<11} {value}"))
    }

    pub(super) fn with(mut self, below: impl IntoIterator<Item = Self>) -> Self {
        self.below.extend(below);
        self
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, before: &str) -> fmt::Result {
        for (index, child) in self.below.iter().enumerate() {
            let last = index + 1 == self.below.len();
            writeln!(
                f,
                "{before}{}{}",
                if last { "└── " } else { "├── " },
                child.text
            )?;
            child.write(
                f,
                &format!("{before}{}", if last { "    " } else { "│   " }),
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", bold(&self.text))?;
        self.write(f, "")
    }
}
