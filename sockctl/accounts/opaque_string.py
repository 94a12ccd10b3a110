"""How a password is written: the profile OpaqueString of RFC 8265, and what its class FreeformClass holds (RFC 8264).

Two ways to type the same thing become one text, so that they become one hash.
"""

import re
import unicodedata

from sockctl.errors import PasswordRefusedError

__all__ = ["MAX_BYTES", "prepared"]

MAX_BYTES = 1024
"""Bytes of UTF-8 in a prepared password: room for any phrase; hashing and normalising cost next to nothing."""

_MAX_COMPOSED = 4
"""Code points that NFC makes into one, at most: what is longer than that needs no normalising."""
_REFUSED = (
    # OldHangulJamo (RFC 8264, 9.9): those that NFC has made no syllables of
    (re.compile("[\u1100-\u11ff\ua960-\ua97c\ud7b0-\ud7c6\ud7cb-\ud7fb]"), "a letter of Hangul that is no syllable"),
    # PrecisIgnorableProperties (RFC 8264, 9.13): Default_Ignorable_Code_Point, as far as the category doesn't tell
    (
        re.compile("[\u034f\u17b4\u17b5\u180b-\u180d\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"),
        "an invisible character (some emoji hold one)",
    ),
    # the exceptions of RFC 5892, 2.6 that are disallowed
    (re.compile("[\u0640\u07fa\u302e\u302f\u3031-\u3035\u303b]"), "a filling or repeating mark"),
)
_BY_CATEGORY = {
    "Cc": "a control character, such as a tab or a line break",
    "Cf": "an invisible character",
    "Cs": "half of a character, which is no text",
    "Co": "a character for private use, which means nothing elsewhere",
    "Cn": f"a character that Unicode {unicodedata.unidata_version} doesn't know",
    "Zl": "a line separator",
    "Zp": "a paragraph separator",
}
_JOINERS = frozenset("\u200c\u200d")
_VIRAMA = 9
"""The combining class of the signs after which a joiner has a meaning."""
_ARABIC_DIGITS = re.compile("[\u0660-\u0669]")
_PERSIAN_DIGITS = re.compile("[\u06f0-\u06f9]")
_MIDDLE_DOT = "\N{KATAKANA MIDDLE DOT}"


def prepared(password: str) -> str:
    """Return a password as it is compared and hashed: an OpaqueString of RFC 8265, 4.2.

    Spaces of any script become U+0020, then NFC; the case is kept. Joiners (U+200C, U+200D) pass after a virama;
    the other places where RFC 5892, A.1 allows U+200C need joining types, which Python doesn't have, and are refused.

    Raises:
        PasswordRefusedError: It is empty, longer than `MAX_BYTES`, or holds what can't be in a password (RFC 8264,
            4.3); the error says which, and never any of it.
    """
    if not password:
        raise PasswordRefusedError("A password can't be empty: type one.")
    if len(password) > MAX_BYTES * _MAX_COMPOSED:
        raise _too_long()
    spaced = "".join(" " if unicodedata.category(character) == "Zs" else character for character in password)
    text = unicodedata.normalize("NFC", spaced)
    if len(text.encode(errors="surrogatepass")) > MAX_BYTES:
        raise _too_long()
    for index in range(len(text)):
        if kind := _refused_kind(text, index):
            raise PasswordRefusedError(f"The password holds {kind}: leave it out.")
    return text


def _too_long() -> PasswordRefusedError:
    return PasswordRefusedError(f"The password is too long: it may have {MAX_BYTES:,} bytes of UTF-8, so shorten it.")


def _refused_kind(text: str, index: int) -> str | None:
    """Return what kind of character stands there, unless it may (RFC 8264, 8)."""
    character = text[index]
    if character in _JOINERS:
        joins = index > 0 and unicodedata.combining(text[index - 1]) == _VIRAMA
        return None if joins else "a joiner, which can't be seen (some emoji hold one)"
    if not _in_context(text, index):
        return "a character that may stand only beside letters of its own script"
    kinds = (kind for pattern, kind in _REFUSED if pattern.match(character))
    return next(kinds, _BY_CATEGORY.get(unicodedata.category(character)))


def _in_context(text: str, index: int) -> bool:
    """Return whether a character stands where the CONTEXTO rules allow it (RFC 5892, A.3 to A.9)."""
    before, after = text[index - 1 : index], text[index + 1 : index + 2]
    allowed = True
    match text[index]:
        case "\N{MIDDLE DOT}":
            allowed = before == after == "l"
        case "\N{GREEK LOWER NUMERAL SIGN}":
            allowed = _script(after) == "GREEK"
        case "\N{HEBREW PUNCTUATION GERESH}" | "\N{HEBREW PUNCTUATION GERSHAYIM}":
            allowed = _script(before) == "HEBREW"
        case character if character == _MIDDLE_DOT and text.index(_MIDDLE_DOT) == index:  # the first stands for all
            others = text.replace(_MIDDLE_DOT, "")
            allowed = any(_script(other) in {"HIRAGANA", "KATAKANA", "CJK"} for other in others)
        case digit if _ARABIC_DIGITS.match(digit):
            allowed = not _PERSIAN_DIGITS.search(text)
        case digit if _PERSIAN_DIGITS.match(digit):
            allowed = not _ARABIC_DIGITS.search(text)
    return allowed


def _script(character: str) -> str:
    """Return the first word of a character's name, which is its script where that matters here; "" for none."""
    return unicodedata.name(character, "").partition(" ")[0] if character else ""
