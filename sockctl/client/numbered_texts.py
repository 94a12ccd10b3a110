"""The texts that were sent with a number, for as long as the server may refuse one."""

MAX_TEXTS = 100


class NumberedTexts:
    """The last texts, by their numbers."""

    def __init__(self) -> None:
        self._texts: dict[int, str] = {}
        self._last = 0

    def add(self, text: str) -> int:
        """Keep a text; return its number."""
        self._last += 1
        self._texts[self._last] = text
        if len(self._texts) > MAX_TEXTS:
            del self._texts[min(self._texts)]
        return self._last

    def take(self, number: object) -> str | None:
        """Return the text of a number, once; None where there is none."""
        return self._texts.pop(number, None) if type(number) is int else None
