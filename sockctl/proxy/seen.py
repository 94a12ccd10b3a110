"""The things that the inspector recognises in the bytes that pass, each as data. Secrets in them are hidden already."""

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

from sockctl.text import format_bytes, format_count

WIDEST = 4
"""Bytes of memory that a character takes at most."""
HIDDEN = "(hidden)"
"""Stands for a password, a token, or the value of a header that may hold one."""
HELD_BYTES = 2_000
"""Bytes of memory that a thing takes whose fields are short."""
SHOWN_CHARACTERS = 300
"""Characters of a stranger's text in a sentence; the fields have all of it."""
TEXT_BYTES = 4_096
"""Bytes of a piece of text that are kept to be shown."""
FIRST_BYTES = 64
"""Bytes that are kept of a direction in no known form."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Something that has passed.

    Attributes:
        kind: The stable name that programs rely on.
        is_notable: Whether a sum has it, too, while much passes.
        towards_target: Whether it goes from the client to the target.
        size: Its bytes.
    """

    kind: ClassVar[str] = "seen"
    is_notable: ClassVar[bool] = True

    towards_target: bool
    size: int

    @property
    def text(self) -> str:
        """The finding as one sentence. It may hold text of a stranger: a sink makes it safe."""
        raise NotImplementedError

    @property
    def details(self) -> Sequence[str]:
        """Further lines for a reader who wants to know more; made safe as `text` is."""
        return ()

    @property
    def held_bytes(self) -> int:
        """Bytes of memory that it takes at most while an event with its fields waits."""
        return HELD_BYTES

    @property
    def fields(self) -> dict[str, Any]:
        """The kind, the bytes and the other fields, as JSON can carry them; without those that are None."""
        own = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in {"towards_target", "size"}
        }
        known = {name: value for name, value in own.items() if value is not None}
        return {"kind": self.kind, "bytes": self.size, **known}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Text(Seen):
    """Text in no other known form: a piece as it came, so it may begin and end anywhere, but not in a character.

    Attributes:
        data: Its first bytes, mostly UTF-8, without the values of headers that give access.
        left_out: How many bytes follow these.
        hidden: Whether it is the answer to a question for a password; `data` is without it.
    """

    kind: ClassVar[str] = "text"
    is_notable: ClassVar[bool] = False

    data: bytes
    left_out: int = 0
    hidden: bool = False

    @property
    def held_bytes(self) -> int:
        return HELD_BYTES + WIDEST * len(self.data)

    @property
    def text(self) -> str:
        if self.hidden:
            return f"Text of {format_count(self.size, 'byte')}, the answer to a question for a password: {HIDDEN}."
        return f"Text of {format_bytes(self.size)}."

    @property
    def fields(self) -> dict[str, Any]:
        shown = HIDDEN if self.hidden else self.data.decode(errors="replace")
        more = {"left_out": self.left_out} if self.left_out and not self.hidden else {}
        return {"kind": self.kind, "bytes": self.size, "text": shown, **more}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Bytes(Seen):
    """The first bytes of a direction in no known form; nothing more is recognised in it.

    Attributes:
        data: Up to 64 of them.
    """

    kind: ClassVar[str] = "bytes"

    data: bytes

    @property
    def text(self) -> str:
        return "Bytes in no form that the proxy knows: it only counts them."

    @property
    def fields(self) -> dict[str, Any]:
        return {"kind": self.kind, "bytes": self.size, "hex": self.data.hex()}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GivenUp(Seen):
    """From here on the proxy doesn't understand the direction, and counts bytes.

    Attributes:
        reason: Why.
    """

    kind: ClassVar[str] = "given_up"

    reason: str

    @property
    def text(self) -> str:
        return f"Not understood from here on: {self.reason}. The proxy passes the bytes on all the same."


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CutOff(Seen):
    """The direction ended in the middle of something.

    Attributes:
        inside: The thing that was incomplete.
    """

    kind: ClassVar[str] = "cut_off"

    inside: str

    @property
    def text(self) -> str:
        return f"This direction ended in the middle of {self.inside}."


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class More(Seen):
    """Further things that came at the same time as others, and were only counted.

    Attributes:
        count: How many.
    """

    kind: ClassVar[str] = "more"
    is_notable: ClassVar[bool] = False

    count: int

    @property
    def text(self) -> str:
        return f"{format_count(self.count, 'more thing')} like these, {format_bytes(self.size)}."


def shorten(text: str, limit: int = SHOWN_CHARACTERS) -> str:
    """Return the beginning of a text as one line, and how much is left out."""
    shown = " ".join(text[: limit + 1].splitlines())
    return shown if len(text) <= limit else f"{shown[:limit]}… ({len(text) - limit:,} characters more)"
