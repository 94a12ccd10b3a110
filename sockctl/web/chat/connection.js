// The connection with the server: a WebSocket that comes back by itself.
//
// After a loss the next try comes soon, later ones after growing pauses with jitter, so that many pages don't come back
// at one time. A server that has put the member out, or that the user has left, is not asked again. Where the chat has
// several servers, the next try goes to the next one.

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
const CLOCK_MS = 2_000;
const SLEPT_MS = 15_000; // a clock that stood still for so long: the device has slept
const OPEN_MS = 15_000; // a try that takes longer is given up
const SILENT_MS = 120_000; // after which the connection is dead: the server asks each minute whether the client is there
const LEFT = ["client_exit", "logged_out", "server_closed", "session_ended"]; // reasons of a server for a user who has left

const toSocket = (origin) => origin.replace(/^http/, "ws");

// Return the origins in any order: the pages of a server that has failed spread over the others.
function shuffle(origins) {
  return origins.map((origin) => [Math.random(), origin]).sort(([one], [other]) => one - other).map(([, origin]) => origin);
}

const isOver = ({ code, reason }) => (code >= 4000 && code < 4010) || (code === 1000 && LEFT.includes(reason));

export class Connection {
  // `receive` gets each message, `change` each state: connecting, open, waiting (with `until`), ended (with `code`).
  // `others` are the origins of other servers of the same chat. A page that came encrypted opens encrypted ones only.
  constructor({ receive, change, others }) {
    this.receive = receive;
    this.change = change;
    const usable = others.filter((origin) => location.protocol !== "https:" || origin.startsWith("https:"));
    this.origins = [location.origin, ...shuffle(usable)];
    this.heardAt = 0;
    this.failures = 0;
    this.socket = null;
    this.timer = 0;
    this.clock = Date.now();
    setInterval(() => this.watchClock(), CLOCK_MS);
    addEventListener("online", () => this.state === "waiting" && this.open());
    addEventListener("offline", () => this.lose());
  }

  open() {
    clearTimeout(this.timer);
    this.drop();
    this.set("connecting");
    const socket = new WebSocket(`${toSocket(this.origins[0])}/`);
    this.socket = socket;
    this.timer = setTimeout(() => this.fail(), OPEN_MS);
    socket.onopen = () => {
      clearTimeout(this.timer);
      this.heardAt = Date.now();
      this.set("open");
      this.send({ kind: "hello", client: "web", can: ["blocks", "typing"] });
    };
    socket.onmessage = (event) => {
      this.heardAt = Date.now();
      this.receive(JSON.parse(event.data));
    };
    socket.onclose = (event) => {
      if (socket !== this.socket) return;
      if (isOver(event)) {
        this.drop();
        this.set("ended", { code: event.code });
      } else {
        this.fail();
      }
    };
  }

  // Give this server up: the next try goes to the next one.
  fail() {
    this.origins.push(this.origins.shift());
    this.lose();
  }

  // Note that the server has let the member in: the next loss is a new one.
  settle() {
    this.failures = 0;
  }

  send(message) {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  // Give the connection up, and come back after a pause.
  lose() {
    if (this.state === "ended" || this.state === "waiting") return;
    clearTimeout(this.timer);
    this.drop();
    const rounds = Math.floor(this.failures / this.origins.length);
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** rounds) * (0.5 + Math.random());
    this.failures += 1;
    this.set("waiting", { until: Date.now() + pause });
    this.timer = setTimeout(() => this.open(), pause);
  }

  drop() {
    const socket = this.socket;
    this.socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  set(state, more = {}) {
    this.state = state;
    this.change({ state, until: 0, code: 0, ...more });
  }

  watchClock() {
    const slept = Date.now() - this.clock > SLEPT_MS;
    this.clock = Date.now();
    if (slept && (this.state === "open" || this.state === "waiting")) this.open();
    else if (this.state === "open" && Date.now() - this.heardAt > SILENT_MS) this.fail();
  }
}
