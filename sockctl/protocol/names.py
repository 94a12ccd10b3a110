"""The rule for the names of people and rooms."""

import re

from sockctl.errors import NameRefusedError
from sockctl.text import visible

MAX_NAME = 32
"""Characters in a name."""
RESERVED = frozenset({"admin", "root", "server", "system"})
"""Names that would let their bearer pass for the server or its operator."""
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}")


def checked_name(text: str) -> str:
    """Return `text` without space around it, if that is a name.

    A name has up to 32 of ``A-Z a-z 0-9 _ . -``, and doesn't begin with . or -.

    Raises:
        NameRefusedError: The text isn't a name, or the name is reserved; the error says which.
    """
    name = text.strip()
    if not _NAME.fullmatch(name):
        if not name:
            raise NameRefusedError("A name can't be empty: type one, such as ann.")
        raise NameRefusedError(
            f"{visible(name[:MAX_NAME])!r} is not a name: it has up to {MAX_NAME} letters (a-z), digits, _ . and "
            f"-, and doesn't begin with . or -."
        )
    if same_name_key(name) in RESERVED:
        raise NameRefusedError(f"The name {name!r} is reserved: choose another one.")
    return name


def is_name(text: str) -> bool:
    """Return whether a server, whatever its own rule is, may have given this name to a person or a room."""
    return 0 < len(text) <= 2 * MAX_NAME and not any(map(str.isspace, text))


def same_name_key(name: str) -> str:
    """Return the key of a name: names that differ in case only have the same key."""
    return name.lower()
