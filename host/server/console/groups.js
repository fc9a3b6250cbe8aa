// What profiles are applied by: DRM groups of contents, models and groups of devices, values for single
// models. Shown as they are in force; the admin interface and the configuration file change them.

import { get } from './api.js';
import { badge, el, heading, table } from './dom.js';
import { written } from './values.js';

export async function showGroups(main) {
  const [{ definitions, warnings }, contents] = await Promise.all([get('/usage-rules'), get('/contents')]);
  const { device_groups: groups, device_models: models, overrides, drm_groups: drmGroups, hdcp_skip_list: skipped } = definitions;
  main.replaceChildren(
    heading('Groups', 'How contents and device models come to their rules, in the configuration file and at the admin interface.'),
    warnings.length === 0
      ? ''
      : el('ul', { class: 'problems' }, warnings.map(({ about, what }) => el('li', { class: 'warn' }, el('code', {}, about), ` ${what}`))),
    section(
      'DRM groups',
      'No DRM group is defined.',
      ['Group', 'From level', 'Licences', 'Contents'],
      entries(drmGroups).map(([id, { level, license_type: type }]) => [id, level, type, listed(contents.filter((content) => content.drm_group === id).map((content) => content.id))]),
    ),
    section(
      'Device groups',
      'No group of device models is defined.',
      ['Group', 'Rule family', 'Models'],
      entries(groups).map(([id, { family }]) => [id, family, listed(entries(models).filter(([, model]) => model.group === id).map(([name]) => name))]),
    ),
    section(
      'Device models',
      'No device model is defined: all are of the generic family.',
      ['Model', 'Rule family', 'Counter'],
      entries(models).map(([name, model]) => [name, familyOf(model, groups), model.counter]),
    ),
    section(
      'Values for single models',
      'No profile has other values for a single model.',
      ['Profile', 'Rule family', 'Model', 'Values'],
      entries(overrides).flatMap(([profile, families]) =>
        entries(families).flatMap(([family, byModel]) => entries(byModel).map(([model, values]) => [profileLink(profile, family), family, model, valuesOf(values)])),
      ),
    ),
    section('Not asked about HDCP', 'Every Widevine device is asked about HDCP.', ['System id'], skipped.map((id) => [String(id)])),
  );
}

const entries = Object.entries;

/** A table of rows of text or elements; the first of each row names it. */
function section(title, empty, heads, rows) {
  const row = ([name, ...cells]) => el('tr', {}, el('th', { scope: 'row' }, name), cells.map((cell) => el('td', {}, cell)));
  return el(
    'section',
    { class: 'panel', 'aria-label': title },
    el('h2', {}, title),
    rows.length === 0 ? el('p', { class: 'empty' }, empty) : table(title, heads, rows.map(row)),
  );
}

const listed = (names) => (names.length > 0 ? names.join(', ') : el('span', { class: 'minor' }, 'none'));

/** A model's own family, else its group's, else the generic one; and who says so. */
function familyOf({ family, group }, groups) {
  const inGroup = group === undefined ? null : el('span', { class: 'minor' }, ` group ${group}`);
  if (family !== undefined) return [family, inGroup];
  return group === undefined ? ['Generic', el('span', { class: 'minor' }, ' nobody states one')] : [groups[group].family, inGroup];
}

const profileLink = (profile, family) =>
  el('a', { href: `#/profiles/edit/${encodeURIComponent(profile)}/${encodeURIComponent(family)}` }, profile);

const valuesOf = (values) =>
  entries(values).map(([rule, value]) => el('div', {}, el('code', {}, rule), ' ', badge(written(value))));
