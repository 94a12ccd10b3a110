"""Text of a stranger, made safe before it goes anywhere: into a message, to another client, into a file."""

import re

from sockctl.text import HIDDEN_CODES, without_strays

__all__ = ["clean", "has_controls"]

_BREAKS = (0x0A, 0x0B, 0x0C, 0x0D, 0x85, 0x2028, 0x2029)
_CONTROLS = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f]")
_CLEANED: dict[int, str | None] = {**dict.fromkeys(HIDDEN_CODES), **dict.fromkeys(_BREAKS, " ")}


def clean(text: str) -> str:
    """Return `text` without controls and invisible formatters, and with a space for each line break.

    Controls are C0 except tab, DEL, C1, the bidi controls (U+061C, U+200E-F, U+202A-E, U+2066-9) and lone surrogates.
    Invisible formatters are U+00AD, U+180E, U+200B, U+2060-4, U+206A-F, U+FEFF, U+FFF9-B, U+1BCA0-3, U+1D173-A and
    the Hangul fillers (U+115F, U+1160, U+3164, U+FFA0). Line breaks are LF, VT, FF, CR, CR LF, NEL, U+2028 and
    U+2029. ZWNJ, ZWJ and tags stay where text needs them (`without_strays`). Everything else passes.
    """
    if text.isascii():
        return text if text.isprintable() else text.replace("\r\n", "\n").translate(_CLEANED)
    # Python calls the fillers printable. Four searches are quicker than one by a pattern.
    fillers = "\u115f" in text or "\u1160" in text or "\u3164" in text or "\uffa0" in text
    if not fillers and text.isprintable():
        return text
    return without_strays(text.replace("\r\n", "\n").translate(_CLEANED), replacement="")


def has_controls(text: str) -> bool:
    """Return whether `text` has a control character other than tab: C0, DEL or C1."""
    return _CONTROLS.search(text) is not None
