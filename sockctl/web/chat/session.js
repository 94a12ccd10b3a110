// The token of a tab, which brings its member back after a reload. A token is for one use and for one tab: a tab that
// was copied with its storage ("duplicate tab") forgets it, once it hears that the original is still there. Each tab
// locks an id of its own, so that a copy knows of an original that is too busy to answer.
//
// A user may stay logged in on a device. The token then outlives its tab, in the storage that all tabs share, under an id
// that its tab locks. A new tab takes one over that no tab has locked. Browsers lock in secure contexts only.

const KEY = "sockctl-session";
const STAYING = `${KEY}:`;
const ANSWER_MS = 150; // where the browser has no locks, a tab that doesn't answer within this time isn't there
const LOCK_MS = 10_000; // a tab that was loaded again may hold its lock for a moment

const makeId = () => crypto.getRandomValues(new Uint32Array(4)).join("-");

function read(storage, key) {
  try {
    return JSON.parse(storage.getItem(key)) ?? {};
  } catch {
    return {};
  }
}

function write(storage, key, value) {
  try {
    if (value === null) storage.removeItem(key);
    else storage.setItem(key, JSON.stringify(value));
  } catch {
    return; // a full or forbidden storage: a reload then asks for the name
  }
}

// Return what all tabs share; null where the browser forbids that.
function findShared() {
  try {
    return navigator.locks ? localStorage : null;
  } catch {
    return null;
  }
}

// Lock an id until this tab is closed; return whether that was possible.
function lock(id, options) {
  return new Promise((resolve) => {
    const hold = (held) => {
      const isWanted = held !== null && !options.signal?.aborted; // Chromium grants some requests after their abort
      resolve(isWanted);
      return isWanted ? new Promise(() => {}) : undefined;
    };
    navigator.locks.request(STAYING + id, options, hold).catch(() => resolve(false));
  });
}

export class Session {
  constructor() {
    this.kept = read(sessionStorage, KEY);
    this.shared = findShared();
    this.tab = makeId();
    this.isLocked = false; // whether this tab holds the lock of `kept.tab`
    this.channel = new BroadcastChannel(KEY);
    this.channel.onmessage = ({ data }) => {
      if (data.asks && data.tab !== this.tab && data.asks === this.kept.token) {
        this.channel.postMessage({ taken: data.asks, tab: this.tab });
      }
    };
  }

  // Whether a login can outlive its tab.
  get canStay() {
    return this.shared !== null;
  }

  // Find out whether another tab has the same token; then forget it here. Take over a login that has lost its tab.
  async claim() {
    if (this.kept.token && (await this.isTaken())) this.leave();
    const { id } = this.kept;
    if (id && !(this.canStay && (await lock(id, { signal: AbortSignal.timeout(LOCK_MS) })))) this.leave();
    if (!this.kept.token && this.canStay) await this.takeOver();
    if (!this.isLocked && navigator.locks && (await lock(this.tab, { ifAvailable: true }))) this.keep({ tab: this.tab });
  }

  // Wait until the original answers, or until its lock is free. With locks, silence is a sign of a busy original.
  async isTaken() {
    const { token, tab } = this.kept;
    const locks = Boolean(tab && navigator.locks);
    const channel = new BroadcastChannel(KEY);
    const answered = new AbortController();
    const isTaken = await new Promise((resolve) => {
      channel.onmessage = ({ data }) => data.taken === token && data.tab !== this.tab && resolve(true);
      channel.postMessage({ asks: token, tab: this.tab });
      if (locks) lock(tab, { signal: answered.signal }).then((held) => held && resolve(false));
      setTimeout(resolve, locks ? LOCK_MS : ANSWER_MS, locks);
    });
    answered.abort();
    channel.close();
    this.isLocked = locks && !isTaken;
    return isTaken;
  }

  async takeOver() {
    for (const key of Object.keys(this.shared).filter((one) => one.startsWith(STAYING))) {
      const id = key.slice(STAYING.length);
      if (!(await lock(id, { ifAvailable: true }))) continue;
      const { token, name } = read(this.shared, key);
      if (token) {
        this.keep({ token, name, id });
        return;
      }
      write(this.shared, key, null);
    }
  }

  get token() {
    return this.kept.token ?? "";
  }

  get name() {
    return this.kept.name ?? "";
  }

  get seen() {
    return this.kept.seen ?? {};
  }

  // Let the login that comes next outlive this tab, or not.
  async stay(does) {
    if (!does) {
      this.keep({ id: "" });
    } else if (!this.kept.id) {
      const id = makeId();
      if (await lock(id, { ifAvailable: true })) this.keep({ id });
    }
  }

  keep(more) {
    const { id } = this.kept;
    this.kept = { ...this.kept, ...more };
    if (more.token === "") this.kept.id = ""; // the next login is a new decision
    if (id && !this.kept.id) write(this.shared, STAYING + id, null);
    write(sessionStorage, KEY, this.kept);
    const { token, name } = this.kept;
    if (this.kept.id && token && ("token" in more || "name" in more || "id" in more)) {
      write(this.shared, STAYING + this.kept.id, { token, name });
    }
  }

  // Forget what was copied from another tab, which still has it.
  leave() {
    this.kept = {};
    sessionStorage.removeItem(KEY);
  }
}
