// A profile that is being changed. Each change is sent to the server's check, which says what is
// wrong with it and where; nothing is judged here. Drafts are kept while one looks elsewhere.

import { ABSENT, ALTERED, Refusal, call, get, part, read as readTagged } from './api.js';
import { merged } from './conflict.js';
import { read, written } from './values.js';

/** How long typing may pause before the check is asked, in milliseconds. */
const PAUSE = 150;
/** The id under which the start of a new profile is asked for; nothing is written. */
const UNNAMED = 'a-profile-without-a-name';

/** A profile that there is not. */
const NOT_THERE = { answer: null, unchanged: ABSENT };

const drafts = new Map();

/** The draft of a profile; that of a new one where `id` is null. */
export async function draftOf(id) {
  // What nobody has changed here may have changed there; of a new profile there is nothing yet.
  const isKept = drafts.has(id) && (id === null || hasDraft(id));
  if (!isKept) drafts.set(id, await Draft.open(id));
  return drafts.get(id);
}

/** Goes on with another draft of the same profile. */
export const goOnWith = (draft) => drafts.set(draft.key, draft);

/** Whether a profile has changes that are not saved. */
export const hasDraft = (id) => drafts.get(id)?.isDirty() ?? false;

/** Forgets every draft, as when another operator signs in. */
export const forgetDrafts = () => drafts.clear();

class Draft {
  /** What is saved of a profile; of one that is not there, nothing. */
  static async open(id) {
    const [families, found] = await Promise.all([
      get('/rule-families'),
      id === null ? NOT_THERE : readTagged(`/profiles/${part(id)}`),
    ]);
    const saved = found.answer;
    const draft = new Draft(id, families, saved, found.unchanged);
    // What the profile starts from is what it would be without values of the operator's own.
    const bare = saved?.built_in ? {} : Object.fromEntries(families.map(({ family }) => [family, {}]));
    draft.start = saved?.configured
      ? saved.rules
      : (await call('POST', `/profiles/${part(id ?? UNNAMED)}/check`, bare)).profile.rules;
    draft.revert();
    return draft;
  }

  constructor(key, families, saved, unchanged) {
    Object.assign(this, { key, families, saved, unchanged, id: key ?? '', start: {}, base: {}, form: {}, theirs: null });
    Object.assign(this, { flaws: [], warnings: [], checking: false, changing: false, changed: () => {} });
  }

  isBuiltIn() {
    return this.saved?.built_in ?? false;
  }

  /** Back to what is saved. */
  revert() {
    const typed = (values) => Object.entries(values).map(([rule, value]) => [rule, read(written(value))]);
    const own = Object.entries(this.saved?.own ?? {});
    this.base = Object.fromEntries(own.map(([family, values]) => [family, Object.fromEntries(typed(values))]));
    this.form = structuredClone(this.base);
    this.settle([], []);
  }

  isDirty() {
    return this.saved === null ? Object.keys(this.form).length > 0 : stable(this.form) !== stable(this.base);
  }

  /** Whether it can be saved as it is. */
  isReady() {
    return this.isFree() && this.isDirty() && !this.checking && this.flaws.length === 0 && this.id !== '';
  }

  /** Whether anything can be asked for: not while a change is under way, nor after one. */
  isFree() {
    return this.theirs === null && !this.changing;
  }

  speaksOf(family) {
    return this.isBuiltIn() || this.form[family] !== undefined;
  }

  /** Takes a whole family in, or out: its devices get no licence then. */
  speak(family, does) {
    if (does) this.form[family] = {};
    else delete this.form[family];
    this.check();
  }

  name(id) {
    this.id = id.trim();
    this.check();
  }

  /** The value that a rule has in the draft. */
  value(family, rule) {
    return this.form[family]?.[rule] === undefined ? this.start[family][rule] : this.form[family][rule];
  }

  isOwn(family, rule) {
    return this.form[family]?.[rule] !== undefined;
  }

  /** Sets a rule to what was typed; what the profile starts from is no value of its own. */
  set(family, rule, text) {
    const value = read(text);
    const own = { ...this.form[family] };
    if (value === this.start[family][rule]) delete own[rule];
    else own[rule] = value;
    if (this.isBuiltIn() && Object.keys(own).length === 0) delete this.form[family];
    else this.form[family] = own;
    this.check();
  }

  /** Every value of its own: family, rule, start, value. */
  changes() {
    return Object.entries(this.form).flatMap(([family, values]) =>
      Object.entries(values).map(([rule, value]) => ({ family, rule, value, start: this.start[family]?.[rule] })),
    );
  }

  /** What is wrong with a rule, or with all that is no rule's. */
  flawsOf(family, rule) {
    const about = `profiles/${this.id}/${family}/${rule}`;
    return this.flaws.filter((flaw) => flaw.about === about);
  }

  warningsOf(family, rule) {
    const about = `profiles/${this.id}/${family}/${rule}`;
    return this.warnings.filter((warning) => warning.about === about);
  }

  settle(flaws, warnings) {
    this.checking = false;
    this.flaws = flaws;
    this.warnings = warnings.filter(({ about }) => about.startsWith(`profiles/${this.id}/`));
    this.changed();
  }

  /** Asks the server about the draft, once typing pauses. An older question is given up. */
  check() {
    this.checking = true;
    this.changed();
    clearTimeout(this.timer);
    this.asking?.abort();
    this.asking = new AbortController();
    const { signal } = this.asking;
    this.timer = setTimeout(() => this.ask(signal), PAUSE);
  }

  async ask(signal) {
    if (this.id === '') {
      this.settle([{ about: 'profiles/', what: 'a profile needs an id' }], []);
      return;
    }
    try {
      const { warnings } = await call('POST', `/profiles/${part(this.id)}/check`, this.form, { signal });
      const taken = this.saved === null && (await this.isTaken(signal));
      this.settle(taken ? [{ about: `profiles/${this.id}`, what: `there is a profile ${this.id} already` }] : [], warnings);
    } catch (error) {
      if (signal.aborted) return;
      const whole = { about: `profiles/${this.id}`, what: error.message };
      this.settle(error instanceof Refusal && error.flaws.length > 0 ? error.flaws : [whole], []);
    }
  }

  async isTaken(signal) {
    const profiles = await call('GET', '/profiles', undefined, { signal });
    return profiles.some(({ id }) => id === this.id);
  }

  /**
   * Writes the draft, unless another operator was there before; tells what it will most likely not do
   * although it was meant to.
   */
  async save() {
    const same = this.isBuiltIn() && Object.keys(this.form).length === 0;
    // A built-in profile without values of its own is the one that the server comes with.
    const { warnings } = (await this.change(same ? 'DELETE' : 'PUT', same ? undefined : this.form)) ?? { warnings: [] };
    return warnings.filter(({ about }) => about.startsWith(`profiles/${this.id}/`));
  }

  /** Removes an added profile, or gives a built-in one its values back; as above. */
  async remove() {
    await this.change('DELETE');
  }

  async change(method, form) {
    if (this.unchanged === null) throw new Error(ALTERED);
    this.changing = true;
    this.changed();
    try {
      const answer = await call(method, `/profiles/${part(this.id)}`, form, { condition: this.unchanged });
      drafts.delete(this.key);
      return answer;
    } catch (error) {
      this.changing = false;
      this.changed();
      throw error;
    }
  }

  /** Looks at what another operator made of the profile; of a new one, whether its id is taken now. */
  async meet() {
    if (this.key === null) {
      this.check();
      return;
    }
    this.theirs = await Draft.open(this.key).catch(async (error) => {
      if (error.status === 404) return Draft.gone(this);
      throw error;
    });
    this.changed();
  }

  /** A profile of the same name that would have to be made anew. */
  static gone({ key, families, start }) {
    return Object.assign(new Draft(key, families, NOT_THERE.answer, NOT_THERE.unchanged), { start });
  }

  /** The draft in which the changes of this one are made to what is saved now. */
  onTheirs() {
    const { theirs } = this;
    theirs.form = theirs.saved === null ? this.form : merged(this.base, this.form, theirs.base, theirs.isBuiltIn());
    return theirs;
  }
}

/** The same text for the same values, in whatever order they were set. */
function stable(form) {
  const sorted = (object) => Object.entries(object).sort(([a], [b]) => a.localeCompare(b));
  return JSON.stringify(sorted(form).map(([family, values]) => [family, sorted(values)]));
}
