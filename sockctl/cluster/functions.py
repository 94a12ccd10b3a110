"""Calls the functions that run inside the engine, those of ``functions.lua``, and loads them where they are missing."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sockctl.cluster.engine import Engine, Word
from sockctl.errors import EngineReplyError

FORM = 1
"""The form of the functions and of the keys, as the name of their library has it: several forms live side by side."""
_SOURCE = Path(__file__).with_name("functions.lua")


def call_function(engine: Engine, name: str, keys: Sequence[str], *arguments: Word) -> Any:
    """Call a function, and return its reply.

    Raises:
        EngineReplyError: The function refuses; its `code` says why.
        EngineError: There is no reply, and the engine may have carried the call out.
    """
    words = ("FCALL", f"sockctl{FORM}_{name}", len(keys), *keys, *arguments)
    try:
        return engine.ask(*words)
    except EngineReplyError as error:
        if "unction not found" not in str(error):
            raise
    engine.ask("FUNCTION", "LOAD", "REPLACE", read_source())
    return engine.ask(*words)


@functools.cache
def read_source() -> str:
    """Return the functions, in Lua."""
    return _SOURCE.read_text(encoding="ascii")
