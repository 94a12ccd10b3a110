"""Text made safe for terminals and logs, and quantities as people read them."""

import codecs

__all__ = ["HIDDEN_CODES", "TerminalText", "format_age", "format_bytes", "format_seconds", "plural", "visible"]

_WHOLE_SECOND = 0.9995
"""From here on milliseconds would show 1000."""
_KIB = 1024
_UNITS = ("KiB", "MiB", "GiB", "TiB")
_ROUNDS_UP = 1023.95
"""From here on one decimal would show 1,024.0: the next unit takes it."""
_AGES = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


_C0 = frozenset(range(0x20)) - {0x09}
_BEYOND_ASCII = frozenset(
    code
    for codes in (
        range(0x80, 0xA0),  # C1
        range(0x202A, 0x202F),  # bidi embeddings and overrides
        range(0x2066, 0x206A),  # bidi isolates
        range(0x2028, 0x202A),  # line and paragraph separator
        range(0xD800, 0xE000),  # lone surrogates
    )
    for code in codes
)
HIDDEN_CODES = _C0 | {0x7F} | _BEYOND_ASCII
"""The characters that must never reach a terminal, a log line or another client."""


def _visible_table() -> dict[int, str]:
    """Map each character that must not reach a terminal to one that shows it was there."""
    table = {code: chr(0x2400 + code) for code in _C0}  # the Control Pictures block
    table[0x7F] = "\N{SYMBOL FOR DELETE}"
    table.update(dict.fromkeys(_BEYOND_ASCII, _REPLACEMENT))
    return table


_VISIBLE = _visible_table()
_VISIBLE_LINES = {code: shown for code, shown in _VISIBLE.items() if chr(code) != "\n"}


def visible(text: str) -> str:
    """Return `text` with everything that could steer a terminal made visible instead.

    C0 controls except tab become their control pictures (``ESC`` is shown as one character, not obeyed); C1 controls,
    bidi controls (U+202A-E, U+2066-9), U+2028, U+2029 and lone surrogates become U+FFFD. Everything else passes.
    """
    return text.translate(_VISIBLE)


class TerminalText:
    """Turns a stream of bytes from a stranger into text that is safe on a terminal.

    Bytes are read as UTF-8, whatever way they were cut; what isn't UTF-8 becomes U+FFFD. Line feeds stay, CR LF
    becomes a line feed, a lone CR becomes visible (it would let a line overwrite what stands there). Not thread-safe.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""

    def feed(self, data: bytes, *, final: bool = False) -> str:
        """Return what can be shown after `data`; with `final` also what was held back for a missing rest."""
        text = self._held + self._decoder.decode(data, final)
        self._held = ""
        if text.endswith("\r") and not final:
            text, self._held = text[:-1], "\r"
        return text.replace("\r\n", "\n").translate(_VISIBLE_LINES)


def format_bytes(count: int) -> str:
    """Return a byte count for people: exact below 1 KiB, else with one decimal in KiB, MiB, GiB or TiB."""
    if count < _KIB:
        return plural(count, "byte")
    size = float(count)
    units = iter(_UNITS)
    unit = next(units)
    size /= _KIB
    while size >= _ROUNDS_UP and unit != _UNITS[-1]:
        size /= _KIB
        unit = next(units)
    return f"{size:,.1f} {unit}"


def format_seconds(seconds: float) -> str:
    """Return a duration for people: in milliseconds below one second, else in seconds with one decimal."""
    return f"{seconds * 1000:.0f} ms" if seconds < _WHOLE_SECOND else f"{seconds:,.1f} s"


def format_age(seconds: float) -> str:
    """Return how long ago something was, for people, in the largest whole unit: ``3 minutes ago``."""
    for unit, size in _AGES:
        if seconds >= size:
            return f"{plural(int(seconds / size), unit)} ago"
    return "just now"


def plural(count: int, noun: str, nouns: str = "") -> str:
    """Return count and noun, as ``1 portion`` or ``12,288 portions``; `nouns` where the plural isn't just an s."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {nouns or noun + 's'}"
