// What was granted and refused, newest first, with the rule that decided. It follows the server as
// long as it is looked at.

import { get } from './api.js';
import { badge, choices, el, heading, notify, short, table, time } from './dom.js';

/** How often the server is asked for news, in milliseconds. */
const EVERY = 2000;
/** Entries on one page. */
const PAGE = 100;

const FILTERS = [
  { value: 'all', label: 'All', of: () => true },
  { value: 'granted', label: 'Granted', of: ({ event }) => event === 'license' },
  { value: 'refused', label: 'Refused', of: ({ event, refused }) => event === 'denial' || (refused ?? []).length > 0 },
];
let filter = FILTERS[0];

export async function showLicences(main) {
  const known = { models: {}, contents: {} };
  const totals = el('dl', { class: 'totals' });
  const shown = el('div', { class: 'panel' });
  const older = el('button', { type: 'button', onclick: () => page(false) }, 'Older');
  const newest = el('button', { type: 'button', onclick: () => page(true) }, 'Newest');
  let [entries, before] = [[], null];
  const draw = () => {
    const found = entries.filter(filter.of);
    older.disabled = entries.length < PAGE;
    newest.hidden = before === null;
    shown.replaceChildren(
      found.length === 0
        ? el('p', { class: 'empty' }, 'Nothing yet.')
        : table('Recent licences', ['Time', 'What', 'Device', 'Content', 'Decided by'], found.map((entry) => logRow(entry, known))),
    );
  };
  const load = async () => {
    const query = `/log?newest=true&limit=${PAGE}${before === null ? '' : `&before=${before}`}`;
    const asked = before;
    const log = await get(query);
    // Another page was asked for meanwhile.
    if (asked !== before) return;
    const same = log.entries.length === entries.length && log.entries[0]?.number === entries[0]?.number;
    totals.replaceChildren(
      ...total('Licences', log.totals.licenses),
      ...total('Denials', log.totals.denials),
      ...total('Devices certified', log.totals.provisions),
    );
    entries = log.entries;
    Object.assign(known, { models: log.models, contents: log.contents });
    if (!same) draw();
  };
  const page = async (first) => {
    before = first ? null : entries.at(-1).number;
    await load().catch((error) => notify(error.message, 'bad'));
  };
  main.replaceChildren(
    heading('Recent licences', 'What was granted and refused, with the rule that decided.', totals),
    el(
      'div',
      { class: 'filters' },
      choices('Which entries', 'entries', FILTERS, filter.value, (value) => {
        filter = FILTERS.find((known) => known.value === value);
        draw();
      }),
      newest,
      older,
    ),
    shown,
  );
  await load();
  draw();
  const ticking = setInterval(() => {
    if (!document.hidden && before === null) load().catch(() => {});
  }, EVERY);
  return () => clearInterval(ticking);
}

const total = (name, number) => [el('dt', {}, name), el('dd', {}, number.toLocaleString())];

function logRow(entry, known) {
  const serial = entry.device ?? null;
  const model = entry.model ?? known.models[serial];
  return el(
    'tr',
    { 'data-number': entry.number },
    el('td', {}, time(entry.time)),
    el('td', {}, outcome(entry)),
    el('td', {}, model ? el('div', {}, model) : null, serial === null ? el('span', { class: 'minor' }, 'not certified') : short(serial)),
    el('td', {}, subject(entry, known)),
    el('td', {}, decision(entry)),
  );
}

function outcome({ event, sequence }) {
  if (event === 'license') return sequence > 1 ? badge('renewed', 'good') : badge('granted', 'good');
  if (event === 'denial') return badge('refused', 'bad');
  return badge('certified', 'accent');
}

function subject({ event, content, keys, key, tenant }, known) {
  const about = (name, kids) => el('div', {}, name ? el('strong', {}, name) : null, el('div', { class: 'minor' }, kids.flatMap((kid) => [short(kid), ' '])));
  if (event === 'license') return about(content, keys);
  if (event === 'denial') return key ? about(known.contents[key], [key]) : '–';
  return el('span', { class: 'minor' }, `tenant ${tenant}`);
}

function decision(entry) {
  if (entry.event === 'provision') return el('span', {}, 'level ', badge(entry.level, `level-${entry.level}`));
  if (entry.event === 'denial') return denial(entry);
  const rules = new Map();
  for (const { family, profile, origin } of entry.rules ?? []) {
    const text = `${family} · ${profile ?? 'explicit rules'}`;
    rules.set(`${text} ${origin}`, [text, origin]);
  }
  return el(
    'div',
    {},
    rules.size === 0
      ? el('span', { class: 'minor' }, 'the keys’ own policy')
      : [...rules.values()].map(([text, origin]) => el('div', {}, el('strong', {}, text), el('span', { class: 'minor' }, ` ${origin}`))),
    (entry.refused ?? []).map(([kid, reason]) => el('div', { class: 'minor' }, 'left out ', short(kid), ` ${reason}`)),
  );
}

function denial({ reason, rule, wanted, found }) {
  return el(
    'div',
    {},
    el('div', {}, el('strong', {}, rule ?? reason)),
    wanted === undefined && found === undefined
      ? null
      : el('div', { class: 'minor' }, 'wanted ', el('code', {}, wanted ?? '–'), ', found ', el('code', {}, found ?? '–')),
    rule ? el('div', { class: 'minor' }, reason) : null,
  );
}
