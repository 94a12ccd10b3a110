"""What was said here and has not come back yet: a room sends each message to its sender, too."""

from collections import deque

from sockctl.protocol.messages import Message
from sockctl.protocol.safe_text import clean

__all__ = ["Unheard", "comes_back"]

REMEMBERED = 100


def comes_back(line: str) -> str:
    """Return the text with which a line comes back from a room; empty if it is a command that doesn't, or nothing."""
    text = clean(line).strip()
    if text.startswith("/me "):
        return text.removeprefix("/me ").strip()
    return "" if text.startswith("/") else text


class Unheard:
    """Lines on their way. Not thread-safe."""

    def __init__(self) -> None:
        self._texts: deque[str] = deque(maxlen=REMEMBERED)

    def said(self, line: str) -> None:
        """Take note of a line that goes out."""
        if text := comes_back(line):
            self._texts.append(text)

    def came_back(self, one: Message) -> bool:
        """Return whether this message of one's own was said here; what was said before it is no longer awaited."""
        text = one.text.strip()
        if one.fields.get("private") is True or text not in self._texts:
            return False
        while self._texts.popleft() != text:
            pass
        return True

    def take(self) -> list[str]:
        """Return what has not come back, and await it no longer."""
        texts = list(self._texts)
        self._texts.clear()
        return texts
