"""Names that nodes claim: ``claim_names`` for ``tests.benchmarks.cluster``.

The nodes are those of the chat, without the chat. Each has threads that claim and then wait until the node has read it,
as connections do that come in.
"""

import contextlib
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from sockctl.cluster.node import Node
from sockctl.cluster.node_settings import Callbacks
from tests.support.engines import redis_server

AT_ONCE = 32
"""Connections of a node that come in at the same time."""
READ_S = 10.0


def _ignore(_: Any) -> None:
    pass


DEAF = Callbacks(on_news=_ignore, on_refused=_ignore, on_buried=_ignore, on_health=_ignore)


def claim_names(settings: Sequence[str], nodes: int, names: int) -> float:
    """Claim names at nodes in turn; return the seconds from the first claim until a node has read the last."""
    with contextlib.ExitStack() as undo:
        folder = undo.enter_context(tempfile.TemporaryDirectory())
        server = undo.enter_context(redis_server(Path(folder), *settings))
        made = []
        for number in range(nodes):
            node = Node(server.access(), f"names{number}", DEAF, rules={})
            undo.callback(node.stop)
            node.start(_ignore)
            made.append(node)

        def claim(number: int) -> bool:
            node = made[number % nodes]
            came = node.claim(f"name{number}", f"g:{number}", data=b"{}", alone=True)
            return node.wait_until_read(came, READ_S)

        pool = undo.enter_context(ThreadPoolExecutor(AT_ONCE * nodes))
        began = time.monotonic()
        done = list(pool.map(claim, range(names)))
        took_s = time.monotonic() - began
        assert all(done), "a node has not read a claim of its own"
    return took_s
