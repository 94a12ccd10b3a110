"""The answer to ``/who``: the members of a room in order; the answer marks operators, idle and away members."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

from sockctl.errors import CommandError
from sockctl.services.chat.member import Client, Member
from sockctl.services.chat.text_limits import COLUMNS
from sockctl.text import format_count, format_idle
from sockctl.wrapping import measure_width, wrap_words

LISTED_AT_ONCE = 50
"""Members on a page, and in one message: with the longest names and away texts, they fit a frame."""
_INDENT = "  "


def tell_who(client: Client, room: str, members: Sequence[Member], page: int | None = None) -> None:
    """Tell a client the members of a room.

    Args:
        client: The client.
        room: The room.
        members: Its members, in any order.
        page: The page; None for all members.

    Raises:
        CommandError: There is no such page.
    """
    ordered = sorted(members, key=lambda member: member.key)
    count, pages = len(ordered), max(1, -(-len(ordered) // LISTED_AT_ONCE))
    if page is None:
        for number in range(pages):
            start = number * LISTED_AT_ONCE
            head = f"{count:,} in {room}:" if not number else f"In {room}, too:"
            more = True if number + 1 < pages else None
            _tell(client, head, ordered[start : start + LISTED_AT_ONCE], room=room, count=count, more=more)
        return
    if page > pages:
        raise CommandError(f"{room} has {format_count(pages, 'page')} of members.")
    head = f"{count:,} in {room}, page {page:,} of {pages:,}:"
    some = ordered[(page - 1) * LISTED_AT_ONCE : page * LISTED_AT_ONCE]
    _tell(client, head, some, room=room, count=count, page=page, pages=pages)


def count_idle_s(member: Member) -> int:
    """Return the seconds since a member last said or typed something."""
    return max(0, int(time.monotonic() - member.active_at))


def describe_member(member: Member) -> str:
    """Return the text that shows a member to a person: ``@ann``, ``bob (idle 5m)`` or ``cem (away: lunch)``."""
    shown = f"@{member.name}" if member.operator else member.name
    if member.away:
        return f"{shown} (away: {member.away})"
    idle = format_idle(count_idle_s(member))
    return f"{shown} (idle {idle})" if idle else shown


def _tell(client: Client, head: str, members: Sequence[Member], **fields: Any) -> None:
    entries = [describe_member(member) for member in members] or ["nobody"]
    text = f"{head} {', '.join(entries)}"
    if client.framed:
        names = [member.name for member in members]
        client.tell("members", text, members=names, details=[*map(_detail, members)], **fields)
    else:
        for line in _wrap(head, entries) if measure_width(text) > COLUMNS else [text]:
            client.tell("members", line)


def _detail(member: Member) -> dict[str, Any]:
    away = {"away": member.away} if member.away else {}
    return {"operator": member.operator, "idle_s": count_idle_s(member), **away}


def _wrap(head: str, entries: Sequence[str]) -> Iterator[str]:
    yield head
    words = [f"{entry}," for entry in entries[:-1]] + [entries[-1]]
    width = COLUMNS - len(_INDENT)
    for line in wrap_words(words, first=width, rest=width):
        yield _INDENT + " ".join(line)
