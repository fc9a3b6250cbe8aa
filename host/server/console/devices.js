// Devices that were certified here: what they are, and whether they still get licences.

import { call, get, part } from './api.js';
import { badge, confirmed, el, heading, notify, short, table, time } from './dom.js';

/** What was looked for stays while a device changes. */
let wanted = '';

export async function showDevices(main) {
  const devices = await get('/devices');
  devices.sort((a, b) => b.certified - a.certified);
  const filter = el('input', { type: 'search', value: wanted, placeholder: 'Model, serial, tenant or family', 'aria-label': 'Filter devices' });
  const shown = el('div', { class: 'panel' });
  const again = () => showDevices(main).catch((error) => notify(error.message, 'bad'));
  const draw = () => {
    wanted = filter.value.trim();
    const words = wanted.toLowerCase();
    const found = devices.filter(({ model, serial, tenant, family }) =>
      [model, serial, tenant, family].some((text) => text.toLowerCase().includes(words)),
    );
    shown.replaceChildren(
      found.length === 0
        ? el('p', { class: 'empty' }, devices.length === 0 ? 'No device was certified yet.' : 'No device is like that.')
        : table(
            'Devices',
            ['Model', 'Serial', 'Rule family', 'Level', 'Tenant', 'Certified', 'State', ''],
            found.map((device) => deviceRow(device, again)),
          ),
    );
  };
  filter.addEventListener('input', draw);
  main.replaceChildren(
    heading('Devices', `${devices.length} certified here. A suspended device may be resumed; a revoked one never.`, filter),
    shown,
  );
  draw();
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
