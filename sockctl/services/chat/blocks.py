"""Blocks: texts of several lines, such as a paste, that a member says at once. No line of one is a command.

A client sends ``{"kind": "block", "text": FIRST, "lines": [FIRST, …]}``. A block takes one id for each line. Clients
whose `hello` can do `blocks` get one `say` with `lines`, the last line's `id`, and the lines joined as `text`. All
others get a `say`, or a line of text, for each line.
"""

from collections.abc import Sequence
from typing import Any

from sockctl.protocol.frames import LIMIT_BYTES, encode_frame
from sockctl.protocol.messages import Message, encode_message, make_message, split_block
from sockctl.protocol.said_text import MAX_BLOCK_LINES
from sockctl.services.chat.history_entry import HistoryEntry
from sockctl.services.chat.member import Client, Member
from sockctl.services.chat.room_event import RoomEvent, encode_for_wires
from sockctl.services.chat.text_limits import refuse_long_block
from sockctl.text import clean

_HEADROOM_BYTES = 1_024
"""Bytes of a frame that a block leaves free: the history adds fields."""
_SHORT = 8_192
"""Characters of the joined text where the whole text and the lines would exceed a frame."""


def measure_block(one: Message) -> tuple[int, int]:
    """Return the number of lines and of characters in a client's block; lines beyond MAX_BLOCK_LINES don't count."""
    lines = one.fields.get("lines")
    some = [line for line in lines[:MAX_BLOCK_LINES] if type(line) is str] if type(lines) is list else []
    return len(some), sum(map(len, some))


def read_block(one: Message) -> list[str]:
    """Return the lines of a client's block, cleaned, without empty ones at the end; without lines, its text.

    Raises:
        TextTooLongError: The block has too many lines or bytes.
    """
    given: Any = one.fields.get("lines")
    if type(given) is not list or not given or any(type(line) is not str for line in given):
        given = [one.text]
    end = len(given)
    while end and not given[end - 1].strip():
        end -= 1
    lines: list[str] = given[:end]
    if end <= MAX_BLOCK_LINES:  # else the work of cleaning them has no bound
        lines = [clean(line) for line in lines]
        while lines and not lines[-1].strip():
            lines.pop()
    if len(lines) > 1:
        refuse_long_block(lines)
    return lines


def make_block(
    member: Member, lines: Sequence[str], *, room: str, at: str, last_id: int | None = None
) -> tuple[Message, str]:
    """Return a block, and its JSON.

    Args:
        member: The member that says it.
        lines: The lines, two at least.
        room: The room's name.
        at: The time, in the form of RFC 3339.
        last_id: The id of the last line; None where a log gives it.
    """
    account = member.account if member.account != member.key else ""
    fields = {
        "room": room,
        "sender": member.name,
        "account": account or None,
        "id": last_id,
        "at": at,
        "lines": list(lines),
    }
    text = " ".join(lines)
    one = make_message("say", text, **fields)
    json = encode_message(one)
    if len(json.encode()) > LIMIT_BYTES - _HEADROOM_BYTES:  # quotes and backslashes take two bytes, twice
        one = make_message("say", f"{text[:_SHORT]}…", **fields)
        json = encode_message(one)
    return one, json


def encode_block(one: Message, json: str, *, sender: Client | None, key: str) -> tuple[RoomEvent, HistoryEntry]:
    """Return the event that tells a block, and its entry in the history.

    Args:
        one: The block, with the id of its last line.
        json: Its JSON.
        sender: The client that sent it; None for one elsewhere.
        key: The author key of its member.
    """
    singles = [encode_for_wires(single) for single in split_block(one)]
    event = RoomEvent(
        b"".join([frame for frame, _ in singles]),
        b"".join([line for _, line in singles]),
        sender=sender,
        key=key,
        block=encode_frame(json),
    )
    return event, HistoryEntry(one.fields["id"], json.encode(), key, len(one.fields["lines"]))
