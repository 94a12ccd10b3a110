"""The members of a room as ``/who`` lists them: in columns, with marks of operators, and of idle and away members."""

from typing import Any

from sockctl.protocol.messages import Message, format_line
from sockctl.protocol.names import make_name_key
from sockctl.text import clean, format_idle, make_visible

AWAY_CHARACTERS = 24
"""Characters that the list shows of the reason for being away."""
_LONGEST_S = 1 << 40


def list_cells(one: Message) -> tuple[str, tuple[str, ...]]:
    """Return the text of a list of members, and a cell for each where the server tells their details."""
    names, details = one.fields.get("members"), one.fields.get("details")
    text = make_visible(format_line(one))
    if not isinstance(names, list) or not isinstance(details, list) or len(names) != len(details):
        return text, ()
    head, colon, _ = text.partition(":")
    members = [(name, detail) for name, detail in zip(names, details, strict=True) if isinstance(name, str)]
    members.sort(key=lambda member: make_name_key(member[0]))
    return head + colon, tuple(_cell(make_visible(clean(name)), detail) for name, detail in members)


def _cell(name: str, detail: Any) -> str:
    if not isinstance(detail, dict):
        return name
    mark = "@" if detail.get("operator") is True else ""
    away, idle_s = detail.get("away"), detail.get("idle_s")
    if isinstance(away, str):
        why = make_visible(clean(away[:AWAY_CHARACTERS])) + ("…" if len(away) > AWAY_CHARACTERS else "")
        return f"{mark}{name} (away: {why})" if why else f"{mark}{name} (away)"
    idle = format_idle(idle_s) if type(idle_s) is int and idle_s < _LONGEST_S else ""
    return f"{mark}{name} (idle {idle})" if idle else f"{mark}{name}"
