// What the page knows of the chat: rooms with their rows and members, made from the server's messages. No DOM here.

export const KEPT_ROWS = 2_000;
const TYPING_MS = 5_000;
const OLDER = 100; // lines that are asked for when the user scrolls back
const UNCONFIRMED_MS = 15_000;
const PENDING = 100;
const KEPT_PRIVATE = 100; // messages of a private conversation that outlast a reload
const ARRIVAL_MS = 2_000; // after which any room is shown, if the one that was to be shown hasn't come

const key = (name) => name.normalize("NFC").toLowerCase();
export const privateKey = (name) => `@${key(name)}`;

// Return what finds a name as a word in a text, in any case.
const makeMention = (name) => {
  const word = name.normalize("NFC").replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`(?<![\\p{L}\\p{N}_])${word}(?![\\p{L}\\p{N}_])`, "iu");
};

class Room {
  constructor(name, other = "") {
    this.name = name;
    this.other = other; // the other member of a private conversation
    this.topic = "";
    this.rows = [];
    this.ids = new Map(); // the time of each message, by its id
    this.members = new Map(); // names by key
    this.count = 0; // of members, where the server doesn't name them all
    this.page = 0; // of a large room's members: the one that is asked for; negative once it has come
    this.unread = 0;
    this.mentions = 0;
    this.firstUnread = null; // the row above which the line stands
    this.typing = new Map();
    this.isTold = false; // whether the messages that the server tells at joining have come
    this.isComplete = Boolean(other); // nothing older can be asked for
    this.asks = 0; // the number of the request for older messages that is on its way
    this.draft = "";
    this.readId = null; // the last id that the user has read; null where that isn't known
    this.foundOlder = false;
  }

  get lastId() {
    return this.rows.findLast((row) => row.id)?.id ?? 0;
  }
}

export class Chat {
  constructor({ send, changed, alert, keep, readIds, shown, privates, owner }) {
    this.send = send;
    this.changed = changed;
    this.alert = alert; // told of each mention and private message
    this.keep = keep;
    this.readIds = readIds; // by room, the last id that was read before a reload
    this.shown = shown; // the room that was shown before a reload
    this.me = "";
    this.mention = null;
    this.rooms = new Map();
    this.active = "";
    this.speaks = ""; // the room in which the server lets this client speak
    this.question = null; // what the server asks before it lets the member in
    this.problem = "";
    this.isIn = false;
    this.isLooking = true; // whether the user sees the page
    this.news = []; // for the live region
    this.pending = []; // what was said and has not come back
    this.follows = false; // whether the next room that is joined is shown
    this.count = 0;
    this.said = 0;
    this.owner = owner; // whose private conversations were kept
    for (const { other, rows, unread, mentions } of privates) {
      const room = this.openPrivate(other);
      Object.assign(room, { rows, unread, mentions, firstUnread: null });
    }
  }

  get room() {
    return this.rooms.get(this.active);
  }

  get unread() {
    return [...this.rooms.values()].reduce((sum, room) => sum + room.unread, 0);
  }

  get mentions() {
    return [...this.rooms.values()].reduce((sum, room) => sum + room.mentions, 0);
  }

  // Messages of the server.

  receive(one) {
    const handler = this[`on_${one.kind}`];
    if (handler) handler.call(this, one);
    this.changed();
  }

  on_ask(one) {
    this.question = { field: one.field, text: one.text };
  }

  on_welcome(one) {
    this.question = null;
    this.problem = "";
    this.isIn = true;
    this.rename(one.name);
    if (!this.isMe(this.owner || one.name)) this.forgetPrivates();
    this.owner = one.name;
    this.speaks = "";
    for (const room of this.rooms.values()) {
      room.asks = 0;
      room.members.clear();
      room.typing.clear();
    }
    if (!this.room) this.active = this.shown || one.room;
    setTimeout(() => this.room || this.show([...this.rooms.keys()].at(-1)), ARRIVAL_MS);
  }

  on_joined(one) {
    const room = this.open(one.room);
    if (one.name && this.isMe(one.name)) {
      room.members.clear();
      room.count = room.page = 0;
      this.speaks = room.name;
      if (this.follows || this.active === room.name) this.show(room.name);
      this.follows = false;
    } else {
      if (one.name) room.members.set(key(one.name), one.name);
      this.add(room, { kind: "moves", text: one.text });
    }
  }

  on_left(one) {
    const room = this.rooms.get(one.room);
    if (!room) return;
    if (one.name && this.isMe(one.name)) {
      this.close(one.room);
    } else {
      if (one.name) room.members.delete(key(one.name));
      this.add(room, { kind: "moves", text: one.text });
    }
  }

  on_renamed(one) {
    if (one.before && this.isMe(one.before)) {
      this.rename(one.name);
      this.keep({ name: one.name });
      this.owner = one.name;
    }
    for (const room of this.rooms.values()) {
      const isPrivate = room.other && key(room.other) === key(one.before ?? "");
      if (isPrivate || room.members.delete(key(one.before ?? ""))) {
        if (isPrivate) this.renamePrivate(room, one.name);
        else room.members.set(key(one.name), one.name);
        this.add(room, { kind: "moves", text: one.text });
      }
    }
  }

  on_members(one) {
    const room = this.rooms.get(one.room);
    const isAsked = room?.page > 0 && one.page === room.page;
    if (one.details && !isAsked) {
      this.tell(one.text);
    } else if (room) {
      for (const name of one.members ?? []) room.members.set(key(name), name);
      room.count = one.count ?? 0;
      if (isAsked) room.page = -room.page;
    }
  }

  on_notice(one) {
    const room = this.rooms.get(one.room);
    if (one.code === "room" && one.count === undefined) {
      this.speaks = one.room;
      if (this.follows) this.show(one.room);
      this.follows = false;
    } else if (one.code === "topic" && room) {
      room.topic = one.topic;
      if (!one.text.startsWith("The topic of")) this.add(room, { kind: "notice", text: one.text });
    } else if ((one.code === "missed" || one.code === "history") && room) {
      if (one.code === "history") {
        room.isComplete = true;
        room.asks = 0;
      } else this.add(room, { kind: "notice", text: one.text });
    } else {
      this.tell(one.text);
    }
  }

  on_error(one) {
    const at = this.pending.findIndex((said) => said.n === one.n);
    const asking = [...this.rooms.values()].find((room) => room.asks && room.asks === one.n);
    if (asking) {
      asking.asks = 0;
      asking.isComplete = true;
    } else if (one.n !== undefined && at >= 0) {
      const [said] = this.pending.splice(at, 1);
      const room = this.rooms.get(said.room) ?? this.room;
      if (room && said.text) this.add(room, { kind: "refused", text: said.text, why: one.text });
      else this.tell(one.text, "error");
    } else if (this.isIn) {
      this.tell(one.text, "error");
    } else {
      this.problem = one.text;
      if (one.code === "bad_token") this.keep({ token: "" });
    }
  }

  on_token(one) {
    this.keep({ token: one.token });
  }

  on_say(one) {
    if (one.private) {
      const other = this.isMe(one.sender) ? one.to : one.sender;
      this.addSaid(this.openPrivate(other), one);
    } else {
      const room = this.open(one.room);
      room.isTold = true;
      this.addSaid(room, one);
    }
  }

  on_history(one) {
    const room = this.open(one.room);
    const before = room.rows.length;
    this.addSaid(room, one);
    room.isTold ||= !one.more;
    if (room.rows.length > before) room.foundOlder = true;
    if (one.again && !one.more) {
      if (room.asks && !room.foundOlder) room.isComplete = true;
      room.asks = 0;
      room.foundOlder = false;
    }
  }

  on_typing(one) {
    this.rooms.get(one.room)?.typing.set(one.sender, Date.now() + TYPING_MS);
    setTimeout(() => this.changed(), TYPING_MS + 100);
  }

  on_bye(one) {
    this.farewell = one.text;
    if (one.reason === "logged_out" || one.reason === "session_ended") this.keep({ token: "" });
    if (one.reason === "logged_out") this.forgetPrivates();
  }

  on_ping() {
    this.send({ kind: "pong" });
  }

  // The connection.

  lose() {
    this.isIn = false;
    this.question = null;
    this.follows = false;
    for (const said of this.pending) said.isDoubtful = true;
    for (const room of this.rooms.values()) room.readId ??= room.lastId;
  }

  // The member's `resume`, with the last id that was seen of each room; after a reload some earlier messages as well.
  listSeen(kept) {
    const seen = {};
    for (const [name, room] of this.rooms) if (!room.other) seen[name] = room.lastId;
    if (!Object.keys(seen).length) for (const [name, id] of Object.entries(kept)) seen[name] = Math.max(0, id - OLDER);
    return seen;
  }

  // What the user does.

  // Say or do what was typed in the active room; return whether the server gets it.
  say(text, room = this.room) {
    const lines = text.replace(/\s+$/, "").split("\n");
    if (!this.isIn || !room || !lines.join("").trim()) return false;
    const isCommand = /^\/[^/\s]*(\s|$)/.test(text) && lines.length === 1;
    if (room.other && isCommand && /^\/(leave|part)\s*$/i.test(text)) {
      this.close(room.name);
      return true;
    }
    if (isCommand) {
      this.follows = /^\/(join|j)\s/i.test(text);
      if (!room.other) this.speakIn(room);
      const say = this.note({ room: room.name, text: /^\/me\s+(.*)/is.exec(text)?.[1] ?? "", line: text });
      return this.send({ kind: "line", text, n: say.n });
    }
    if (room.other) {
      return lines.filter((line) => line.trim()).every((line) => {
        const said = this.note({ room: room.name, text: line.trim(), line });
        return this.send({ kind: "line", text: `/msg ${room.other} ${line}`, n: said.n });
      });
    }
    this.speakIn(room);
    const said = this.note({ room: room.name, text: lines.join(lines.length > 1 ? " " : "").trim(), line: text });
    if (lines.length === 1) return this.send({ kind: "line", text: lines[0], n: said.n });
    return this.send({ kind: "block", text: lines[0], lines, n: said.n });
  }

  note(said) {
    const whole = { ...said, n: ++this.said, at: Date.now(), isDoubtful: false };
    this.pending.push(whole);
    if (this.pending.length > PENDING) this.pending.shift();
    return whole;
  }

  speakIn(room) {
    if (this.speaks === room.name) return;
    this.send({ kind: "line", text: `/join ${room.name}` });
    this.speaks = room.name;
  }

  // Return whether something has not come back for so long that the connection must be dead.
  isStuck() {
    const first = this.pending.find((said) => said.text && !said.isDoubtful);
    return this.isIn && first !== undefined && Date.now() - first.at > UNCONFIRMED_MS;
  }

  forget(said) {
    this.pending = this.pending.filter((one) => one !== said);
    this.changed();
  }

  sayAgain(said) {
    const room = this.rooms.get(said.room);
    if (room && this.say(said.line, room)) this.forget(said);
    this.changed();
  }

  markTyping() {
    if (this.isIn && this.room && !this.room.other) {
      this.speakIn(this.room);
      this.send({ kind: "typing" });
    }
  }

  // Ask for earlier messages of the active room; the answer comes as `history`.
  askOlder() {
    const room = this.room;
    if (!room || room.isComplete || room.asks || !this.isIn) return;
    room.asks = ++this.said;
    this.speakIn(room);
    const known = room.rows.reduce((sum, row) => sum + (row.id ? (row.lines?.length ?? 1) : 0), 0);
    this.send({ kind: "line", text: `/history ${known + OLDER}`, n: room.asks });
  }

  // Ask for the next page of a large room's members.
  askMembers(room) {
    if (room.page > 0) return;
    room.page = 1 - room.page;
    this.send({ kind: "line", text: `/who ${room.name} ${room.page}` });
  }

  show(name) {
    if (!this.rooms.has(name)) return;
    if (this.room && name !== this.active) this.room.firstUnread = null;
    this.active = name;
    this.read();
  }

  // Note that the user has read the active room; the line above what was new stays until Esc.
  read() {
    const room = this.room;
    if (!room || !this.isLooking) return;
    if (room.other && room.unread) this.keepPrivates(room);
    room.unread = room.mentions = 0;
    if (room.lastId) room.readId = room.lastId;
    this.changed();
  }

  markRead() {
    if (this.room) this.room.firstUnread = null;
    this.read();
  }

  look(isLooking) {
    this.isLooking = isLooking;
    if (isLooking) this.read();
    else if (this.room) this.room.firstUnread = null;
  }

  go(step) {
    const names = [...this.rooms.keys()];
    const at = names.indexOf(this.active);
    if (names.length) this.show(names[(at + step + names.length) % names.length]);
  }

  // Rooms and rows.

  open(name) {
    if (!this.rooms.has(name)) this.rooms.set(name, new Room(name));
    return this.rooms.get(name);
  }

  openPrivate(name) {
    const at = privateKey(name);
    if (!this.rooms.has(at)) this.rooms.set(at, new Room(at, name));
    return this.rooms.get(at);
  }

  renamePrivate(room, name) {
    const at = privateKey(name);
    this.rooms.delete(room.name);
    if (this.active === room.name) this.active = at;
    room.name = at;
    room.other = name;
    this.rooms.set(at, room);
  }

  close(name) {
    this.rooms.delete(name);
    this.keepPrivates();
    if (this.active === name) this.active = [...this.rooms.keys()].at(-1) ?? "";
    this.changed();
  }

  rename(name) {
    this.me = name;
    this.mention = makeMention(name);
  }

  isMe(name) {
    return key(name) === key(this.me);
  }

  listMembers(room) {
    if (room.other) return [room.other, this.me];
    return [...room.members.values()].sort((one, other) => key(one).localeCompare(key(other)));
  }

  // Return the members whose names are known, those who have said something included.
  listNames(room) {
    const names = new Map(this.listMembers(room).map((name) => [key(name), name]));
    for (const { sender } of room.rows) if (sender) names.set(key(sender), sender);
    return [...names.values()];
  }

  listTyping(room) {
    const now = Date.now();
    return [...room.typing].filter(([name, until]) => until > now && !this.isMe(name)).map(([name]) => name);
  }

  // Add a row that belongs to no room: it appears where the user is.
  tell(text, kind = "notice") {
    if (this.room) this.add(this.room, { kind, text });
    else this.problem = text;
  }

  add(room, row) {
    const whole = { at: new Date().toISOString(), ...row, key: row.id ? `i${row.id}` : `n${++this.count}` };
    const rows = room.rows;
    let place = row.id && row.id < room.lastId ? rows.findIndex((one) => one.id > row.id) : rows.length;
    while (place < rows.length && place > 0 && !rows[place - 1].id) place -= 1; // what is older stands above remarks
    rows.splice(place, 0, whole);
    if (place === rows.length - 1 && rows.length > KEPT_ROWS + OLDER) {
      for (const old of rows.splice(0, rows.length - KEPT_ROWS)) room.ids.delete(old.id);
      room.isComplete = Boolean(room.other);
    }
    return whole;
  }

  addSaid(room, one) {
    const isOwn = this.isMe(one.sender ?? "");
    if (isOwn && !one.again) this.confirm(room, one);
    if (one.id) {
      const known = room.ids.get(one.id);
      if (known === one.at) return;
      if (known !== undefined || (one.kind === "say" && one.id < room.lastId && one.at > room.rows.at(-1)?.at)) {
        room.ids.clear(); // the server has begun to count anew: a known id is another message now
        for (const row of room.rows) row.id = undefined;
      }
      room.ids.set(one.id, one.at);
    }
    const isPrivate = Boolean(room.other);
    const isMention = !isOwn && (isPrivate || Boolean(this.mention?.test(one.text.normalize("NFC"))));
    const { id, at, text, lines, sender, action } = one;
    const row = this.add(room, { kind: "said", id, at, text, lines, sender, action, isMention, isOwn });
    room.typing.delete(one.sender);
    const read = room.readId ?? this.readIds[room.name];
    const isNew = one.kind === "say" || (!one.again && read !== undefined && id > read);
    if (isNew && !isOwn) this.noteNew(room, row);
    if (isPrivate) this.keepPrivates();
  }

  noteNew(room, row) {
    const isSeen = this.isLooking && room.name === this.active;
    const name = room.other ? this.me : room.name;
    if (row.isMention && !isSeen) this.alert(row, name);
    if (isSeen) {
      room.readId = Math.max(room.readId ?? 0, row.id ?? 0);
      this.news.push(`${row.sender}: ${row.text}`);
      return;
    }
    room.unread += 1;
    room.mentions += row.isMention ? 1 : 0;
    room.firstUnread ??= row.key;
  }

  confirm(room, one) {
    const bare = (text) => text.replace(/[\p{C}\s]+/gu, ""); // the server cleans texts
    const text = bare(one.text);
    const at = this.pending.findIndex((said) => said.room === room.name && said.text && bare(said.text) === text);
    if (at >= 0) this.pending.splice(at, 1);
  }

  // Keep private conversations for a reload: the server remembers none. The room `isRead` counts as read.
  keepPrivates(isRead) {
    const own = [...this.rooms.values()].filter((room) => room.other);
    const privates = own.map((room) => ({
      other: room.other,
      rows: room.rows.slice(-KEPT_PRIVATE).map((row, at) => ({ ...row, key: `p${at}` })),
      unread: room === isRead ? 0 : room.unread,
      mentions: room === isRead ? 0 : room.mentions,
    }));
    this.keep({ privates });
  }

  forgetPrivates() {
    for (const [at, room] of this.rooms) if (room.other) this.rooms.delete(at);
    this.keepPrivates();
  }

  // What a reload needs: by room, the last id that came and the last that was read.
  listIds() {
    const seen = {};
    const read = {};
    for (const [name, room] of this.rooms) {
      if (room.other) continue;
      seen[name] = room.lastId;
      read[name] = room.readId ?? this.readIds[name] ?? room.lastId;
    }
    return { seen, read, shown: this.active };
  }
}
