r"""What members say, on its way through a log: fast, since each server reads all of it.

A posting is ``KEY\nNUMBER\n{"kind":"say",…``, in UTF-8. KEY is the author key of its sender. NUMBER is that of the
sender's connection if that reads lines, else empty. The end of the JSON is missing: the id, which the log gives.
"""

import contextlib
import re
import time
from collections.abc import Callable, Iterable, Sequence
from json.encoder import encode_basestring

from sockctl.cluster.entry import Entry
from sockctl.errors import BadMessageError
from sockctl.protocol.frames import LIMIT_BYTES
from sockctl.protocol.messages import decode_message
from sockctl.services.chat.blocks import encode_block, make_block
from sockctl.services.chat.history_entry import HistoryEntry
from sockctl.services.chat.member import Client, Member
from sockctl.services.chat.room import Room
from sockctl.services.chat.room_event import HeardText, Told
from sockctl.services.chat.shared_records import BROKEN

SAY, BLOCK = "say", "block"
"""Kinds of postings."""
_PLAIN = r'[^"\\\x00-\x1f]*'
_USUAL = re.compile(
    rf'{{"kind":"say","text":"{_PLAIN}(?:\\(?:["\\/bfnrt]|u00[01][0-9a-f]){_PLAIN})*","room":"{_PLAIN}",'
    rf'"sender":"{_PLAIN}"(?:,"account":"{_PLAIN}")?,"at":"{_PLAIN}"(?:,"action":true)?'
)
"""What `encode_texts` makes: it needs no decoding, which takes three times as long."""
_HEADROOM_BYTES = 512
"""Bytes of a frame that a message leaves free for what the history adds; a block leaves more, for its id, too."""


def encode_texts(member: Member, number: int, texts: Iterable[str], *, room: str, at: str, action: bool) -> list[bytes]:
    """Return the postings of texts.

    Args:
        member: Their sender.
        number: The number of its connection if that reads lines, else 0.
        texts: The texts.
        room: The room's name.
        at: The time, in the form of RFC 3339.
        action: Whether they say what the member does.
    """
    key = member.author_key
    account = f',"account":"{key}"' if key != member.key else ""
    head = f'{key}\n{number or ""}\n{{"kind":"say","text":'
    tail = f',"room":"{room}","sender":"{member.name}"{account},"at":"{at}"' + (',"action":true' if action else "")
    return [f"{head}{encode_basestring(text)}{tail}".encode() for text in texts]


def encode_lines(member: Member, number: int, lines: Sequence[str], *, room: str, at: str) -> bytes:
    """Return the posting of a block; the arguments are those of `encode_texts`."""
    _, json = make_block(member, lines, room=room, at=at)
    return f"{member.author_key}\n{number or ''}\n{json[:-1]}".encode()


def complete(data: bytes, entry_id: int) -> bytes:
    """Return the JSON of a posted message that has got its id."""
    return b'%b,"id":%d}' % (data.split(b"\n", 2)[2], entry_id)


def list_readable(kept: Iterable[tuple[int, bytes]]) -> tuple[bytes, ...]:
    """Return the JSON of kept messages, given by id and posted data, without those that clients could not read."""
    messages = []
    for entry_id, data in kept:
        with contextlib.suppress(*BROKEN):
            full = complete(data, entry_id)
            _refuse_unreadable(data.split(b"\n", 2)[2], full)
            messages.append(full)
    return tuple(messages)


class TalkReader:
    """Tells the rooms what members say. The log's reader alone uses it.

    Args:
        bring: Returns the room of a name, and creates it if it is missing.
        find_speaker: Returns this server's client of a connection number; None if it has gone.
        note_active: Called with the author keys of those who said something, and the monotonic time.
    """

    def __init__(
        self,
        bring: Callable[[str], Room],
        find_speaker: Callable[[int], Client | None],
        note_active: Callable[[Iterable[str], float], None],
    ) -> None:
        self._bring = bring
        self._find_speaker = find_speaker
        self._note_active = note_active
        self._heard: dict[str, tuple[list[HistoryEntry], list[Told]]] = {}  # by room
        self._keys: set[str] = set()

    def add(self, one: Entry, *, is_own: bool) -> None:
        """Add what a member says; `flush` tells it. `is_own` says whether this server posted it."""
        try:
            author, number, json = one.data.split(b"\n", 2)
            key = author.decode()
            sender = self._find_speaker(int(number)) if number and is_own else None
            full = b'%b,"id":%d}' % (json, one.id)
            if not is_own:
                _refuse_unreadable(json, full)
            event: Told
            if one.kind == SAY:
                event, entry = HeardText(full, sender=sender, key=key), HistoryEntry(one.id, full, key)
            else:
                event, entry = _make_block(full, sender=sender, key=key)
        except BROKEN:
            return
        entries, events = self._heard.setdefault(one.room, ([], []))
        self._keys.add(key)
        entries.append(entry)
        events.append(event)

    def flush(self) -> list[Room]:
        """Queue what was added, and return the rooms, whose queues the caller processes."""
        heard, self._heard = self._heard, {}
        rooms = []
        for name, (entries, events) in heard.items():
            room = self._bring(name)
            room.hear(entries, events)
            rooms.append(room)
        if self._keys:
            self._note_active(self._keys, time.monotonic())
            self._keys = set()
        return rooms


def _refuse_unreadable(json: bytes, full: bytes) -> None:
    """Refuse what clients could not read: each of them would end its connection.

    Raises:
        BadMessageError: It is no message of a member, or too long for a frame.
        UnicodeDecodeError: It is no UTF-8.
    """
    if len(full) > LIMIT_BYTES - _HEADROOM_BYTES:
        raise BadMessageError("It is too long for a frame.")
    if not _USUAL.fullmatch(json.decode()) and decode_message(full.decode()).kind != SAY:
        raise BadMessageError("It is not said by a member.")


def _make_block(json: bytes, *, sender: Client | None, key: str) -> tuple[Told, HistoryEntry]:
    text = json.decode()
    return encode_block(decode_message(text), text, sender=sender, key=key)
