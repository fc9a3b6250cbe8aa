// Profiles side by side: a table a rule family, a column a profile. What differs from the profile
// compared with stands out, and so does what the operator changed.

import { get } from './api.js';
import { badge, choices, el, heading, table } from './dom.js';
import { hasDraft } from './draft.js';
import { ordered, written } from './values.js';

/** What was chosen stays chosen while one looks elsewhere. */
const chosen = { family: 'PRM', base: 'default', differing: false };

export async function showProfiles(main, [family]) {
  const [families, profiles] = await Promise.all([get('/rule-families'), get('/profiles').then(ordered)]);
  if (families.some((known) => known.family === family)) chosen.family = family;
  if (!profiles.some(({ id }) => id === chosen.base)) chosen.base = 'default';
  const shown = el('div', { class: 'panel' });
  const draw = () => shown.replaceChildren(comparison(families, profiles));
  const base = el(
    'select',
    { onchange: () => { chosen.base = base.value; draw(); } },
    profiles.map(({ id }) => el('option', { value: id, selected: id === chosen.base }, id)),
  );
  const differing = el('input', {
    type: 'checkbox',
    checked: chosen.differing,
    onchange: () => { chosen.differing = differing.checked; draw(); },
  });
  main.replaceChildren(
    heading(
      'Usage-rules profiles',
      'What each profile asks of a device, in the words of each rule family.',
      el('a', { class: 'button primary', href: '#/profiles/new' }, 'New profile'),
    ),
    el(
      'div',
      { class: 'filters' },
      choices(
        'Rule family',
        'family',
        families.map(({ family: value }) => ({ value, label: value })),
        chosen.family,
        (value) => { chosen.family = value; history.replaceState(null, '', `#/profiles/${value}`); draw(); },
      ),
      el('label', {}, 'Compare with ', base),
      el('label', { class: 'check' }, differing, ' Only rules that differ'),
    ),
    shown,
    el(
      'p',
      { class: 'legend' },
      el('span', { class: 'swatch differs' }), 'differs from the profile compared with',
      el('span', { class: 'own' }, '●'), 'changed by the operator',
    ),
  );
  draw();
}

function comparison(families, profiles) {
  const { family, base } = chosen;
  const { rules } = families.find((known) => known.family === family);
  const compared = profiles.find(({ id }) => id === base);
  const value = (profile, rule) => profile.rules[family]?.[rule];
  const differs = (rule) => profiles.some((profile) => value(profile, rule) !== value(compared, rule));
  const rows = rules
    .filter(({ rule }) => !chosen.differing || differs(rule))
    .map(({ rule, expected }) =>
      el(
        'tr',
        {},
        el('th', { scope: 'row', title: `${rule}: ${expected}` }, el('code', {}, rule)),
        profiles.map((profile) => cell(profile, family, rule, value(compared, rule))),
      ),
    );
  return table(`Profiles for ${family}`, [el('span', {}, 'Rule'), ...profiles.map((profile) => head(profile))], rows, {
    class: 'comparison',
  });
}

function head(profile) {
  const { id, built_in, changed, configured } = profile;
  return el(
    'div',
    { class: `column${id === chosen.base ? ' base' : ''}` },
    el('a', { href: `#/profiles/edit/${encodeURIComponent(id)}/${chosen.family}`, title: `Edit ${id}` }, id),
    el(
      'span',
      { class: 'badges' },
      built_in ? (changed ? badge('changed', 'accent') : null) : badge('added', 'accent'),
      configured ? badge('file', 'plain', 'Stands in the configuration file') : null,
      hasDraft(id) ? badge('unsaved', 'warn') : null,
    ),
  );
}

function cell(profile, family, rule, base) {
  const values = profile.rules[family];
  if (values === undefined) {
    return el('td', { class: 'silent', title: `${profile.id} says nothing of ${family}: no licence (UR-29)` }, 'no licence');
  }
  const own = profile.own[family]?.[rule] !== undefined;
  return el(
    'td',
    { class: values[rule] === base ? null : 'differs', title: own ? 'changed by the operator' : null },
    el('code', {}, written(values[rule])),
    own ? el('span', { class: 'own', 'aria-label': 'changed by the operator', role: 'img' }, '●') : null,
  );
}
