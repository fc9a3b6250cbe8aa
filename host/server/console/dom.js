// Elements from data. Text becomes text nodes and attributes are set as such: nothing here, and
// nothing in the other files, turns a string into markup.

/**
 * Makes an element. Attributes that are null, undefined or false are left out; those that begin with
 * "on" are handlers; children are nodes, text, or lists of both.
 */
export function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith('on')) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? '' : String(value));
  }
  node.append(...children.flat(2).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** A short identifier whose whole text is in its title. */
export function short(text, length = 8) {
  return el('code', { title: text }, text.length > length ? `${text.slice(0, length)}…` : text);
}

/** A coloured word. */
export function badge(text, kind = 'plain', title = null) {
  return el('span', { class: `badge ${kind}`, title }, text);
}

/** A table with a caption for those who cannot see it. */
export function table(caption, heads, rows, attributes = {}) {
  return el(
    'div',
    { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': caption },
    el(
      'table',
      attributes,
      el('caption', { class: 'unseen' }, caption),
      el('thead', {}, el('tr', {}, heads.map((head) => el('th', { scope: 'col' }, head)))),
      el('tbody', {}, rows),
    ),
  );
}

/** The heading of a view, and what one can do in it. */
export function heading(title, lead, ...tools) {
  return el(
    'div',
    { class: 'heading' },
    el('div', {}, el('h1', {}, title), el('p', { class: 'lead' }, lead)),
    el('div', { class: 'tools' }, ...tools),
  );
}

/** One of several choices, as radio buttons that look like a switch. */
export function choices(legend, name, options, chosen, choose) {
  return el(
    'fieldset',
    { class: 'choices' },
    el('legend', { class: 'unseen' }, legend),
    options.map(({ value, label, mark }) =>
      el(
        'label',
        {},
        el('input', { type: 'radio', name, value, checked: value === chosen, onchange: () => choose(value) }),
        el('span', {}, label, mark ?? null),
      ),
    ),
  );
}

/** A time of the server's (Unix seconds) as this browser writes times. */
export function time(seconds) {
  const date = new Date(seconds * 1000);
  const shown = date.toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
  return el('time', { datetime: date.toISOString() }, shown);
}

/** Tells something that happened; read out as well. */
export function notify(text, kind = 'good') {
  const notice = document.getElementById('notice');
  notice.textContent = text;
  notice.className = `notice shown ${kind}`;
  clearTimeout(notify.timer);
  notify.timer = setTimeout(() => notice.classList.remove('shown'), 6000);
}

/** Asks before something that cannot be undone; settles with whether it was wanted. */
export function confirmed(question, detail, action) {
  return new Promise((settle) => {
    const dialog = el(
      'dialog',
      { 'aria-label': question, onclose: () => { settle(dialog.returnValue === 'yes'); dialog.remove(); } },
      el('h2', {}, question),
      el('p', {}, detail),
      el(
        'div',
        { class: 'tools' },
        el('button', { type: 'button', autofocus: true, onclick: () => dialog.close('') }, 'Cancel'),
        el('button', { type: 'button', class: 'danger', onclick: () => dialog.close('yes') }, action),
      ),
    );
    document.body.append(dialog);
    dialog.showModal();
  });
}
