"""Names that look alike: two names with the same skeleton, by Unicode TS 39.

A skeleton replaces each character by the one that stands for all characters that look like it. The library
confusable_homoglyphs has Unicode's table. The first name beyond ASCII loads it: names in ASCII are never compared.
"""

import functools
import re
import unicodedata
from collections import defaultdict
from collections.abc import Container, Iterable

_SHARED = frozenset({"COMMON", "INHERITED"})
"""Characters of several scripts, such as digits and accents."""
_LONG_VOWEL = "\N{KATAKANA-HIRAGANA PROLONGED SOUND MARK}"
"""A letter of kana alone, which Unicode counts as common: beside other letters it looks like a dash."""
_UNSEEN = re.compile("[\u200c\u200d]")


class LookAlikes:
    """Names in use, found by how they look. Not thread-safe.

    The first search for a name beyond ASCII computes the skeletons of the names in ASCII.

    Args:
        names: The names, each in any case.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._beyond: dict[str, dict[str, None]] = defaultdict(dict)  # names beyond ASCII by skeleton
        self._ascii: dict[str, dict[str, None]] = defaultdict(dict)  # names in ASCII by skeleton
        self._unread: dict[str, None] = {}  # names in ASCII without a skeleton yet
        for name in names:
            self.add(name)

    def add(self, name: str) -> None:
        """Add a name."""
        if name.isascii():
            self._unread[name] = None
        else:
            _file(self._beyond, name)

    def remove(self, name: str) -> None:
        """Remove a name, which must have the form in which it was added."""
        if name in self._unread:
            del self._unread[name]
            return
        table = self._ascii if name.isascii() else self._beyond
        for skeleton in compute_skeletons(name) if table else ():
            names = table.get(skeleton, {})
            names.pop(name, None)
            if not names:
                table.pop(skeleton, None)

    def find(self, name: str, *, but: Container[str] = ()) -> str:
        """Return a name that looks like `name`; empty where there is none.

        Args:
            name: A name, which may be in use itself: a name doesn't look like itself.
            but: Names, in the form in which they were added, that `name` may look like.
        """
        tables = [self._beyond]
        if not name.isascii():
            for waiting in self._unread:
                _file(self._ascii, waiting)
            self._unread.clear()
            tables.append(self._ascii)
        if not any(tables):
            return ""
        own = name.lower()
        found = (
            known
            for skeleton in compute_skeletons(name)
            for table in tables
            for known in table.get(skeleton, ())
            if known not in but and known.lower() != own
        )
        return next(found, "")


def compute_skeletons(name: str) -> frozenset[str]:
    """Return the skeletons of a name and of its lower case; two names with a common skeleton look alike."""
    return frozenset(map(_compute_skeleton, {name, name.lower()}))


def list_scripts(text: str) -> list[str]:
    """Return the scripts of a text, each once, as Unicode names them: LATIN. Shared characters have none."""
    from confusable_homoglyphs.categories import alias

    scripts = ("KATAKANA" if one == _LONG_VOWEL else alias(one) for one in text)
    return list(dict.fromkeys(script for script in scripts if script not in _SHARED))


def _compute_skeleton(name: str) -> str:
    """Return the skeleton of a name, in which letters that look alike in one case are alike in any."""
    return _map_skeleton(_map_skeleton(name).casefold())


def _map_skeleton(text: str) -> str:
    mapped = unicodedata.normalize("NFD", _UNSEEN.sub("", text)).translate(_load_prototypes())
    return unicodedata.normalize("NFD", mapped)


@functools.cache
def _load_prototypes() -> dict[int, str]:
    """Return the character, or the characters, that stand for each that looks like them.

    The library lists for each character those that look like it. One with a single entry has its prototype there, or is
    the prototype of that one alone: then it stands second in the table.
    """
    from confusable_homoglyphs.confusables import confusables_data

    prototypes: dict[int, str] = {}
    for key, alike in confusables_data.items():
        one, other = _strip_mark(key), _strip_mark(alike[0]["c"])
        if len(alike) == len(one) == 1 and not (len(other) == 1 and prototypes.get(ord(other)) == one):
            prototypes[ord(one)] = other
    return prototypes


def _strip_mark(text: str) -> str:
    """Return an entry without the marks that the table puts around letters written from right to left."""
    return text.replace("\N{LEFT-TO-RIGHT MARK}", "")


def _file(table: dict[str, dict[str, None]], name: str) -> None:
    for skeleton in compute_skeletons(name):
        table[skeleton][name] = None
