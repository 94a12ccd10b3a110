"""Text of a stranger, made safe before it goes anywhere: into a message, to another client, into a file."""

from sockctl.text import HIDDEN_CODES

__all__ = ["clean"]

_BREAKS = (0x0A, 0x0B, 0x0C, 0x0D, 0x85, 0x2028, 0x2029)
_CLEANED: dict[int, str | None] = {**dict.fromkeys(HIDDEN_CODES), **dict.fromkeys(_BREAKS, " ")}


def clean(text: str) -> str:
    """Return `text` without controls, and with a space for each line break; everything else passes.

    Controls are C0 except tab, DEL, C1, the bidi controls (U+202A-E, U+2066-9) and lone surrogates. Line breaks are LF,
    VT, FF, CR, CR LF, NEL, U+2028 and U+2029. Emoji, joiners and letters of every script stay.
    """
    if text.isprintable():
        return text
    return text.replace("\r\n", "\n").translate(_CLEANED)
