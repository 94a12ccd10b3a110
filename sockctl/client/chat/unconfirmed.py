"""The sent lines that have not come back yet: the server sends each message to its sender, too."""

import re
from collections import deque
from dataclasses import dataclass

from sockctl.protocol.messages import Message
from sockctl.text import clean

REMEMBERED = 100
_PRIVATE = re.compile(r"/(?:(?:msg|tell)[ \t]+[^ \t]+|reply|r)[ \t](.*)", re.DOTALL)


def comes_back(line: str) -> str:
    """Return the text of a line when it comes back from a room; empty if it won't, as most commands."""
    text = clean(line).strip()
    if text.startswith("/me "):
        return text.removeprefix("/me ").strip()
    if text.startswith("//"):
        return text.removeprefix("/")
    return "" if text.startswith("/") else text


@dataclass(frozen=True, slots=True)
class _Said:
    """A sent line as the user typed it, and its text when it comes back."""

    line: str
    text: str
    private: bool


class UnconfirmedMessages:
    """The lines on their way. Not thread-safe."""

    def __init__(self) -> None:
        self._said: deque[_Said] = deque(maxlen=REMEMBERED)

    def add(self, line: str) -> None:
        """Remember a line that goes out."""
        typed = clean(line).strip()
        private = _PRIVATE.fullmatch(typed)
        text = comes_back(line) if private is None else private[1].strip()
        if text:
            self._said.append(_Said(typed, text, private is not None))

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
        self._said.clear()
        return lines
