"""A log of rooms: one file of plain text for each server and room, to which the client appends.

A line is the time, the number that the server gave the message, and who said what; ``-`` where there is no number:

    2026-11-29T14:05:12+01:00 42 <ann> hello
    2026-11-29T14:06:00+01:00 - * bob joined #lobby.

The client reads the numbers at the file's end, so that no message is written twice: not after a reconnect, not after a
restart, not by two clients at once. A file is locked for each message, so a program may move it away at any time.

The server chooses what rooms are called. `file_names` keeps their files in the log's folder. A link in a file's place
is not followed, and the number of files is bounded.
"""

import contextlib
import datetime
import os
import re
import stat
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from sockctl.client.chat.seen import Seen, is_id
from sockctl.client.file_names import name_file_of, name_folder_of
from sockctl.net.address import Endpoint
from sockctl.protocol.messages import Message, make_message, split_block
from sockctl.protocol.names import is_name, make_name_key
from sockctl.stores.files import append_lines, make_private_folder, take_lock
from sockctl.stores.timestamps import Clock, format_timestamp, parse_timestamp, read_utc_clock
from sockctl.text import make_visible

MAX_ROOMS = 1_000
"""How many rooms have a file: as many as a chat may have."""
TAIL_BYTES = 262_144
"""How much of a file's end is searched for numbers: some 3,000 lines."""
LOCK_TIMEOUT_S = 1.0
_LINE = re.compile(r"(\S{20,32}) (\d{1,19}) ")
_SAID = frozenset({"say", "history"})
_NEWS = frozenset({"joined", "left"})


class RoomLog:
    """The log of one session. Not thread-safe. What can't be written is told once.

    Args:
        folder: Where it is; each server has a folder in it.
        servers: The servers of one chat, as the user has named them.
        remark: Tells the user something.
        now: Returns the time, with a time zone.
        zone: Where the user is; None for the system's own time zone.
    """

    def __init__(
        self,
        folder: Path,
        servers: Sequence[Endpoint],
        *,
        remark: Callable[[str], None],
        now: Clock = read_utc_clock,
        zone: datetime.tzinfo | None = None,
    ) -> None:
        self._folder = folder / name_folder_of(servers)
        self._remark = remark
        self._now = now
        self._zone = zone
        self._rooms: dict[str, _Room] = {}
        self._has_told = False

    def add(self, one: Message) -> None:
        """Write a message, if it belongs to a room and isn't written yet."""
        room = one.get("room")
        is_topic = one.kind == "notice" and one.get("code") == "topic"
        if not room or not (one.kind in _SAID or one.kind in _NEWS or is_topic):
            return
        key = make_name_key(room)
        file = self._rooms.get(key)
        if file is None:
            if not is_name(room) or len(self._rooms) >= MAX_ROOMS:
                self._tell(f"Not all rooms are logged: there are more than {MAX_ROOMS:,}, or names that are none.")
                return
            file = self._rooms[key] = _Room(self._folder / f"{name_file_of(room)}.log")
        try:
            if is_topic and not file.has_new_topic(one.text):
                return
            file.write(split_block(one), self._describe)
        except OSError as error:
            self._tell(f"The log {make_visible(str(file.path))} can't be written: {error.strerror}. It is incomplete.")

    def _describe(self, one: Message) -> str:
        """Return the line for a message."""
        number = one.fields.get("id") if one.kind in _SAID else None
        moment = _parse(one.get("at")) or self._now()
        at = moment.astimezone(self._zone).isoformat(timespec="seconds")
        return f"{at} {number if is_id(number) else '-'} {_text_of(one)}\n"

    def _tell(self, text: str) -> None:
        if not self._has_told:
            self._has_told = True
            self._remark(text)


class _Room:
    """One file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen = Seen()
        self._read_to: int | None = None  # up to here the file was searched for numbers
        self._topic = ""

    def has_new_topic(self, text: str) -> bool:
        """Return whether a topic is another one than that of before, which a server repeats at each welcome."""
        before, self._topic = self._topic, text
        return text != before

    def write(self, messages: list[Message], describe: Callable[[Message], str]) -> None:
        """Write the messages that are new.

        Raises:
            OSError: They can't be written; then nothing of them is.
        """
        descriptor = self._open()
        try:
            self._catch_up(descriptor)
            lines = "".join([describe(one) for one in messages if self._is_new(one)])
            if not lines:
                return
            try:
                self._read_to = append_lines(descriptor, lines.encode())
            except OSError:
                self._read_to, self._seen = None, Seen()  # what was not written is new again
                raise
        finally:
            os.close(descriptor)

    def _open(self) -> int:
        until = time.monotonic() + LOCK_TIMEOUT_S
        try:
            descriptor = take_lock(self.path, until)
        except FileNotFoundError:
            make_private_folder(self.path.parent)
            descriptor = take_lock(self.path, until)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(0, "it is no regular file")
        return descriptor

    def _catch_up(self, descriptor: int) -> None:
        """Read which messages the file has that this client hasn't written."""
        size = os.fstat(descriptor).st_size
        if self._read_to is None or not size - TAIL_BYTES <= self._read_to <= size:
            self._read_to = max(0, size - TAIL_BYTES)
        if self._read_to < size:
            added = os.pread(descriptor, size - self._read_to, self._read_to).decode(errors="replace")
            for line in added.splitlines():
                if (found := _LINE.match(line)) and (moment := _parse(found[1])):
                    self._note(int(found[2]), moment)
        self._read_to = size

    def _is_new(self, one: Message) -> bool:
        number, moment = one.fields.get("id"), _parse(one.get("at"))
        if one.kind not in _SAID or not is_id(number):
            return True
        return self._note(number, moment)

    def _note(self, number: object, moment: datetime.datetime | None) -> bool:
        at = "" if moment is None else format_timestamp(moment)
        return self._seen.admit(make_message("history", room="room", id=number, at=at))


def _text_of(one: Message) -> str:
    """Return what a message says, without what could steer a terminal."""
    sender = make_visible(one.get("sender"))
    if one.kind not in _SAID:
        return f"* {make_visible(one.text)}"
    return (
        f"* {sender} {make_visible(one.text)}"
        if one.fields.get("action") is True
        else f"<{sender}> {make_visible(one.text)}"
    )


def _parse(at: str) -> datetime.datetime | None:
    with contextlib.suppress(ValueError, OverflowError):
        return parse_timestamp(at)
    return None
