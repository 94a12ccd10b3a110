"""The background of the terminal, which terminals tell when they are asked (OSC 11 of xterm).

A terminal that doesn't know the question says nothing, so the answer gets a short time. The client keeps the keys that
are typed meanwhile for the line editor, which also drops an answer that comes late.
"""

import os
import re
import select
import time
from typing import NamedTuple

from sockctl.client.chat.theme import Rgb, find_background
from sockctl.terminal import STDIN, STDOUT, write_all

ANSWER_S = 0.15
"""How long the terminal has for its answer. Terminals here answer in a few ms; over a slow line the colours that fit
any background will do."""
REPLY = re.compile(r"\x1b\]11;[^\x07\x1b]{0,40}(?:\x07|\x1b\\)")
_QUESTION = b"\x1b]11;?\x1b\\"
_READ_BYTES = 4_096
_MAX_TYPED = 65_536
_MUTE = frozenset({"linux", "dumb", "unknown", ""})
"""Terminals that can't answer, and may show the question."""


class Background(NamedTuple):
    """The terminal's background, as far as the client knows it.

    Attributes:
        colour: The background; None where nothing tells it.
        typed: The keys typed while the terminal was asked.
        reply_may_come: Whether the answer may still come, among the keys.
    """

    colour: Rgb | None
    typed: str = ""
    reply_may_come: bool = False


NOT_ASKED = Background(None)


def ask_background(limit_s: float = ANSWER_S) -> Background:
    """Ask the terminal, which passes on keys as they are typed, for its background; wait so long at most."""
    if os.environ.get("TERM", "") in _MUTE:
        return Background(find_background("", os.environ))
    try:
        write_all(STDOUT, _QUESTION)
        said = _read_reply(time.monotonic() + limit_s)
    except OSError:  # the terminal has gone: a read from it finds out
        return Background(None)
    reply = REPLY.search(said)
    colour = find_background(reply[0] if reply else "", os.environ)
    return Background(colour, REPLY.sub("", said, count=1), reply_may_come=reply is None)


def _read_reply(until: float) -> str:
    """Return the bytes of the terminal up to its answer, or until a time, as text."""
    said, heard = "", b""
    while (left_s := until - time.monotonic()) > 0 and not REPLY.search(said) and len(said) < _MAX_TYPED:
        if not select.select([STDIN], [], [], left_s)[0]:
            break
        data = os.read(STDIN, _READ_BYTES)
        if not data:
            break
        heard += data
        said = heard.decode(errors="surrogateescape")
    return said
