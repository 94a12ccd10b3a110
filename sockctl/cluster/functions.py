"""Calls the functions that run inside the engine, those of the ``.lua`` files, and loads those that are missing.

In the engine, the name of a library has a digest of its text. So a server never calls a text that another version of
sockctl has loaded. Both versions may serve at once.
"""

import enum
import functools
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sockctl.cluster.engine import Engine, Word
from sockctl.errors import EngineReplyError

FORM = 1
"""The form of the functions and of the keys, as the name of their library has it: several forms live side by side."""


class Library(enum.StrEnum):
    """A library of functions; its value is its name without the form."""

    LOG = "sockctl"
    ACCOUNTS = "sockctl_accounts"


def make_call(name: str, keys: Sequence[str], *arguments: Word, library: Library = Library.LOG) -> Sequence[Word]:
    """Return the request that calls a function. It is an error where the library isn't loaded, see `call_function`."""
    _, own = _prepare(read_source(library), f"{library}{FORM}")
    return "FCALL", f"{own}_{name}", len(keys), *keys, *arguments


def is_missing(error: EngineReplyError) -> bool:
    """Return whether an error says that the engine has no such function; `call_function` loads it."""
    return "unction not found" in str(error)


def call_function(
    engine: Engine, name: str, keys: Sequence[str], *arguments: Word, library: Library = Library.LOG
) -> Any:
    """Call a function, and return its reply.

    Raises:
        EngineReplyError: The function refuses; its `code` says why.
        EngineError: There is no reply, and the engine may have carried the call out.
    """
    words = make_call(name, keys, *arguments, library=library)
    try:
        return engine.ask(*words)
    except EngineReplyError as error:
        if not is_missing(error):
            raise
    text, _ = _prepare(read_source(library), f"{library}{FORM}")
    engine.ask("FUNCTION", "LOAD", "REPLACE", text)
    return engine.ask(*words)


_FILES = {Library.LOG: "functions.lua", Library.ACCOUNTS: "accounts.lua"}


@functools.cache
def read_source(library: Library = Library.LOG) -> str:
    """Return the functions of a library, in Lua."""
    return Path(__file__).with_name(_FILES[library]).read_text(encoding="ascii")


@functools.cache
def _prepare(text: str, library: str) -> tuple[str, str]:
    """Return the text of a library under a name of its own, and that name."""
    own = f"{library}_{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    return text.replace(library, own), own
