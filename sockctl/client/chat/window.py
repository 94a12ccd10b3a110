"""The window on a chat: the scrollback of each room, which room is shown, the prompt and the status line.

The window is pure: it takes messages, keys and the terminal's size, and returns rows. It knows no socket, terminal or
session, so that clients and the operator's console share it.

The window isn't full-screen. It prints a message of the shown room below the others. It does the same with messages
that belong to no room: private messages, answers, refusals. It only counts a message of another room. Going to a room
clears the screen and prints the end of that room's scrollback.
"""

import datetime
import threading
from collections import deque

from sockctl.client.chat.belonging import is_of_room, room_key
from sockctl.client.chat.formatter import Look, MessageFormatter, Piece
from sockctl.client.chat.layout import draw_rule, shorten
from sockctl.client.chat.roster import ChatContext, Roster
from sockctl.client.chat.scrollback import Entry, Scrollback, rows_of_all
from sockctl.client.chat.status_line import STYLE, Status, Unread, status_row
from sockctl.client.chat.typing_marks import TypingMarks
from sockctl.client.chat.update import FRAME_ROWS, Update
from sockctl.client.fragments import Fragments
from sockctl.protocol.messages import Message, make_message
from sockctl.protocol.names import is_name
from sockctl.text import make_visible

MAX_ROOMS = 1_000
"""Rooms that have a scrollback; the window shows messages of more rooms wherever the reader is."""
MAX_BYTES = 32 << 20
"""Roughly what all scrollbacks together may take in memory."""
MAX_MEMBERS = 10_000_000
"""More members than this are a lie, and not told."""
MAX_FOUND = 100
"""Messages that a search shows: the last ones."""
BELL_EVERY_S = 1.0
DIGITS = 9
_SAID = frozenset({"say", "history"})
_MIN_COLUMNS = 20


class ChatWindow:
    """The window of one session. One thread adds messages, any thread may ask for prompt, status and rooms.

    Args:
        roster: The user's name, and how many members the rooms have.
        formatter: How messages look.

    Attributes:
        bell: Whether mentions and private messages ring the bell.
    """

    def __init__(self, roster: Roster, formatter: MessageFormatter) -> None:
        self.bell = True
        self._roster = roster
        self._formatter = formatter
        self._columns, self._lines = 80, 24
        self._lock = threading.Lock()  # guards everything below
        self._rooms: dict[str, Scrollback] = {}  # in the order in which the user joined them
        self._shown = ""  # a room; empty before the first
        self._nowhere = Scrollback()  # the scrollback outside of rooms
        self._nowhere.reveal()
        self._typing = TypingMarks()
        self._going: deque[str] = deque()  # rooms to which the user goes, until the server confirms that
        self._gone: set[str] = set()  # rooms of the last connection that the user isn't in again, or not yet
        self._rang_at: datetime.datetime | None = None

    # From the session.

    def resize(self, columns: int, lines: int) -> None:
        """Note the size of the terminal; rows from now on fit."""
        self._columns, self._lines = max(_MIN_COLUMNS, columns), lines

    def add(self, one: Message, context: ChatContext) -> Update:
        """Process a message; return what is to be printed now."""
        with self._lock:
            return self._add(one, context)

    def tell(self, text: str, code: str | None = None) -> Update:
        """Show a sentence of the client's own in the shown room, as a notice with a code."""
        return self.add(make_message("notice", text, code=code), ChatContext())

    def go(self, room: str) -> Update | None:
        """Go to a room, ahead of the server's word that the user speaks there.

        Return None where the user isn't in that room, or it is shown.
        """
        with self._lock:
            key = room_key(room)
            if key not in self._rooms or key in self._gone or len(self._going) >= MAX_ROOMS:
                return None
            self._going.append(key)
            return self._show(key) if key != self._shown else None

    def is_back(self, room: str) -> bool:
        """Note that the user is in a room again; return whether nothing is to be shown of that."""
        with self._lock:
            key = room_key(room)
            was_gone = key in self._gone
            self._gone.discard(key)
            return was_gone or key == self._shown

    def search(self, word: str) -> Update:
        """Show the last messages of the shown room in which a word stands."""
        with self._lock:
            found = self._current.find(word, MAX_FOUND)
            end = f"{len(found)} found" if len(found) < MAX_FOUND else f"the last {MAX_FOUND}"
            titles = f"search: {make_visible(word)}", f"end of the search: {end}"
            first, last = (self._formatter.rule(draw_rule(title, self._columns)) for title in titles)
            return Update([first, *rows_of_all(found, self._formatter, self._columns), last])

    # For the keys.

    def pick(self, number: int) -> str | None:
        """Return the room with a number, from 1 on, in the order of joining; None where there is none."""
        with self._lock:
            rooms = [*self._rooms]
            return rooms[number - 1] if 1 <= number <= len(rooms) else None

    def step(self, by: int) -> str | None:
        """Return the room so many rooms further, around the end; None where there is no other room."""
        with self._lock:
            rooms = [*self._rooms]
            if self._shown not in self._rooms or len(rooms) < 2:  # noqa: PLR2004  itself, and another one
                return None
            return rooms[(rooms.index(self._shown) + by) % len(rooms)]

    # For the line editor.

    def prompt(self) -> Fragments:
        """Return the prompt: room and name."""
        room, name = self._shown, self._roster.me
        if not room:
            return [("", "> ")]
        third = max(4, self._columns // 3)
        return [("bold", f"[{shorten(room, third)}]"), ("", f" {shorten(name, third)}> ")]

    def echo(self, text: str) -> str:
        """Return what stays on the screen of a command that was entered."""
        look = Look((Piece("> "),), (text,))
        return "\n".join(self._formatter.rows(look, self._formatter.now(), self._columns))

    def status(self, columns: int, *, away_s: float | None = None, state: str = "connected") -> Fragments:
        """Return the status line; none outside of rooms.

        Args:
            columns: How wide it is.
            away_s: Seconds until the client connects again, 0 while it tries; None while it is connected.
            state: How the user is connected then.
        """
        now = self._formatter.now()
        with self._lock:
            if not self._rooms:
                return []
            typing = self._typing.names(self._shown, now)
            unread = tuple(
                Unread(number if number <= DIGITS else 0, name, room.unread, room.mentions)
                for number, (name, room) in enumerate(self._rooms.items(), 1)
                if room.unread
            )
            shown, members = self._shown, self._current.members
        if members is None and shown:
            members = self._roster.count(shown)
        status = Status(shown or "no room", members, unread, away_s, typing, f"{now:%H:%M}", state)
        return [(STYLE, status_row(status, columns))]

    # Under the lock.

    @property
    def _current(self) -> Scrollback:
        return self._rooms.get(self._shown, self._nowhere)

    def _add(self, one: Message, context: ChatContext) -> Update:
        key = room_key(one.get("room"))
        before = Update([])
        self._typing.process(one, key)
        match one.kind:
            case "welcome":
                before = self._return_to(key)
            case "typing":
                self._typing.note(key, one.get("sender"), self._formatter.now())
                return before
            case "notice" if one.get("code") == "room" and "count" not in one.fields and key in self._rooms:
                return self._arrive(key)
            case "members" if key in self._rooms:
                self._note_count(self._rooms[key], one)
            case "joined" if key and context.is_me(one.get("name")):
                before = self._enter(key)
            case "left" if key in self._rooms and context.is_me(one.get("name")):
                self._leave(key)
            case "joined" | "left" if key in self._rooms:
                self._count_movement(self._rooms[key], one)
        printed = self._print(one, context, key)
        return Update([*before.rows, *printed.rows], True, printed.rings) if before.clears else printed

    def _print(self, one: Message, context: ChatContext, key: str) -> Update:
        """Put a message in its scrollback; return its rows if that is shown."""
        home = self._rooms.get(key) if is_of_room(one) else None
        target = self._current if home is None else home
        look = self._formatter.look(one, context, marks_rooms=home is None and one.kind in _SAID)
        from_history = one.kind == "history" and one.fields.get("again") is not True
        ends_history = from_history and one.fields.get("more") is not True
        entry = Entry(self._formatter.moment(one, self._formatter.now()), look, from_history, ends_history)
        target.append(entry)
        self._bound_memory()
        rings = self._rings(one, context, look)
        if target is self._current:
            return Update(target.rows_of_last(self._formatter, self._columns), rings=rings)
        if one.kind in _SAID:
            target.unread += 1
            target.mentions += look.mention is not None
        return Update([], rings=rings)

    def _rings(self, one: Message, context: ChatContext, look: Look) -> bool:
        private = one.fields.get("private") is True and not context.is_me(one.get("sender"))
        if not self.bell or one.kind != "say" or not (private or look.mention is not None):
            return False
        now = self._formatter.now()
        if self._rang_at is not None and (now - self._rang_at).total_seconds() < BELL_EVERY_S:
            return False
        self._rang_at = now
        return True

    def _enter(self, key: str) -> Update:
        """Show a room that the user has joined. Rows from before the first room stay on the screen."""
        if key not in self._rooms:
            if len(self._rooms) >= MAX_ROOMS or not is_name(key):
                return Update([])
            self._rooms[key] = Scrollback()
        if key == self._shown or key in self._gone:
            self._gone.discard(key)
            return Update([])
        self._going.clear()
        update = self._show(key)
        return Update([]) if len(self._rooms) == 1 else update

    def _return_to(self, key: str) -> Update:
        """Show the room in which a user speaks who comes back: the server may not have the shown one any more."""
        self._going.clear()
        self._gone = {*self._rooms} - {key}
        return self._enter(key) if self._rooms and key else Update([])

    def _arrive(self, key: str) -> Update:
        """Show the room in which the user speaks now, unless the user has gone there, or on, already."""
        if key in self._going:
            while self._going.popleft() != key:
                pass
            return Update([])
        return self._show(key) if key != self._shown else Update([])

    def _show(self, key: str) -> Update:
        target = self._rooms.get(key, self._nowhere)
        if target is not self._current:
            self._current.hide()
        if not self._shown and target is not self._nowhere:
            target.adopt(self._nowhere)
            self._nowhere = Scrollback()
        self._shown = key
        rows = target.last_rows(self._formatter, self._columns, max(1, self._lines - FRAME_ROWS))
        target.reveal()
        return Update(rows, clears=True)

    def _leave(self, key: str) -> None:
        self._going.clear()
        self._gone.discard(key)
        del self._rooms[key]
        if key == self._shown:
            self._shown = ""
            self._nowhere.reveal()

    def _note_count(self, room: Scrollback, one: Message) -> None:
        count = one.fields.get("count")
        room.members = count if type(count) is int and 0 <= count < MAX_MEMBERS else None

    def _count_movement(self, room: Scrollback, one: Message) -> None:
        """Count members that come and go in a room that is too large to name them."""
        if room.members is not None:
            count = one.fields.get("count", 1)
            moved = count if type(count) is int and 0 <= count < MAX_MEMBERS else 0
            room.members = max(0, room.members + (moved if one.kind == "joined" else -moved))

    def _bound_memory(self) -> None:
        """Forget old messages of the longest scrollback, where all together take too much."""
        scrollbacks = [*self._rooms.values(), self._nowhere]
        if sum([one.size for one in scrollbacks]) > MAX_BYTES:
            max(scrollbacks, key=lambda one: one.size).drop_some()
