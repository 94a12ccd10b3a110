"""The users of this machine, who connect over Unix sockets: the kernel says which user's process a client is."""

import functools
import pwd
import re

UID = "uid:"
"""In front of a user's number, where else the IP address of a client stands."""
_UID = re.compile("[0-9]{1,10}")
"""32 bits have no more digits."""


@functools.lru_cache(maxsize=1024)
def find_user_name(uid: int) -> str:
    """Return the name of a user; empty if the system knows none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


def describe_user(uid: int) -> str:
    """Return a user for people and events: ``uid 1000 (ann)``."""
    name = find_user_name(uid)
    return f"uid {uid} ({name})" if name else f"uid {uid}"


def parse_user_host(text: str) -> int | None:
    """Return the user that ``uid:1000`` names; None for any other text."""
    number = text.removeprefix(UID)
    return int(number) if number != text and _UID.fullmatch(number) else None


def find_user(text: str) -> int | None:
    """Return the user that a person names as ``uid:1000`` or ``uid:ann``; None if there is none."""
    if not text.startswith(UID):
        return None
    if (uid := parse_user_host(text)) is not None:
        return uid
    try:
        return pwd.getpwnam(text.removeprefix(UID)).pw_uid
    except (KeyError, ValueError):
        return None
