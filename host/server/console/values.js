// Rule values as the tables write them, and the order in which profiles stand side by side.

/** The built-in profiles in the order of the tables. */
const COLUMNS = ['Test', 'SD', 'HD', 'UHD', 'default'];

/** A value as the tables write it. */
export function written(value) {
  if (value === null || value === undefined) return '-';
  if (value === true) return 'TRUE';
  if (value === false) return 'FALSE';
  return String(value);
}

/** What was typed, as a value. The server says whether it is one of the rule's. */
export function read(text) {
  const trimmed = text.trim();
  if (trimmed === '-') return null;
  if (trimmed === 'TRUE') return true;
  if (trimmed === 'FALSE') return false;
  // Numbers that JavaScript holds exactly; longer ones stay text, which the server reads as well.
  return /^\d{1,15}$/.test(trimmed) ? Number(trimmed) : trimmed;
}

/** Profiles in the order of the tables, added ones behind by name. */
export function ordered(profiles) {
  const place = ({ id }) => (COLUMNS.includes(id) ? COLUMNS.indexOf(id) : COLUMNS.length);
  return [...profiles].sort((a, b) => place(a) - place(b) || a.id.localeCompare(b.id));
}

/** The values of a rule that are worth suggesting: both truths, or what the profiles have. */
export function suggestions(profiles, family, rule) {
  const found = new Set(profiles.map((profile) => profile.rules[family]?.[rule]).filter((value) => value !== undefined));
  if ([...found].some((value) => typeof value === 'boolean')) {
    found.add(true);
    found.add(false);
  }
  return [...new Set([...found].map(written))].sort();
}
