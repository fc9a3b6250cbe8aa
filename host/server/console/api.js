// The admin interface. The token lives in this tab's session storage, is sent in a header to this
// server alone, and never stands in an address.

const STORED = 'keybearer.admin-token';

/** A refusal of the server: what it says of it, and of each thing that is wrong. */
export class Refusal extends Error {
  constructor(status, problem) {
    super(problem?.message || `the server answered ${status}`);
    this.status = status;
    this.flaws = problem?.flaws ?? [];
  }

  /** Whether what was to be changed is not there any more as it was read. */
  isOvertaken() {
    return this.status === 412 || this.status === 404;
  }
}

let token = sessionStorage.getItem(STORED);
let signedOut = () => {};

export const isSignedIn = () => token !== null;

/** What is done when the token does not count any more. */
export function onSignOut(act) {
  signedOut = act;
}

/** Takes a token if the server knows it. */
export async function signIn(entered) {
  token = entered;
  try {
    await call('GET', '/anchor');
  } catch (error) {
    token = null;
    throw error;
  }
  sessionStorage.setItem(STORED, entered);
}

export function signOut() {
  token = null;
  sessionStorage.removeItem(STORED);
  signedOut();
}

/**
 * Asks the server; a refusal is thrown as a Refusal. `condition` is a header by which the server does
 * what is asked only in a certain state of it.
 */
export async function call(method, path, body, options) {
  return (await ask(method, path, body, options)).answer;
}

export const get = (path) => call('GET', path);

/** An entity tag as the server writes it. */
const WRITTEN = /^"[0-9a-f]{64}"$/;

/**
 * Reads one thing that can be changed, with the condition that it is still as it was read; null where
 * something between here and the server has made another of it, which the server would never meet.
 */
export async function read(path) {
  const { answer, tag } = await ask('GET', path);
  return { answer, unchanged: WRITTEN.test(tag) ? { 'If-Match': tag } : null };
}

/** Why nothing can be changed under a condition that is null. */
export const ALTERED = 'A proxy between here and the server alters its ETags, maybe to compress: nothing can be changed through it.';

/** The condition that something is not there yet. */
export const ABSENT = { 'If-None-Match': '*' };

async function ask(method, path, body, { signal, condition } = {}) {
  const response = await fetch(`/admin/v1${path}`, {
    method,
    signal,
    body: body === undefined ? undefined : JSON.stringify(body),
    headers: {
      Authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...condition,
    },
    cache: 'no-store',
    credentials: 'omit',
    redirect: 'error',
  });
  const answer = response.status === 204 ? null : await response.json().catch(() => null);
  if (response.ok) return { answer, tag: response.headers.get('ETag') };
  if (response.status === 401 && sessionStorage.getItem(STORED)) signOut();
  throw new Refusal(response.status, answer);
}

/** A part of an address. */
export const part = encodeURIComponent;
