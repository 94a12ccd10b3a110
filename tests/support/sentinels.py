"""An engine, its replicas, and the Sentinels that watch them: processes of the test's own on loopback."""

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from sockctl.cluster.engine_access import EngineAccess, EngineLogin, Place
from sockctl.cluster.engine_connection import EngineConnection
from sockctl.errors import EngineError
from tests.support.engines import DURABLE, RedisServer
from tests.support.running import START_S, TIMEOUT_S, free_port, wait_until
from tests.support.tools import tool

GROUP = "chat"
AWAY_AFTER_MS = 1000
"""How long a Sentinel waits for an engine before it holds it for dead."""
_CONFIG = """port {port}
bind 127.0.0.1
dir {folder}
logfile ""
sentinel monitor {group} 127.0.0.1 {primary} {quorum}
sentinel down-after-milliseconds {group} {away_after_ms}
sentinel failover-timeout {group} 10000
"""


@dataclass
class Watched:
    """The engines and their Sentinels.

    Attributes:
        engines: The engines; the first one takes messages to begin with.
        ports: The ports of the Sentinels.
    """

    engines: list[RedisServer]
    ports: list[int] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The URL, for a command."""
        return f"redis+sentinel://{','.join(f'localhost:{port}' for port in self.ports)}/{GROUP}"

    def access(self, **more: Any) -> EngineAccess:
        """Return the way to the engine that takes messages."""
        sentinels = tuple(Place("localhost", port) for port in self.ports)
        return EngineAccess(**{"sentinels": sentinels, "group": GROUP, "timeout_s": 10.0, **more})


def ask(port: int, *words: str | int, login: EngineLogin | None = None) -> Any:
    """Send one request to an engine or a Sentinel on loopback; raise nothing for an error that it answers."""
    access = EngineAccess(host="127.0.0.1", port=port, login=login, timeout_s=TIMEOUT_S)
    with contextlib.closing(EngineConnection(access)) as connection:
        return connection.ask_all([words])[0]


@contextlib.contextmanager
def watched_engines(folder: Path, *, replicas: int = 1, sentinels: int = 3, settings: str = "") -> Iterator[Watched]:
    """Run an engine, its replicas and Sentinels, and wait until they know each other.

    Args:
        folder: A folder for their files.
        replicas: How many engines follow the first one.
        sentinels: How many Sentinels watch them.
        settings: More lines of a Sentinel's configuration.
    """
    with contextlib.ExitStack() as undo:
        watched = Watched([])
        for number in range(replicas + 1):
            home = folder / f"engine-{number}"
            home.mkdir()
            follow = ("--replicaof", "127.0.0.1", str(watched.engines[0].port)) if number else ()
            engine = RedisServer(home, *DURABLE, "--repl-diskless-sync-delay", "0", *follow)
            undo.callback(engine.kill)
            engine.start()
            watched.engines.append(engine)
        for number in range(sentinels):
            watched.ports.append(_start(folder / f"sentinel-{number}", watched, sentinels // 2 + 1, settings, undo))
        for port in watched.ports:
            ready = partial(_is_ready, port, replicas, sentinels)
            wait_until(ready, timeout_s=START_S, what="the Sentinels to meet")
        yield watched


def _start(home: Path, watched: Watched, quorum: int, settings: str, undo: contextlib.ExitStack) -> int:
    port = free_port()
    home.mkdir()
    file = home / "sentinel.conf"
    text = _CONFIG.format(
        port=port,
        folder=home,
        group=GROUP,
        primary=watched.engines[0].port,
        quorum=quorum,
        away_after_ms=AWAY_AFTER_MS,
    )
    file.write_text(text + settings)
    command = [tool("redis-server", "redis-server"), str(file), "--sentinel"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    undo.callback(process.wait, TIMEOUT_S)
    undo.callback(process.kill)
    return port


def _is_ready(port: int, replicas: int, sentinels: int) -> bool:
    with contextlib.suppress(EngineError, TypeError):
        told = ask(port, "SENTINEL", "MASTER", GROUP)
        fields = dict(zip(told[::2], told[1::2], strict=True))
        counts = (int(fields[b"num-slaves"]), int(fields[b"num-other-sentinels"]))
        return counts == (replicas, sentinels - 1) and fields[b"flags"] == b"master"
    return False
