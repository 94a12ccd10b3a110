"""Messages: a frame holds one, a JSON object with a `kind`, and a line stands for one.

    {"kind": "say", "text": "hello", "sender": "ann", …}

Every message of a server carries `text`, which is for people. A client shows the `sender`, if there is one, in front.
The other fields serve programs. Either side may be newer: both ignore unknown kinds and fields.

Kinds of a server: welcome, ask (field, secret), notice, error (code, retry_after), token (token, expires), say (room,
sender, id, at; private, action, lines), joined, left, renamed, members, history, typing, ping, bye (reason).
Kinds of a client: hello (client, session, can), line (text, n), block (text, lines, n), typing, answer (field, text),
resume (token, seen), pong, bye.
"""

import json
import math
from collections.abc import Iterable
from typing import Any

from sockctl.errors import BadMessageError
from sockctl.text import clean, make_visible

SAYING_KINDS = frozenset({"line", "answer", "say"})
"""Kinds of a client that carry what its user has said."""
MAX_DEPTH = 32
"""Objects and arrays within each other, the message included. More would exhaust the stack of other programs."""
_FLAT = 2
"""Fields of a message that has only `kind` and `text`."""


class Message:
    """One message.

    Attributes:
        kind: The kind of message.
        text: The text for a person, or from one; made safe.
        fields: All fields, `kind` and `text` included, as JSON has them.
    """

    __slots__ = ("fields", "kind", "text")

    def __init__(self, fields: dict[str, Any]) -> None:
        self.fields = fields
        kind: Any = fields.get("kind")
        text: Any = fields.get("text", "")
        self.kind: str = kind
        self.text: str = text
        if type(kind) is not str or type(text) is not str:
            raise BadMessageError(_describe_defect(fields))
        if not (text.isascii() and text.isprintable()):
            self.text = fields["text"] = clean(text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Message) and self.fields == other.fields

    def __hash__(self) -> int:
        return hash((self.kind, self.text))

    def __repr__(self) -> str:
        return f"<Message {make_visible(self.kind)}>"  # the text may be a password

    @property
    def asks_secret(self) -> bool:
        """Whether the answer to this question must not be seen."""
        return self.fields.get("secret") is True

    def get(self, name: str) -> str:
        """Return the field `name`, made safe; empty if it is missing or no text."""
        value = self.fields.get(name)
        return clean(value) if isinstance(value, str) else ""


def make_message(kind: str, text: str = "", **fields: Any) -> Message:
    """Return a message; fields that are None are left out."""
    if not fields:  # every line that a person types
        return Message({"kind": kind, "text": text})
    given = {name: value for name, value in fields.items() if value is not None}
    return Message({"kind": kind, "text": text, **given})


def decode_message(text: str) -> Message:
    """Return the message in a frame's text.

    Raises:
        BadMessageError: The text isn't one JSON object with a textual `kind`, and `text` if there is one; or the object
            is nested more than 32 deep.
    """
    try:
        fields, end = _scan(text, 0)
    except (StopIteration, ValueError, RecursionError):
        end = -1
    if end != len(text):  # there is space around it, or something is wrong, which the slower way can explain
        fields = _explain(text)
    if type(fields) is not dict:
        raise BadMessageError('A message holds JSON, but no object: it is one, such as {"kind": "line"}.')
    one = Message(fields)
    if len(fields) > _FLAT or "text" not in fields:
        _check_depth(text, fields)
    return one


def encode_message(one: Message) -> str:
    """Return the text of the frame that carries `one`: JSON without needless space."""
    return _encode(one.fields)


def format_line(one: Message, *, unmarked_room: str = "") -> str:
    """Return the line of `one` for a person, without the line's end: its text, behind the sender's name.

    A message of the history has its time in front. The room stands in front if it isn't `unmarked_room`.
    """
    sender = one.get("sender")
    if not sender:
        return one.text
    marks = []
    if one.kind == "history":
        marks.append(f"[{one.get('at')[11:16]}]")
    if one.get("room") not in {"", unmarked_room}:
        marks.append(one.get("room"))
    if one.fields.get("private") is True:
        marks.append("(private)")
    marks.append(f"* {sender}" if one.fields.get("action") is True else f"<{sender}>")
    return f"{' '.join(marks)} {one.text}"


def split_block(one: Message) -> list[Message]:
    """Return a message that has `lines` as one message for each line, as it was said; any other message alone.

    Each line has an id of its own: the message has that of the last one.
    """
    lines, last = one.fields.get("lines"), one.fields.get("id")
    if type(lines) is not list or not lines or any(type(line) is not str for line in lines):
        return [one]
    rest = {name: value for name, value in one.fields.items() if name not in {"text", "lines", "id"}}
    first = last - len(lines) + 1 if type(last) is int else None
    numbers: Iterable[dict[str, int]] = ({} if first is None else {"id": first + at} for at in range(len(lines)))
    return [Message({**rest, "text": line, **number}) for line, number in zip(lines, numbers, strict=True)]


def _check_depth(text: str, fields: dict[str, Any]) -> None:
    if text.count("{") + text.count("[") <= MAX_DEPTH:  # counting is quick, and is all that most messages cost
        return
    level: list[Any] = [fields]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) in {dict, list}
        ]
        if not level:
            return
    raise BadMessageError(_TOO_DEEP)


def _explain(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant, parse_float=_parse_finite)
    except RecursionError as error:
        raise BadMessageError(_TOO_DEEP) from error
    except json.JSONDecodeError as error:
        raise BadMessageError(
            f"A message holds no JSON: {error.msg} at character {error.pos}. It is an object, such as "
            f'{{"kind": "line", "text": "hello"}}.'
        ) from error
    except ValueError as error:
        raise BadMessageError("A message holds JSON with a number that can't be taken.") from error


def _parse_finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):  # it can't be encoded again
        raise ValueError(f"{digits} is too large")
    return number


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _describe_defect(fields: dict[str, Any]) -> str:
    if "kind" not in fields:
        return "A message has no kind: it needs one, such as line or answer."
    which = "text" if isinstance(fields["kind"], str) else "kind"
    return f"The {which} of a message is {type(fields[which]).__name__} in Python's terms: it must be a text."


_TOO_DEEP = f"A message holds JSON that is nested too deeply: {MAX_DEPTH} levels are allowed."
_scan = json.JSONDecoder(  # type: ignore[attr-defined]  # typeshed omits scan_once
    parse_constant=_refuse_constant, parse_float=_parse_finite
).scan_once
_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":")).encode
