"""Normalizes passwords by the profile OpaqueString of RFC 8265, section 4.2, with the library precis_i18n.

Two ways to type the same text become one text, so that they get the same hash.
"""

import functools
import unicodedata
from typing import TYPE_CHECKING

from sockctl.errors import PasswordRefusedError

if TYPE_CHECKING:
    from precis_i18n.profile import Profile

MAX_BYTES = 1024
"""Bytes of UTF-8 in a normalized password: room for any phrase; hashing and normalizing cost next to nothing."""

_MAX_COMPOSED = 4
"""The most code points that NFC makes into one: normalizing can't shorten a text by a larger factor."""
_JOINER = "a joiner, which can't be seen (some emoji hold one)"
_STRANGER = "a character that may stand only beside letters of its own script"
_BY_RULE = {
    "zero_width_nonjoiner": _JOINER,
    "zero_width_joiner": _JOINER,
    "middle_dot": _STRANGER,
    "greek_keraia": _STRANGER,
    "hebrew_punctuation": _STRANGER,
    "katakana_middle_dot": _STRANGER,
    "arabic_indic": _STRANGER,
    "extended_arabic_indic": _STRANGER,
    "old_hangul_jamo": "a letter of Hangul that is no syllable",
    "exceptions": "a filling or repeating mark",
}
"""The kind of character that a rule of the library refuses; for any other rule, `_BY_CATEGORY` names it."""
_BY_CATEGORY = {
    "Cc": "a control character, such as a tab or a line break",
    "Cf": "an invisible character",
    "Cs": "half of a character, which is no text",
    "Co": "a character for private use, which means nothing elsewhere",
    "Cn": f"a character that Unicode {unicodedata.unidata_version} doesn't know",
    "Zl": "a line separator",
    "Zp": "a paragraph separator",
}
_OF_WHOLE_TEXT = frozenset(map(chr, (0x30FB, *range(0x0660, 0x066A), *range(0x06F0, 0x06FA))))
"""KATAKANA MIDDLE DOT and the Arabic digits: for each of them, the library's rule searches the whole text."""
_IGNORABLE = "an invisible character (some emoji hold one)"


def normalize_password(password: str) -> str:
    """Return a password in the form that is hashed: spaces of any script as U+0020, then NFC; the case stays.

    Printable ASCII stays as it is, and doesn't load the library. Any thread may call this.

    Raises:
        PasswordRefusedError: It is empty, longer than `MAX_BYTES`, or holds a character that can't be in a password
            (RFC 8264, section 4.3). The error names the kind of character, and never shows any of the password.
    """
    if not password:
        raise PasswordRefusedError("A password can't be empty: type one.")
    if len(password) > MAX_BYTES * _MAX_COMPOSED:
        raise _make_length_error()
    is_usual = password.isascii() and password.isprintable()
    text = password if is_usual else _load_profile().apply_five_rules(password)
    if len(text.encode(errors="surrogatepass")) > MAX_BYTES:
        raise _make_length_error()
    if not is_usual and (kind := _find_refused_kind(text)):
        raise PasswordRefusedError(f"The password holds {kind}: leave it out.")
    return text


def _make_length_error() -> PasswordRefusedError:
    return PasswordRefusedError(f"The password is too long: it may have {MAX_BYTES:,} bytes of UTF-8, so shorten it.")


@functools.cache
def _load_profile() -> "Profile":
    from precis_i18n import get_profile

    return get_profile("OpaqueString")


def _find_refused_kind(text: str) -> str:
    """Return the kind of character that the profile refuses in a text; empty if it refuses none.

    The library's error holds the password, so this function doesn't let it out, not even as another error's context.
    """
    for character in _OF_WHOLE_TEXT.intersection(text):  # keep one of each, or the time grows with the square
        before, _, after = text.partition(character)
        text = before + character + after.replace(character, "a")
    try:
        _load_profile().enforce(text)
    except UnicodeEncodeError as error:
        rule, character = error.reason.rpartition("/")[2], text[error.start]
        return _BY_RULE.get(rule) or _BY_CATEGORY.get(unicodedata.category(character), _IGNORABLE)
    return ""
