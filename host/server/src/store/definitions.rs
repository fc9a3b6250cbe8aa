//! What the operator has defined about usage rules: one record, so that it changes whole.

use redb::{ReadableTable, TableDefinition};

use super::{Change, StoreError, View, read, written};
use crate::usage::Definitions;

/// One entry: the definitions.
const USAGE_RULES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("usage_rules");
const DEFINITIONS: &str = "definitions";

impl View {
    /// The definitions; none where nothing was ever defined.
    pub(crate) fn definitions(&self) -> Result<Definitions, StoreError> {
        let Some(table) = self.table(USAGE_RULES)? else {
            return Ok(Definitions::default());
        };
        match table.get(DEFINITIONS)? {
            Some(entry) => read("usage_rules", entry.value()),
            None => Ok(Definitions::default()),
        }
    }
}

impl Change {
    /// The definitions; none where nothing was ever defined.
    pub(crate) fn definitions(&self) -> Result<Definitions, StoreError> {
        let table = self.transaction.open_table(USAGE_RULES)?;
        match table.get(DEFINITIONS)? {
            Some(entry) => read("usage_rules", entry.value()),
            None => Ok(Definitions::default()),
        }
    }

    /// Writes definitions in place of those that were there.
    pub(crate) fn put_definitions(&self, definitions: &Definitions) -> Result<(), StoreError> {
        let bytes = written("usage_rules", definitions)?;
        self.transaction
            .open_table(USAGE_RULES)?
            .insert(DEFINITIONS, bytes.as_slice())?;
        Ok(())
    }
}
