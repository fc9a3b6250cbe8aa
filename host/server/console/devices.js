// Devices that were certified here: what they are, and whether they still get licences.

import { call, get, part } from './api.js';
import { badge, confirmed, el, heading, notify, short, table, time } from './dom.js';

/** Devices on one page. */
const PAGE = 100;
/** How long typing may pause before the server is asked, in milliseconds. */
const PAUSE = 150;

/** What was looked for stays while a device changes. */
let wanted = '';

export async function showDevices(main) {
  const view = { devices: [], next: null, total: 0, turn: 0 };
  const filter = el('input', { type: 'search', value: wanted, placeholder: 'Model, serial, tenant or family', 'aria-label': 'Filter devices' });
  const shown = el('div', { class: 'panel' });
  const more = el('button', { type: 'button', onclick: () => go(() => load(view)) }, 'More');
  const said = el('span', { class: 'minor', role: 'status' });
  const go = (act) => act().then(draw).catch((error) => notify(error.message, 'bad'));
  const draw = () => {
    const rows = view.devices.map((device) => deviceRow(device, () => go(() => renew(view, device))));
    more.hidden = view.next === null;
    said.textContent = view.next === null ? '' : `${view.devices.length} shown, newest first`;
    shown.replaceChildren(
      rows.length === 0
        ? el('p', { class: 'empty' }, view.total === 0 ? 'No device was certified yet.' : 'No device is like that.')
        : table('Devices', ['Model', 'Serial', 'Rule family', 'Level', 'Tenant', 'Certified', 'State', ''], rows),
    );
  };
  let typing;
  filter.addEventListener('input', () => {
    wanted = filter.value.trim();
    clearTimeout(typing);
    typing = setTimeout(() => go(() => load(view, true)), PAUSE);
  });
  await load(view, true);
  main.replaceChildren(
    heading('Devices', `${view.total} certified here. A suspended device may be resumed; a revoked one never.`, filter),
    shown,
    el('div', { class: 'tools' }, more, said),
  );
  draw();
}

/** Loads a page more, or the first one of what is looked for now. */
async function load(view, anew = false) {
  const turn = ++view.turn;
  const search = wanted;
  let [devices, next] = [[], anew ? null : view.next];
  // The server looks at so many for one page, and goes on when it is asked again.
  do {
    const page = await get(`/devices?search=${part(search)}&limit=${PAGE - devices.length}${next === null ? '' : `&before=${part(next)}`}`);
    // Something else was asked for meanwhile.
    if (turn !== view.turn) return;
    devices = [...devices, ...page.devices];
    next = page.next;
    view.total = page.total;
  } while (next !== null && devices.length < PAGE);
  Object.assign(view, { devices: anew ? devices : [...view.devices, ...devices], next });
}

/** Looks again at a device that was changed; the others stay where they are. */
async function renew(view, { serial }) {
  const now = await get(`/devices/${part(serial)}`);
  view.devices = view.devices.map((known) => (known.serial === serial ? now : known));
}

function deviceRow(device, again) {
  const { serial, model, family, level, tenant, debug, certified, revoked, suspended } = device;
  const state = revoked !== null
    ? badge('revoked', 'bad')
    : suspended !== null
      ? badge('suspended', 'warn')
      : badge('in order', 'good');
  const tool = (act, text, kind = 'quiet small') =>
    el('button', { type: 'button', class: kind, onclick: () => change(device, act, again), 'aria-label': `${text} ${model} ${serial}` }, text);
  return el(
    'tr',
    {},
    el('th', { scope: 'row' }, model, debug ? badge('debug', 'warn') : null),
    el('td', {}, short(serial)),
    el('td', {}, family),
    el('td', {}, badge(level, `level-${level}`)),
    el('td', {}, tenant),
    el('td', {}, time(certified)),
    el('td', {}, state),
    el(
      'td',
      { class: 'acts' },
      revoked !== null ? null : suspended !== null ? tool('resume', 'Resume') : tool('suspend', 'Suspend'),
      revoked !== null ? null : tool('revoke', 'Revoke', 'quiet small danger'),
    ),
  );
}

async function change({ serial, model }, act, again) {
  const sure = act !== 'revoke' || (await confirmed(
    `Revoke ${model}?`,
    `The device ${serial} gets no licence any more. This cannot be taken back.`,
    'Revoke',
  ));
  if (!sure) return;
  try {
    await call('POST', `/devices/${part(serial)}/${act}`);
    notify(`${model}: ${{ revoke: 'revoked', suspend: 'suspended', resume: 'resumed' }[act]}`);
    await again();
  } catch (error) {
    notify(error.message, 'bad');
  }
}
