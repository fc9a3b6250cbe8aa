// Which view is shown, and who may see it.

import { get, isSignedIn, onSignOut, signIn, signOut } from './api.js';
import { showContents } from './contents.js';
import { showDevices } from './devices.js';
import { el } from './dom.js';
import { forgetDrafts } from './draft.js';
import { showEditor } from './editor.js';
import { showGroups } from './groups.js';
import { showLicences } from './licences.js';
import { showProfiles } from './profiles.js';

const VIEWS = { profiles: showProfiles, contents: showContents, groups: showGroups, devices: showDevices, licences: showLicences };

const main = document.getElementById('main');
const tabs = document.getElementById('tabs');
const service = document.getElementById('service');
const leaveButton = document.getElementById('sign-out');

/** What ends the view that is shown, where it goes on by itself. */
let leave = () => {};
/** Counts views, so that one which comes late does not end up over a newer one. */
let turn = 0;

async function route() {
  const mine = ++turn;
  leave();
  leave = () => {};
  const signedIn = isSignedIn();
  for (const part of [tabs, leaveButton]) part.hidden = !signedIn;
  if (!signedIn) {
    service.textContent = '';
    showSignIn();
    return;
  }
  const [name, ...rest] = location.hash.replace(/^#\//, '').split('/').map(decoded);
  const view = VIEWS[name] ?? showProfiles;
  for (const tab of tabs.children) {
    const here = VIEWS[tab.hash.slice(2)] === view;
    if (here) tab.setAttribute('aria-current', 'page');
    else tab.removeAttribute('aria-current');
  }
  main.setAttribute('aria-busy', 'true');
  // Drawn apart and put in place when it is whole.
  const drawn = el('div', { class: 'view' });
  try {
    const end = await shown(view, name, rest, drawn);
    if (mine !== turn) { end?.(); return; }
    leave = end ?? leave;
    main.replaceChildren(drawn);
  } catch (error) {
    if (mine === turn && isSignedIn()) main.replaceChildren(el('p', { class: 'empty bad', role: 'alert' }, error.message));
  } finally {
    if (mine === turn) main.removeAttribute('aria-busy');
  }
}

function shown(view, name, rest, drawn) {
  if (name === 'profiles' && rest[0] === 'new') return showEditor(drawn, null);
  if (name === 'profiles' && rest[0] === 'edit' && rest[1]) return showEditor(drawn, rest[1], rest[2]);
  return view(drawn, rest);
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function showSignIn() {
  const wrong = el('p', { class: 'flaw', id: 'token-flaw', role: 'alert' });
  const field = el('input', { id: 'token', type: 'password', autocomplete: 'off', required: true, 'aria-describedby': 'token-help token-flaw' });
  const enter = async (event) => {
    event.preventDefault();
    wrong.textContent = '';
    try {
      await signIn(field.value.trim());
      field.value = '';
      await begin();
    } catch (error) {
      wrong.textContent = error.status === 401 ? 'The server does not know this token.' : `That did not work: ${error.message}.`;
      field.focus();
    }
  };
  main.replaceChildren(
    el(
      'form',
      { class: 'panel sign-in', onsubmit: enter },
      el('h1', {}, 'Sign in'),
      el('label', { for: 'token' }, 'Admin token'),
      field,
      el('p', { class: 'help', id: 'token-help' }, 'The text of admin.token in the server’s key directory. It stays in this tab and is forgotten with it.'),
      wrong,
      el('button', { class: 'primary' }, 'Sign in'),
    ),
  );
  field.focus();
}

async function begin() {
  if (isSignedIn()) {
    const anchor = await get('/anchor').catch(() => null);
    service.replaceChildren(...(anchor === null ? [] : [el('span', { title: `anchor ${anchor.digest}` }, anchor.service)]));
  }
  await route();
}

onSignOut(() => { forgetDrafts(); route(); });
leaveButton.addEventListener('click', signOut);
// Addresses without a slash are places within the page.
window.addEventListener('hashchange', () => { if (location.hash.startsWith('#/')) route(); });
begin();
