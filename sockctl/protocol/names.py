"""The rule for the names of people and rooms.

A name has letters and digits of one script. The library precis_i18n applies the profile Username of RFC 8265: however a
user types a name, the name has one form. `look_alikes` finds names that look like each other.

A name in ASCII loads no library: one pattern checks it.
"""

import functools
import re
import unicodedata
from typing import TYPE_CHECKING

from sockctl.errors import NameRefusedError
from sockctl.protocol.look_alikes import compute_skeletons, list_scripts
from sockctl.text import make_visible

if TYPE_CHECKING:
    from precis_i18n.profile import Profile

MAX_NAME = 32
"""Characters in a name."""
RESERVED = frozenset({"admin", "root", "server", "system"})
"""Names that would let their bearer pass for the server or its operator."""
_RULE = f"it has up to {MAX_NAME} letters and digits of one script, _ . and -, and doesn't begin with . or -"
_ASCII_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}")
_MAX_COMPOSED = 4
"""The most code points that NFC composes into one: a text of more than MAX_NAME times as many is no name."""
_MARKS = 6
"""The most marks on one letter: syllables of Burmese have five."""
_SHAPE = re.compile(rf"(?:L[MJ]{{0,{_MARKS}}}|[N_])(?:L[MJ]{{0,{_MARKS}}}|[N_.-])*")
"""The kinds of a name's characters: each mark stands on a letter."""
_SIGNS = frozenset("_.-")
_JOINERS = frozenset("\u200c\u200d")  # ZWNJ and ZWJ
_WIDE = re.compile("[\uff01-\uffef]+")
"""Fullwidth and halfwidth characters, which keyboards of East Asia type for the usual ones."""
_MIXED_SCRIPTS = (
    frozenset({"HAN", "HIRAGANA", "KATAKANA"}),
    frozenset({"HAN", "HANGUL"}),
    frozenset({"HAN", "BOPOMOFO"}),
)
"""Scripts that one language writes together: UTS 39, section 5.2, without the Latin letters that it allows beside."""


def check_name(text: str) -> str:
    """Return the name that `text` gives, in the form that is saved and shown.

    Raises:
        NameRefusedError: The text isn't a name, or is reserved, or looks so; the error says which.
    """
    name = normalize_name(text)
    if make_name_key(name) in RESERVED:
        raise NameRefusedError(f"The name {name!r} is reserved: choose another one.")
    if not name.isascii() and (found := _find_reserved_look(name)):
        raise NameRefusedError(f"The name {name!r} looks like {found}, which is reserved: choose another one.")
    return name


def normalize_name(text: str, *, of: str = "", example: str = "ann") -> str:
    """Return `text` without space around it, as NFC and in characters of the usual width, if that is a name.

    A name has up to 32 letters and digits of one script, ``_``, ``.`` and ``-``. It doesn't begin with ``.`` or ``-``.
    Digits of ASCII, and marks that several scripts share, stand beside any script. Han stands beside kana, Hangul or
    Bopomofo. A reserved name passes, too.

    Args:
        text: The text.
        of: What the name is of, for the error.
        example: A name, for the error.

    Raises:
        NameRefusedError: The text isn't a name; the error says why.
    """
    name = text.strip()
    if _ASCII_NAME.fullmatch(name):
        return name
    if not name:
        raise NameRefusedError(f"A name can't be empty: type one, such as {example}.")
    usual = None if name.isascii() or len(name) > MAX_NAME * _MAX_COMPOSED else _normalize_letters(name)
    if usual is None:
        what = f"no name of {of}" if of else "not a name"
        raise NameRefusedError(f"{_shorten(name)!r} is {what}: {_RULE}, such as {example}.")
    return usual


def is_name(text: str) -> bool:
    """Return whether a server, whatever its own rule is, may have given this name to a person or a room."""
    return 0 < len(text) <= 2 * MAX_NAME and not any(map(str.isspace, text))


def make_name_key(name: str) -> str:
    """Return the key of a name: names that differ only in case, in width or in Unicode's form have the same key."""
    return name.lower() if name.isascii() else _fold(name)


def _fold(name: str) -> str:
    usual = _WIDE.sub(lambda found: unicodedata.normalize("NFKC", found[0]), name)
    return unicodedata.normalize("NFC", usual.lower())


def _normalize_letters(name: str) -> str | None:
    """Return a name beyond ASCII in its one form; None where it is none.

    Raises:
        NameRefusedError: Its letters are those of names, but not beside each other.
    """
    try:
        shown = _load_profile("UsernameCasePreserved").enforce(name)
        key = _load_profile("UsernameCaseMapped").enforce(shown)
    except UnicodeEncodeError as error:
        if error.reason.endswith("/bidi_rule"):
            raise NameRefusedError(
                f"{_shorten(name)!r} runs in two directions: a name from right to left begins with a letter, "
                f"and ends with a letter or a digit."
            ) from None
        return None
    if max(len(shown), len(key)) > MAX_NAME or not _SHAPE.fullmatch("".join(map(_classify, shown))):
        return None
    scripts = list_scripts(shown)
    if len(scripts) > 1 and not any(mixed.issuperset(scripts) for mixed in _MIXED_SCRIPTS):
        mixed = " and ".join(script.replace("_", " ").title() for script in scripts)
        raise NameRefusedError(f"{shown!r} mixes {mixed} letters: write it in one script.")
    if len({ord(character) - unicodedata.decimal(character) for character in shown if character.isdecimal()}) > 1:
        raise NameRefusedError(f"{shown!r} mixes digits of two scripts: write them in one.")
    return shown


def _classify(character: str) -> str:
    """Return the kind of a character: L letter, M mark, N digit, J joiner; ``_``, ``.`` and ``-`` are their own kinds.

    The profile has refused joiners that are out of their place, and all that is no letter, but for signs of ASCII.
    """
    if character in _SIGNS:
        return character
    return "J" if character in _JOINERS else unicodedata.category(character)[0]


@functools.cache
def _load_profile(name: str) -> "Profile":
    from precis_i18n import get_profile

    return get_profile(name)


def _find_reserved_look(name: str) -> str:
    """Return the reserved name that a name looks like; empty where it looks like none."""
    looks = compute_skeletons(name)
    return next((reserved for look, reserved in _list_reserved_looks() if look in looks), "")


@functools.cache
def _list_reserved_looks() -> list[tuple[str, str]]:
    return [(look, name) for name in sorted(RESERVED) for look in compute_skeletons(name.upper())]


def _shorten(name: str) -> str:
    return make_visible(name[:MAX_NAME])
