// The page: its parts, and what joins the connection, the session and the chat.

import { Component, html, render, useEffect, useLayoutEffect, useRef, useState } from "/preact.js";
import { Connection } from "/connection.js";
import { Session } from "/session.js";
import { Chat } from "/store.js";
import { texts } from "/texts.js";

const SHOWN_ROWS = 200;
const NEAR_PX = 120; // so near to an end of the log counts as being there
const TYPING_EVERY_MS = 3_000;
const COLOURS = 8;
const MOST_LINES = 8; // of the box for a message

const session = new Session();
let link = { state: "connecting", until: 0, code: 0 };
let scheduled = false;
let triesToken = true;

const chat = new Chat({
  send: (message) => connection.send(message),
  changed: schedule,
  alert: notify,
  keep: (more) => session.keep(more),
  readIds: session.kept.read ?? {},
  shown: session.kept.shown ?? "",
  privates: session.kept.privates ?? [],
  owner: session.name,
});

const connection = new Connection({
  others: document.querySelector("meta[name=servers]").content.split(" ").filter(Boolean),
  change(now) {
    link = now;
    if (now.state !== "open") chat.lose();
    if (now.state === "connecting") triesToken = true;
    schedule();
  },
  receive(message) {
    chat.receive(message);
    if (message.kind === "welcome") {
      connection.settle();
      session.keep({ name: message.name });
    }
    if (message.kind === "ask" && message.field === "name") answerByToken();
  },
});

// Come back with the token, and the name beside it: a server that was started anew knows the name only.
function answerByToken() {
  if (!triesToken || !session.token) return;
  triesToken = false;
  chat.question = null;
  const { token, name } = session;
  connection.send({ kind: "resume", token, name, seen: chat.listSeen(session.seen) });
}

// Show what has changed, once for all changes of a moment; also while the page isn't seen, for its title.
function schedule() {
  if (scheduled) return;
  scheduled = true;
  const show = () => {
    scheduled = false;
    if (chat.isIn) session.keep(chat.listIds());
    if (chat.isStuck()) connection.fail();
    const { unread, mentions } = chat;
    document.title = `${mentions ? `(${unread}!) ` : unread ? `(${unread}) ` : ""}${chat.room ? `${nameOf(chat.room)} | ` : ""}${texts.title}`;
    render(html`<${App} />`, document.getElementById("app"));
  };
  if (document.hidden) setTimeout(show, 50);
  else requestAnimationFrame(show);
}

function notify(row, room) {
  if (globalThis.Notification?.permission !== "granted") return;
  try {
    const shown = new Notification(texts.mentionOf(row.sender, room), { body: row.text, tag: room, icon: "/icon.svg" });
    shown.onclick = () => {
      focus();
      shown.close();
    };
  } catch {
    return; // a browser that lets service workers alone notify
  }
}

const nameOf = (room) => room.other || room.name;
const isLooking = () => !document.hidden && document.hasFocus();

function colourOf(name) {
  let sum = 0;
  for (const letter of name.toLowerCase()) sum = (sum * 31 + letter.codePointAt(0)) % 65_521;
  return `name c${sum % COLOURS}`;
}

// The login.

function Login() {
  const { question, problem } = chat;
  const [text, setText] = useState("");
  const [stays, setStays] = useState(false);
  const field = useRef(null);
  const isSecret = question?.field === "password";
  useLayoutEffect(() => {
    setText(isSecret || !session.name ? "" : session.name);
    field.current?.focus();
  }, [question]);
  const submit = (event) => {
    event.preventDefault();
    chat.problem = "";
    chat.question = null;
    connection.send({ kind: "answer", field: question.field, text });
    if (isSecret) session.stay(stays);
    else session.keep({ name: text });
    schedule();
  };
  if (!question) return html`<main class="login"><h1>${texts.title}</h1><p role="status">${texts.connecting}</p></main>`;
  const label = isSecret ? texts.password : texts.name;
  const isSame = question.text.replace(/:$/, "") === label;
  return html`<main class="login">
    <h1>${texts.title}</h1>
    <form onSubmit=${submit}>
      <p id="question" class=${isSame ? "unseen" : ""}>${question.text}</p>
      ${isSecret && html`<input hidden autocomplete="username" value=${session.name} readonly />`}
      <label for="answer">${label}</label>
      <input
        id="answer"
        key=${question.field}
        ref=${field}
        type=${isSecret ? "password" : "text"}
        autocomplete=${isSecret ? "current-password" : "username"}
        autocapitalize="off"
        spellcheck=${false}
        aria-describedby="question"
        value=${text}
        onInput=${(event) => setText(event.target.value)}
        required
      />
      ${isSecret && session.canStay && html`<label class="stay">
        <input type="checkbox" checked=${stays} onChange=${(event) => setStays(event.target.checked)} /> ${texts.stay}
      </label>`}
      <button>${texts.enter}</button>
    </form>
    ${problem && html`<p role="alert" class="problem">${problem}</p>`}
  </main>`;
}

// The log.

function Text({ row }) {
  const lines = row.lines ?? [row.text];
  return html`<span class="text">${lines.map((line, at) => html`${at > 0 && html`<br />`}${line}`)}</span>`;
}

class Row extends Component {
  shouldComponentUpdate(next) {
    return next.row !== this.props.row || next.isFirstUnread !== this.props.isFirstUnread;
  }

  render({ row, isFirstUnread }) {
    const date = new Date(row.at);
    const time = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    const kinds = [row.kind, row.isMention && "mention", row.isOwn && "own", row.action && "action"];
    return html`${isFirstUnread && html`<p class="line">${texts.unread}</p>`}
      <p class=${kinds.filter(Boolean).join(" ")}>
        <time datetime=${row.at} title=${date.toLocaleString()}>${time}</time>
        ${" "}${row.sender && html`<b class=${colourOf(row.sender)}>${row.sender}</b>`}${" "}
        <${Text} row=${row} />
        ${row.why && html`<span class="why"> ${texts.notSaid(row.why)}</span>`}
      </p>`;
  }
}

class Log extends Component {
  constructor() {
    super();
    this.state = { shown: SHOWN_ROWS };
    this.isAtEnd = true;
    this.isTold = false; // whether what the server tells at joining is drawn
    this.onScroll = this.onScroll.bind(this);
  }

  componentDidMount() {
    this.isTold = this.props.room.isTold;
    this.showRoom();
    this.observer = new ResizeObserver(() => this.isAtEnd && this.toEnd()); // such as when a phone shows its keyboard
    this.observer.observe(this.base);
  }

  componentWillUnmount() {
    this.observer.disconnect();
  }

  // The element that the user reads first, and where it is on the screen.
  getSnapshotBeforeUpdate() {
    if (this.isAtEnd) return null;
    const edge = this.base.getBoundingClientRect().top;
    const read = [...this.base.children].find((one) => one.getBoundingClientRect().bottom > edge);
    return read ? { read, top: read.getBoundingClientRect().top } : null;
  }

  // Stay at the end, or where the user reads: what comes above must not move it.
  componentDidUpdate(_, before, reading) {
    const wasTold = this.isTold;
    this.isTold = this.props.room.isTold;
    if (this.name !== this.props.room.name) this.showRoom();
    else if (this.isAtEnd) this.toEnd();
    else if (reading?.read.isConnected) this.base.scrollTop += reading.read.getBoundingClientRect().top - reading.top;
    if (this.isTold && !wasTold) this.onScroll(); // what has come may leave room for more
  }

  // Begin where the unread begins, else at the end.
  showRoom() {
    this.name = this.props.room.name;
    const line = this.base.querySelector(".line");
    if (line) line.scrollIntoView({ block: "start" });
    else this.toEnd();
    this.onScroll();
  }

  toEnd() {
    this.base.scrollTop = this.base.scrollHeight;
    this.isAtEnd = true;
  }

  onScroll() {
    const { scrollTop, scrollHeight, clientHeight } = this.base;
    this.isAtEnd = scrollHeight - scrollTop - clientHeight < NEAR_PX;
    if (this.isAtEnd !== this.wasAtEnd) {
      this.wasAtEnd = this.isAtEnd;
      this.props.onEnd(this.isAtEnd);
    }
    if (scrollTop < NEAR_PX && scrollHeight > 0) this.showOlder();
  }

  showOlder() {
    const { room } = this.props;
    if (this.state.shown < room.rows.length) this.setState({ shown: this.state.shown + SHOWN_ROWS });
    else if (this.isTold) chat.askOlder();
  }

  render({ room }, { shown }) {
    if (this.isAtEnd && shown > SHOWN_ROWS && this.name === room.name) this.state.shown = SHOWN_ROWS;
    const rows = room.rows.slice(-this.state.shown);
    const isWhole = room.isComplete && rows.length === room.rows.length && !room.other;
    return html`<div class="log" role="log" aria-label=${texts.messages} aria-live="off" tabindex="0" onScroll=${this.onScroll}>
      ${room.other && html`<p key="private" class="line">${texts.privately(room.other)}</p>`}
      ${isWhole && html`<p key="beginning" class="beginning">${texts.beginning}</p>`}
      ${rows.map((row) => html`<${Row} key=${row.key} row=${row} isFirstUnread=${row.key === room.firstUnread} />`)}
    </div>`;
  }
}

// Read new messages, and no others, to those who hear the page.
function News() {
  const region = useRef(null);
  useEffect(() => {
    const news = chat.news.splice(0);
    if (!news.length) return;
    const lines = news.slice(-10).map((text) => {
      const line = document.createElement("p");
      line.textContent = text;
      return line;
    });
    region.current.replaceChildren(...lines);
  });
  return html`<div ref=${region} class="unseen" role="status" aria-label=${texts.news}></div>`;
}

// The lists.

function Rooms({ onPick, onClose }) {
  return html`<ul aria-label=${texts.rooms}>
    ${[...chat.rooms.values()].map((room) => {
      const isActive = room.name === chat.active;
      const count = room.unread > 0 && html`<span class=${room.mentions ? "count mention" : "count"}>
        <span aria-hidden="true">${room.unread}${room.mentions ? "!" : ""}</span>
        <span class="unseen">${texts.unreadCount(room.unread, room.mentions)}</span>
      </span>`;
      return html`<li key=${room.name}>
        <button aria-current=${isActive ? "page" : undefined} onClick=${() => onPick(room.name)}>
          <span class="label">${nameOf(room)}</span> ${count}
        </button>
        ${room.other && html`<button class="close" aria-label=${texts.close(room.other)} onClick=${() => onClose(room)}>×</button>`}
      </li>`;
    })}
  </ul>`;
}

function Members({ room, onPick }) {
  const names = chat.listMembers(room);
  const isPart = names.length < room.count;
  const sum = isPart && names.length ? texts.listedCount(names.length, room.count) : texts.memberCount(room.count || names.length);
  return html`<p class="sum">${sum}</p>
    <ul aria-label=${texts.members}>
      ${names.map(
        (name) => html`<li key=${name}>
          ${chat.isMe(name)
            ? html`<span class="self"><b class=${colourOf(name)}>${name}</b> (${texts.you})</span>`
            : html`<button onClick=${() => onPick(name)}><b class=${colourOf(name)}>${name}</b></button>`}
        </li>`,
      )}
    </ul>
    ${isPart && chat.isIn && html`<button class="more" onClick=${() => chat.askMembers(room)}>${names.length ? texts.more : texts.list}</button>`}`;
}

// The message that is being typed.

const COMMANDS = ["away", "help", "history", "ignore", "join", "leave", "me", "msg", "nick", "quiet", "quit", "reply", "rooms", "topic", "who", "whois"];

function complete(text, room) {
  const start = text.search(/\S+$/);
  if (start < 0) return [];
  const word = text.slice(start).toLowerCase();
  const names = chat.listNames(room).filter((name) => !chat.isMe(name));
  const rooms = [...chat.rooms.values()].filter((one) => !one.other).map((one) => one.name);
  const words = start === 0 && word.startsWith("/") ? COMMANDS.map((one) => `/${one}`) : word.startsWith("#") ? rooms : names;
  const end = start === 0 && words === names ? ": " : " ";
  return words.filter((one) => one.toLowerCase().startsWith(word)).map((one) => text.slice(0, start) + one + end);
}

function Composer({ room }) {
  const box = useRef(null);
  const recalled = useRef([]);
  const at = useRef(0);
  const cycle = useRef(null);
  const typedAt = useRef(0);
  useEffect(() => box.current.focus(), [room.name]);
  const fit = () => {
    box.current.rows = Math.min(MOST_LINES, box.current.value.split("\n").length);
  };
  const put = (text) => {
    room.draft = text;
    box.current.value = text;
    fit();
    box.current.setSelectionRange(text.length, text.length);
  };
  const submit = (event) => {
    event?.preventDefault();
    const text = box.current.value;
    if (!chat.say(text)) return;
    recalled.current.push(text);
    at.current = recalled.current.length;
    typedAt.current = 0;
    put("");
    chat.markRead();
  };
  const recall = (step) => {
    const next = at.current + step;
    if (next < 0 || next > recalled.current.length) return;
    at.current = next;
    put(recalled.current[next] ?? "");
  };
  const completeWord = (event) => {
    const found = cycle.current ?? { words: complete(box.current.value, room), at: -1 };
    if (!found.words.length) return;
    event.preventDefault();
    found.at = (found.at + (event.shiftKey ? found.words.length - 1 : 1)) % found.words.length;
    cycle.current = found;
    put(found.words[found.at]);
  };
  const onKeyDown = (event) => {
    if (event.isComposing) return;
    const { key, shiftKey } = event;
    const isAtEnd = box.current.selectionStart === box.current.value.length;
    if (key === "Tab" && !event.ctrlKey && !event.altKey && isAtEnd) return completeWord(event);
    if (key !== "Shift") cycle.current = null;
    if (key === "Enter" && !shiftKey) return submit(event);
    const recalls = !event.altKey && (!box.current.value || box.current.value === recalled.current[at.current]);
    if ((key === "ArrowUp" || key === "ArrowDown") && recalls) {
      event.preventDefault();
      recall(key === "ArrowUp" ? -1 : 1);
    }
  };
  const onInput = () => {
    room.draft = box.current.value;
    fit();
    const now = Date.now();
    if (room.draft && !room.draft.startsWith("/") && now - typedAt.current > TYPING_EVERY_MS) {
      typedAt.current = now;
      chat.markTyping();
    }
  };
  return html`<form class="composer" onSubmit=${submit}>
    <textarea
      key=${room.name}
      ref=${box}
      rows="1"
      aria-label=${texts.message}
      placeholder=${texts.placeholder(nameOf(room))}
      autocomplete="off"
      onKeyDown=${onKeyDown}
      onInput=${onInput}
    >${room.draft}</textarea>
    <button disabled=${!chat.isIn}>${texts.send}</button>
  </form>`;
}

function Pending({ room }) {
  const doubtful = chat.pending.filter((said) => said.isDoubtful && said.text && said.room === room.name);
  return doubtful.map(
    (said) => html`<p class="doubtful" key=${said.n}>
      <span class="text">${said.text}</span> <small>${texts.doubtful}</small>${" "}
      <button disabled=${!chat.isIn} onClick=${() => chat.sayAgain(said)}>${texts.again}</button>${" "}
      <button onClick=${() => chat.forget(said)}>${texts.drop}</button>
    </p>`,
  );
}

// The whole.

function LinkState() {
  const [, tick] = useState(0);
  useEffect(() => {
    if (link.state !== "waiting") return undefined;
    const timer = setInterval(() => tick((count) => count + 1), 1_000);
    return () => clearInterval(timer);
  }, [link]);
  if (link.state === "open") return null;
  const ended = link.state === "ended";
  const seconds = Math.max(0, Math.ceil((link.until - Date.now()) / 1_000));
  const text = ended
    ? texts.ended(texts.endings[link.code] ?? chat.farewell)
    : link.state === "connecting"
      ? texts.connecting
      : navigator.onLine
        ? texts.waiting(seconds)
        : texts.offline;
  return html`<div class="link">
    <span role="status">${text}</span>
    ${link.state !== "connecting" && html`<button onClick=${() => connection.open()}>${ended ? texts.comeBack : texts.retry}</button>`}
  </div>`;
}

function NotifyButton() {
  const [permission, setPermission] = useState(globalThis.Notification?.permission);
  if (permission !== "default" || !globalThis.isSecureContext) return null;
  const ask = () => Notification.requestPermission().then(setPermission);
  return html`<button class="small" onClick=${ask}>${texts.notify}</button>`;
}

function App() {
  const [panel, setPanel] = useState("");
  const [isAtEnd, setAtEnd] = useState(true);
  const log = useRef(null);
  const room = chat.room;
  if (!room) return html`${link.state !== "open" && html`<${LinkState} />`}<${Login} />`;
  if (link.state === "open" && !chat.isIn && chat.question) return html`<${Login} />`;
  const toggle = (name) => setPanel(panel === name ? "" : name);
  const pick = (name) => {
    setPanel("");
    chat.show(name);
  };
  const pickMember = (name) => pick(chat.openPrivate(name).name);
  const typing = chat.listTyping(room);
  return html`<div class=${`chat ${panel}`}>
    <header>
      <button class="toggle" aria-expanded=${panel === "rooms"} aria-controls="rooms" onClick=${() => toggle("rooms")}>
        ${texts.rooms}${chat.unread > 0 && html` <span class=${chat.mentions ? "count mention" : "count"}>${chat.unread}</span>`}
      </button>
      <h1>${nameOf(room)}</h1>
      <p class="topic">${room.topic}</p>
      <${NotifyButton} />
      <button class="toggle" aria-expanded=${panel === "members"} aria-controls="members" onClick=${() => toggle("members")}>
        ${texts.members}
      </button>
    </header>
    <nav id="rooms" aria-label=${texts.rooms}><${Rooms} onPick=${pick} onClose=${(room) => chat.close(room.name)} /></nav>
    <main>
      <${LinkState} />
      <${Log} ref=${log} room=${room} onEnd=${setAtEnd} />
      ${!isAtEnd && html`<button class="newer" onClick=${() => log.current.toEnd()}>${texts.newer(0)}</button>`}
      <p class="typing">${typing.length > 0 && texts.typing(typing)}</p>
      <${Pending} room=${room} />
      <${Composer} room=${room} />
      <${News} />
    </main>
    <aside id="members" aria-label=${texts.members}><${Members} room=${room} onPick=${pickMember} /></aside>
  </div>`;
}

addEventListener("keydown", (event) => {
  if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
    event.preventDefault();
    chat.go(event.key === "ArrowUp" ? -1 : 1);
  } else if (event.key === "Escape") {
    chat.markRead();
  }
});
for (const name of ["focus", "blur"]) addEventListener(name, () => chat.look(isLooking()));
document.addEventListener("visibilitychange", () => chat.look(isLooking()));
setInterval(() => chat.isStuck() && connection.fail(), 5_000);

chat.isLooking = isLooking();
schedule();
await session.claim();
connection.open();
