// The editor of a profile. What the server's check says of a value stands beside its rule while one
// types, and nothing can be saved before it has nothing to say.

import { ALTERED, get } from './api.js';
import { conflict } from './conflict.js';
import { badge, choices, confirmed, el, heading, notify } from './dom.js';
import { draftOf, goOnWith } from './draft.js';
import { suggestions, written } from './values.js';

/** Edits the profile `id`, a new one where it is null, beginning with a family. */
export async function showEditor(main, id, family) {
  const [draft, profiles] = await Promise.all([draftOf(id), get('/profiles')]);
  const families = draft.families.map((known) => known.family);
  const view = { main, draft, theirs: null, met: null, profiles, family: families.includes(family) ? family : families[0], rows: new Map() };
  view.rules = el('section', { class: 'panel rules', 'aria-label': 'Rules' });
  view.summary = el('div', { class: 'said' });
  view.tabs = tabs(view);
  view.tools = tools(view);
  view.conflict = el('div', { role: 'alert' });
  view.naming = id === null ? naming(draft) : null;
  main.replaceChildren(
    heading(
      id === null ? 'New profile' : `Profile ${id}`,
      lead(draft),
      el('a', { class: 'button', href: `#/profiles/${view.family}` }, 'Side by side'),
    ),
    view.conflict,
    view.naming?.field ?? '',
    view.tabs,
    el(
      'div',
      { class: 'editor' },
      view.rules,
      el('aside', { class: 'panel summary', 'aria-label': 'Changes' }, view.summary, view.tools.shown),
    ),
  );
  draft.changed = () => refresh(view);
  drawFamily(view);
  // A draft that was left goes on where it was, and its check may not have come back.
  if (draft.isDirty()) draft.check();
}

function lead(draft) {
  if (draft.saved?.configured) return 'Stands in the configuration file: it is changed there.';
  if (draft.unchanged === null) return ALTERED;
  if (draft.isBuiltIn()) return 'Built in. Values of your own replace those that the server comes with.';
  return 'Starts from the default columns of the families that it speaks of.';
}

function naming(draft) {
  const flaw = el('p', { class: 'flaw', id: 'id-flaw' });
  const input = el('input', {
    id: 'profile-id',
    value: draft.id,
    autocomplete: 'off',
    spellcheck: 'false',
    'aria-describedby': 'id-flaw',
    oninput: () => draft.name(input.value),
  });
  return { flaw, input, field: el('div', { class: 'panel naming' }, el('label', { for: 'profile-id' }, 'Id'), input, flaw) };
}

/** The families, made once: what is replaced while it is pressed is not pressed. */
function tabs(view) {
  view.marks = new Map(view.draft.families.map(({ family }) => [family, el('span', { class: 'mark' })]));
  const options = [...view.marks].map(([family, mark]) => ({ value: family, label: family, mark }));
  const choose = (family) => { view.family = family; drawFamily(view); };
  return el('div', { class: 'filters' }, choices('Rule family', 'family', options, view.family, choose));
}

function markTabs({ draft, marks }) {
  for (const [family, mark] of marks) {
    const flaws = draft.flaws.filter(({ about }) => about.startsWith(`profiles/${draft.id}/${family}/`)).length;
    const own = Object.keys(draft.form[family] ?? {}).length;
    mark.replaceChildren(
      flaws > 0 ? badge(String(flaws), 'bad', 'wrong here') : own > 0 ? badge(String(own), 'accent', 'changed here') : '',
    );
  }
}

function drawFamily(view) {
  const { draft, family } = view;
  const { rules } = draft.families.find((known) => known.family === family);
  view.rows.clear();
  const speaks = draft.speaksOf(family);
  const locked = draft.saved?.configured ?? false;
  const included = el('input', {
    type: 'checkbox',
    checked: speaks,
    disabled: locked,
    onchange: () => { draft.speak(family, included.checked); drawFamily(view); },
  });
  view.rules.replaceChildren(
    draft.isBuiltIn()
      ? ''
      : el('label', { class: 'check include' }, included, ` Devices of ${family} get licences under this profile`),
    ...(speaks ? rules.map((known) => ruleRow(view, known, locked)) : [
      el('p', { class: 'empty' }, `The profile says nothing of ${family}: its devices get no licence (UR-29).`),
    ]),
  );
  refresh(view);
}

function ruleRow(view, { rule, expected }, locked) {
  const { draft, family } = view;
  const id = `rule-${rule}`;
  const input = el('input', {
    id,
    value: written(draft.value(family, rule)),
    list: `${id}-values`,
    autocomplete: 'off',
    spellcheck: 'false',
    disabled: locked,
    'aria-describedby': `${id}-help ${id}-flaw`,
    oninput: () => draft.set(family, rule, input.value),
  });
  const undo = el('button', {
    type: 'button',
    class: 'quiet small',
    onclick: () => { input.value = written(draft.start[family][rule]); draft.set(family, rule, input.value); input.focus(); },
  }, `Back to ${written(draft.start[family][rule])}`);
  const flaw = el('p', { class: 'flaw', id: `${id}-flaw` });
  const row = el(
    'div',
    { class: 'rule' },
    el('label', { for: id }, el('code', {}, rule)),
    el('div', { class: 'value' }, input, undo),
    el('p', { class: 'help', id: `${id}-help` }, expected),
    flaw,
    el('datalist', { id: `${id}-values` }, suggestions(view.profiles, family, rule).map((value) => el('option', { value }))),
  );
  view.rows.set(rule, { row, input, undo, flaw });
  return row;
}

/** Shows what the draft has become, without touching what is being typed. */
function refresh(view) {
  const { draft, family } = view;
  for (const [rule, { row, input, undo, flaw }] of view.rows) {
    const flaws = draft.flawsOf(family, rule);
    const warnings = draft.warningsOf(family, rule);
    const own = draft.isOwn(family, rule);
    row.className = `rule${own ? ' changed' : ''}${flaws.length > 0 ? ' wrong' : warnings.length > 0 ? ' doubtful' : ''}`;
    input.setAttribute('aria-invalid', String(flaws.length > 0));
    undo.hidden = !own || input.disabled;
    flaw.textContent = [...flaws, ...warnings].map(({ what }) => said(what)).join(' ');
  }
  if (view.naming) {
    const flaws = draft.flaws.filter(({ about }) => about === `profiles/${draft.id}`);
    view.naming.flaw.textContent = flaws.map(({ what }) => said(what)).join(' ');
    view.naming.input.setAttribute('aria-invalid', String(flaws.length > 0));
  }
  // What is typed while it is being saved would be neither saved nor kept.
  for (const part of [view.rules, view.naming?.field]) part?.toggleAttribute('inert', draft.changing);
  markTabs(view);
  drawConflict(view);
  drawSummary(view);
}

/** Shown as long as it is not decided how to go on; made once, as the families are. */
function drawConflict(view) {
  const { draft } = view;
  if (view.theirs !== draft.theirs) {
    view.theirs = draft.theirs;
    view.met = conflict(draft, () => goOn(view, draft.onTheirs()), () => goOn(view, draft.theirs));
    view.conflict.replaceChildren(view.met.shown);
  }
  // One's own values go on changing beneath it.
  view.met?.redraw();
}

/** Goes on with another draft of the profile, or elsewhere if nothing is left of it. */
async function goOn({ main, family }, draft) {
  goOnWith(draft);
  if (draft.saved === null && !draft.isDirty()) location.hash = `#/profiles/${family}`;
  else await showEditor(main, draft.key, family);
}

/** What was asked for was not done, maybe because another operator was there before. */
async function refused(view, error) {
  const { draft } = view;
  notify(error.message, 'bad');
  if (!error.isOvertaken?.()) return;
  await draft.meet();
  if (draft.theirs !== null && !draft.isDirty()) await goOn(view, draft.theirs);
}

/** What the server says, without the place where it is shown. */
const said = (what) => what.replace(/^profile "[^"]*": /, '');

function drawSummary(view) {
  const { draft } = view;
  const changes = draft.changes();
  const state = draft.checking
    ? badge('checking…')
    : draft.flaws.length > 0
      ? badge(draft.flaws.length === 1 ? '1 problem' : `${draft.flaws.length} problems`, 'bad')
      : draft.warnings.length > 0
        ? badge('sound, with warnings', 'warn')
        : badge('sound', 'good');
  view.summary.replaceChildren(
    el('div', { class: 'state' }, el('h2', {}, 'Own values'), el('span', { id: 'state' }, state)),
    changes.length === 0
      ? el('p', { class: 'empty' }, 'None: the profile is as it starts.')
      : el('ul', { class: 'changes' }, changes.map((change) => changeLine(view, change))),
    el('ul', { class: 'problems' }, draft.flaws.map(({ what }) => el('li', { class: 'bad' }, said(what)))),
    el('ul', { class: 'problems' }, draft.warnings.map(({ what }) => el('li', { class: 'warn' }, said(what)))),
  );
  view.tools.save.disabled = !draft.isReady();
  view.tools.discard.disabled = !draft.isDirty() || draft.changing;
  if (view.tools.gone) view.tools.gone.disabled = !draft.isFree();
}

/** What can be done with the draft; made once, as the families are. */
function tools(view) {
  const { draft } = view;
  const tool = (act, text, kind, does) =>
    el('button', { type: 'button', class: kind, 'data-act': act, onclick: does }, text);
  const save = tool('save', 'Save', 'primary', () => write(view));
  const discard = tool('discard', 'Discard', '', () => { draft.revert(); drawFamily(view); });
  const gone = draft.saved?.changed
    ? tool('remove', draft.isBuiltIn() ? 'Restore built-in' : 'Delete', 'danger', () => remove(view))
    : null;
  const shown = draft.saved?.configured ? '' : el('div', { class: 'tools' }, save, discard, gone);
  return { save, discard, gone, shown };
}

function changeLine(view, { family, rule, start, value }) {
  const go = () => {
    view.family = family;
    view.tabs.querySelector(`input[value="${family}"]`).checked = true;
    drawFamily(view);
    view.rows.get(rule)?.input.focus();
  };
  return el(
    'li',
    {},
    el('button', { type: 'button', class: 'link', onclick: go }, `${family}.${rule}`),
    // Of a profile in the configuration file nobody knows here what it started from.
    view.draft.saved?.configured ? ' ' : [el('span', { class: 'from' }, written(start)), ' → '],
    el('strong', {}, written(value)),
  );
}

async function write(view) {
  const { draft, family } = view;
  try {
    const warnings = await draft.save();
    notify(warnings.length > 0 ? `Saved ${draft.id}, with ${warnings.length} warning(s)` : `Saved ${draft.id}. The next licence follows it.`);
    const place = `#/profiles/edit/${encodeURIComponent(draft.id)}/${family}`;
    // Elsewhere the page draws itself for its new address.
    if (location.hash === place) await showEditor(view.main, draft.id, family);
    else location.hash = place;
  } catch (error) {
    await refused(view, error).catch((again) => notify(again.message, 'bad'));
  }
}

async function remove(view) {
  const { draft, family } = view;
  const builtIn = draft.isBuiltIn();
  const sure = await confirmed(
    builtIn ? `Give ${draft.id} its built-in values back?` : `Delete the profile ${draft.id}?`,
    builtIn ? 'Your own values in it are lost.' : 'Contents that name it get no licences any more (UR-07).',
    builtIn ? 'Restore' : 'Delete',
  );
  if (!sure) return;
  try {
    await draft.remove();
    notify(builtIn ? `${draft.id} is as it was built in` : `Deleted ${draft.id}`);
    location.hash = `#/profiles/${family}`;
  } catch (error) {
    await refused(view, error).catch((again) => notify(again.message, 'bad'));
  }
}
