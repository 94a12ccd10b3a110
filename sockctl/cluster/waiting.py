"""How the reader's thread waits: for news, and for replies to what its node posts."""

import time

from sockctl.cluster.engine import Engine
from sockctl.cluster.engine_connection import list_readable
from sockctl.cluster.writer import Writer

NEWS_APART_S = 0.001
"""How long after news a node asks for more, at least. Telling news costs a call for each client: many in a row would
keep the processors busy, and all would come later.
"""
_LOOK_MS = 10
"""How soon the thread looks again whether the writer's replies are its own to take."""


def wait_for_news(engine: Engine, writer: Writer, wait_s: float) -> None:
    """Wait until the reader's engine has replied, so long at most; take the writer's replies meanwhile."""
    until = time.monotonic() + wait_s
    while (left_s := until - time.monotonic()) > 0:
        own, other = engine.fileno(), writer.reply_fileno
        ready = list_readable((own, other), min(left_s * 1000, _LOOK_MS) if other < 0 else left_s * 1000)
        if own < 0 or own in ready:
            return
        if ready:
            writer.take_reply()


def rest(writer: Writer, came_at: float) -> None:
    """Take the writer's reply if it has come with the news, and wait until it is time to ask for more of these."""
    writer.take_reply()
    if (left_s := came_at + NEWS_APART_S - time.monotonic()) > 0:
        time.sleep(left_s)
