// Two operators at one profile: what the other one changed meanwhile, and the two ways to go on.
// Forms are values of the operator's own by rule family and rule, as in draft.js.

import { badge, el } from './dom.js';
import { written } from './values.js';

const names = (...objects) => [...new Set(objects.flatMap((object) => Object.keys(object ?? {})))];

/**
 * The changes from `base` to `mine`, made to `theirs`: where both changed a rule, mine counts, and where I
 * changed a family that they left out, it is there with all that I saw in it. A built-in profile speaks of
 * every family, so that one without values is the same as none.
 */
export function merged(base, mine, theirs, builtIn) {
  const form = {};
  for (const family of names(base, mine, theirs)) {
    const [was, own, other] = [base[family], mine[family], theirs[family]];
    const takenOut = !builtIn && was !== undefined && own === undefined;
    if (takenOut) continue;
    const changed = (rule) => own?.[rule] !== was?.[rule];
    const takenBack = !builtIn && other === undefined && was !== undefined && names(was, own).some(changed);
    const values = {};
    for (const rule of names(was, own, other)) {
      const value = (changed(rule) || takenBack ? own : other)?.[rule];
      if (value !== undefined) values[rule] = value;
    }
    const takenIn = was === undefined && own !== undefined;
    const spoken = other !== undefined || takenIn || takenBack;
    if (builtIn ? Object.keys(values).length > 0 : spoken) form[family] = values;
  }
  return form;
}

/** What differs between two forms: family, and rule unless it is the whole family that came or went. */
export function differences(before, after, builtIn) {
  return names(before, after).flatMap((family) => {
    const [was, is] = [before[family], after[family]];
    const whole = !builtIn && (was === undefined) !== (is === undefined) ? [{ family, rule: null, now: is !== undefined }] : [];
    const rules = names(was, is).filter((rule) => was?.[rule] !== is?.[rule]);
    return [...whole, ...rules.map((rule) => ({ family, rule }))];
  });
}

/**
 * Says what happened to a draft's profile, and asks how to go on: `keep` or `discard`. What it says of the
 * draft's own values is as they are when it is redrawn.
 */
export function conflict(draft, keep, discard) {
  const { id, theirs } = draft;
  const tool = (act, text, kind, does) => el('button', { type: 'button', class: kind, 'data-act': act, onclick: does }, text);
  const gone = theirs.saved === null;
  const changes = gone ? [] : differences(draft.base, theirs.base, theirs.isBuiltIn());
  // Told when it appears, and not again with every letter that is typed.
  const list = el('ul', { class: 'changes', 'aria-live': 'off' });
  const redraw = () => list.replaceChildren(...changes.map((change) => theirLine(draft, change)));
  const shown = el(
    'section',
    { class: 'panel conflict', 'aria-labelledby': 'conflict' },
    el('h2', { id: 'conflict' }, gone ? `${id} was deleted while you edited it` : `${id} was changed elsewhere while you edited it`),
    el('p', {}, 'Nothing was saved, and nothing of yours is lost: your changes are still here.'),
    changes.length > 0 ? list : null,
    el(
      'p',
      { class: 'help' },
      gone
        ? 'Keep them to make the profile anew with them.'
        : 'Keep them to go on with both: where both are about one rule or about a whole family, yours counts. Look at it, and save again.',
    ),
    el(
      'div',
      { class: 'tools' },
      tool('keep', 'Keep my changes', 'primary', keep),
      tool('discard-mine', 'Discard mine', '', discard),
    ),
  );
  return { shown, redraw };
}

function theirLine(draft, { family, rule, now }) {
  if (rule === null) return el('li', {}, family, ' ', el('strong', {}, now ? 'taken in' : 'left out'));
  const { theirs } = draft;
  const valueIn = (form, start) => written(form[family]?.[rule] === undefined ? start[family]?.[rule] : form[family][rule]);
  const [was, is] = [valueIn(draft.base, draft.start), valueIn(theirs.base, theirs.start)];
  const mine = valueIn(draft.form, draft.start);
  return el(
    'li',
    {},
    el('code', {}, `${family}.${rule}`),
    el('span', { class: 'from' }, was),
    ' → ',
    el('strong', {}, is),
    mine !== was && mine !== is ? badge(`yours: ${mine}`, 'warn') : null,
  );
}
