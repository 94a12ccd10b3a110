"""The sent lines whose fate is open: they may come back from their room, or the server may refuse them by number."""

import re
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from sockctl.protocol.messages import Message
from sockctl.protocol.said_text import read_text
from sockctl.text import clean

REMEMBERED = 100
"""How many lines are remembered."""
_PRIVATE = re.compile(r"/(?:(?:msg|tell)[ \t]+[^ \t]+|reply|r)[ \t](.*)", re.DOTALL)


def find_returning_text(line: str) -> str:
    """Return the text of a line when it comes back from a room; empty if it won't, as most commands."""
    typed = clean(line).rstrip()
    if typed.startswith("/me "):
        return typed.removeprefix("/me ").strip()
    return (read_text(typed) or "").strip()


def holds_text(line: str) -> bool:
    """Return whether a line or a block says something to somebody, and isn't only a command."""
    return "\n" in line or bool(find_returning_text(line)) or _PRIVATE.fullmatch(clean(line).strip()) is not None


class _Said(NamedTuple):
    """A sent line as the user typed it, and its text when it comes back."""

    line: str
    text: str
    private: bool


class UnconfirmedMessages:
    """The lines on their way. Not thread-safe."""

    def __init__(self) -> None:
        self._said: deque[_Said] = deque(maxlen=REMEMBERED)
        self._doubtful: deque[_Said] = deque(maxlen=REMEMBERED)  # on their way when a connection was lost

    def add(self, line: str) -> None:
        """Remember a line that goes out."""
        typed = clean(line).strip()
        private = _PRIVATE.fullmatch(typed)
        text = find_returning_text(line) if private is None else private[1].strip()
        if text:
            self._said.append(_Said(typed, text, private is not None))

    def add_block(self, lines: Sequence[str]) -> None:
        """Remember a block that goes out: no line of it is a command."""
        self._said.append(_Said("\n".join(lines), " ".join(clean(line) for line in lines).strip(), private=False))

    def forget(self, text: str) -> None:
        """Await a line or a block no longer: the server has refused it."""
        typed = text if "\n" in text else clean(text).strip()
        for said in self._said:
            if said.line == typed:
                self._said.remove(said)
                return

    def confirm(self, one: Message) -> bool:
        """Return whether this client sent the message to a room; stop waiting for it, and for all before it."""
        text, private = one.text.strip(), one.fields.get("private") is True
        if not any(said.text == text and said.private is private for said in self._said):
            return False
        while (said := self._said.popleft()).text != text or said.private is not private:
            pass
        return not private

    def remove_all(self) -> list[str]:
        """Return the lines that have not come back, and stop waiting for them."""
        lines = [said.line for said in self._said]
        self._doubtful += self._said
        self._said.clear()
        return lines

    def take_arrived(self, one: Message) -> str | None:
        """Return the line that this message shows to have arrived after all, though the connection was lost."""
        text = one.text.strip()
        found = next((said for said in self._doubtful if said.text == text and not said.private), None)
        if found is None:
            return None
        self._doubtful.remove(found)
        return found.line


class NumberedTexts:
    """The last texts that were sent with a number. Not thread-safe."""

    def __init__(self) -> None:
        self._texts: dict[int, str] = {}
        self._last = 0

    def add(self, text: str) -> int:
        """Keep a text; return its number."""
        self._last += 1
        self._texts[self._last] = text
        if len(self._texts) > REMEMBERED:
            del self._texts[min(self._texts)]
        return self._last

    def take(self, number: object) -> str | None:
        """Return the text of a number, once; None where there is none."""
        return self._texts.pop(number, None) if type(number) is int else None
