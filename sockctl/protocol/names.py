"""The rule for the names of people and rooms."""

import re

from sockctl.errors import NameRefusedError
from sockctl.text import visible

MAX_NAME = 32
"""Characters in a name."""
RESERVED = frozenset({"admin", "root", "server", "system"})
"""Names that would let their bearer pass for the server or for who runs it."""
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}")


def checked_name(text: str) -> str:
    """Return `text` without space around it, if it is a name: up to 32 of ``A-Z a-z 0-9 _ . -``, not led by . or -.

    Raises:
        NameRefusedError: It isn't one, or it is reserved; the error says which.
    """
    name = text.strip()
    if not _NAME.fullmatch(name):
        if not name:
            raise NameRefusedError("A name can't be empty: type one, such as ann.")
        raise NameRefusedError(
            f"{visible(name[:MAX_NAME])!r} is not a name: it has up to {MAX_NAME} letters (a-z), digits, _ . and -, "
            f"and doesn't begin with . or -."
        )
    if same_name_key(name) in RESERVED:
        raise NameRefusedError(f"The name {name!r} is reserved: choose another one.")
    return name


def is_name(text: str) -> bool:
    """Return whether a server may have given this name to somebody or to a room, by whatever rule it has for them."""
    return 0 < len(text) <= 2 * MAX_NAME and not any(map(str.isspace, text))


def same_name_key(name: str) -> str:
    """Return what two names have in common when they are the same: they are unique without regard to case."""
    return name.lower()
