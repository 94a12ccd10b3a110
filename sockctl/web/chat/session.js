// The token of a tab, which brings its member back after a reload. A token is for one use and for one tab: a tab that
// was copied with its storage ("duplicate tab") forgets it, once it hears that the original is still there.

const KEY = "sockctl-session";
const ANSWER_MS = 150;

const read = () => {
  try {
    return JSON.parse(sessionStorage.getItem(KEY)) ?? {};
  } catch {
    return {};
  }
};

export class Session {
  constructor() {
    this.kept = read();
    this.tab = crypto.getRandomValues(new Uint32Array(2)).join("-");
    this.channel = new BroadcastChannel(KEY);
    this.channel.onmessage = ({ data }) => {
      if (data.asks && data.tab !== this.tab && data.asks === this.kept.token) {
        this.channel.postMessage({ taken: data.asks, tab: this.tab });
      }
    };
  }

  // Find out whether another tab has the same token; then forget it here.
  async claim() {
    if (!this.kept.token) return;
    const token = this.kept.token;
    await new Promise((resolve) => {
      const channel = new BroadcastChannel(KEY);
      const end = () => {
        channel.close();
        resolve();
      };
      channel.onmessage = ({ data }) => {
        if (data.taken !== token || data.tab === this.tab) return;
        this.forget();
        end();
      };
      channel.postMessage({ asks: token, tab: this.tab });
      setTimeout(end, ANSWER_MS);
    });
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

  keep(more) {
    this.kept = { ...this.kept, ...more };
    try {
      sessionStorage.setItem(KEY, JSON.stringify(this.kept));
    } catch {
      return; // a full or forbidden storage: a reload then asks for the name
    }
  }

  forget() {
    this.kept = {};
    sessionStorage.removeItem(KEY);
  }
}
