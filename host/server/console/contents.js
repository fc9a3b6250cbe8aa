// Contents: live channels with their tracks, video on demand with its files, and the rest. Keys have
// ids here and nothing else: the server never lists a key.

import { get } from './api.js';
import { badge, el, heading, short, table } from './dom.js';

const SECTIONS = [
  { kind: 'channel', title: 'Channels', empty: 'No live channel is defined.' },
  { kind: 'vod', title: 'Video on demand', empty: 'No video on demand is defined.' },
  { kind: undefined, title: 'Other contents', empty: null },
];

export async function showContents(main) {
  const [contents, profiles] = await Promise.all([get('/contents'), get('/profiles')]);
  const known = new Set(profiles.map(({ id }) => id));
  const sections = SECTIONS.map(({ kind, title, empty }) => {
    const rows = contents.filter((content) => content.kind === kind).map((content) => contentRow(content, known));
    if (rows.length === 0 && empty === null) return null;
    const heads = ['Content', 'For whom', 'Track', 'Key id', 'Protection', 'From level', 'Profile'];
    return el(
      'section',
      { class: 'panel', 'aria-label': title },
      el('h2', {}, title),
      rows.length === 0 ? el('p', { class: 'empty' }, empty) : table(title, heads, rows.flat(), { class: 'contents' }),
    );
  });
  main.replaceChildren(
    heading('Contents', 'What the server has keys for, and the profile that each track is under.'),
    ...sections.filter((section) => section !== null),
  );
}

/** A row a key; what belongs to the content stands beside the first. */
function contentRow(content, known) {
  const keys = content.keys.length > 0 ? content.keys : [null];
  return keys.map((key, n) =>
    el(
      'tr',
      { class: n === 0 ? 'first' : null },
      n === 0 ? el('th', { scope: 'rowgroup', rowspan: keys.length }, named(content)) : null,
      n === 0 ? el('td', { rowspan: keys.length }, audience(content)) : null,
      key === null ? el('td', { colspan: 5, class: 'silent' }, 'no keys') : keyCells(content, key, known),
    ),
  );
}

function named(content) {
  const files = content.file_ids ?? [];
  return el(
    'div',
    {},
    el('strong', {}, content.id),
    el('span', { class: 'badges' }, content.source === 'config' ? badge('file', 'plain', 'Stands in the configuration file') : null),
    files.length > 0 ? el('div', { class: 'minor' }, files.join(', ')) : null,
    content.drm_group ? el('div', { class: 'minor' }, `DRM group ${content.drm_group}`) : null,
  );
}

function audience({ open, models = [], tenants = [], tenant }) {
  const who = open
    ? 'every certified device'
    : models.length + tenants.length === 0
      ? 'whoever is authorised'
      : [models.length > 0 ? `models ${models.join(', ')}` : null, tenants.length > 0 ? `tenants ${tenants.join(', ')}` : null]
          .filter((part) => part !== null)
          .join('; ');
  return el('div', {}, who, el('div', { class: 'minor' }, `tenant ${tenant ?? 'default'}`));
}

function keyCells(content, key, known) {
  return [
    el('td', {}, badge(key.track.toUpperCase(), 'track')),
    el('td', {}, short(key.kid)),
    el('td', {}, el('code', {}, key.scheme), key.iv ? el('span', { class: 'minor' }, ` ${key.iv}`) : null),
    el('td', {}, key.lowest_level ?? 'low'),
    el('td', {}, profileOf(content, key, known)),
  ];
}

/** Which profile a track is under where nobody states another, and who says so. */
function profileOf(content, key, known) {
  const own = key.usage_rules_profile_id ?? content.usage_rules_profile_id;
  const of = key.usage_rules_profile_id ? 'track' : content.usage_rules_profile_id ? 'content' : 'nobody states one';
  if (own === undefined && content.kind === undefined) {
    return el('span', { class: 'minor' }, 'the key’s own policy');
  }
  const id = own ?? 'default';
  return el(
    'span',
    {},
    known.has(id) ? el('a', { href: `#/profiles/edit/${encodeURIComponent(id)}` }, id) : id,
    el('span', { class: 'minor' }, ` ${of}`),
    known.has(id) ? null : badge('unknown: no licence', 'bad', 'UR-07'),
  );
}
