"""A room of a chat without a service, and clients without connections."""

import json
import struct
from collections.abc import Collection, Iterator
from pathlib import Path

from sockctl.events.reasons import Reason
from sockctl.protocol.frames import encode_frame
from sockctl.protocol.messages import Message, encode_message, format_line, make_message
from sockctl.services.chat.history import History, HistoryBudget
from sockctl.services.chat.history_entry import HistoryEntry, read_entry
from sockctl.services.chat.member import NOTHING, Client, Member
from sockctl.services.chat.room import Room
from sockctl.services.chat.settings import ChatLimits
from sockctl.services.chat.store import ChatStore
from sockctl.stores.timestamps import read_utc_clock
from tests.support.frames import Fields

AT = "2026-01-31T12:00:00Z"
DEFAULT = ChatLimits()


class Played(Client):
    """A client that keeps the bytes that it was sent."""

    def __init__(
        self, name: str, *, framed: bool = True, member: Member | None = None, can: Collection[str] = ()
    ) -> None:
        super().__init__(member or Member(name, since=read_utc_clock()), framed=framed, can=can)
        self.data = bytearray()

    address = ""
    is_backlogged = False

    def post_encoded(self, data: bytes) -> None:
        assert data, "nobody is sent nothing"
        self.data += data

    def reply(self, one: Message) -> None:
        self.data += encode_frame(encode_message(one)) if self.framed else f"{format_line(one)}\r\n".encode()

    def reply_encoded(self, data: bytes) -> None:
        self.data += data

    def replay(self, messages: Iterator[Message]) -> None:
        for one in messages:
            self.reply(one)

    def post(self, one: Message) -> None:
        self.reply(one)

    def close(self, reason: Reason) -> None:
        raise NotImplementedError

    @property
    def messages(self) -> list[Fields]:
        found, position = [], 0
        while position < len(self.data):
            (size,) = struct.unpack_from(">I", self.data, position)
            found.append(json.loads(self.data[position + 4 : position + 4 + size]))
            position += 4 + size
        return found

    @property
    def lines(self) -> list[str]:
        return self.data.decode().split("\r\n")[:-1]

    def of(self, *kinds: str) -> list[Fields]:
        return [one for one in self.messages if one["kind"] in kinds]


def said(number: int, text: str) -> HistoryEntry:
    one = make_message("say", text, room="#lobby", sender="bob", id=number, at=AT)
    return read_entry(encode_message(one).encode())


def room_at(
    folder: Path, history: int = 1000, past: list[HistoryEntry] | None = None, limits: ChatLimits = DEFAULT
) -> Room:
    store = ChatStore(folder, history=0, on_failure=lambda _why, _count: None)
    last_id = past[-1].id if past else 0
    return Room(
        "#lobby",
        store=store,
        history=History(past or (), max_messages=history),
        last_id=last_id,
        limits=limits,
        budget=HistoryBudget(1 << 30),
    )


def enter(room: Room, client: Client, *, after: int = NOTHING, new: bool = True) -> None:
    room.join(client, new=new, after=after)
    room.process_pending()


def leave(room: Room, client: Client) -> None:
    room.leave(client, reason="left")
    room.process_pending()
