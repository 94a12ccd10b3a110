"""A proxy in this process, and the target that a test plays."""

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

from sockctl.net.address import Endpoint
from sockctl.proxy.service import Proxy
from sockctl.proxy.settings import ProxySettings
from tests.support.running import TIMEOUT_S, Running, running


class PlayedTarget:
    """A target on loopback, whose connections the test accepts."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(TIMEOUT_S)
        self.port: int = self._listener.getsockname()[1]

    def accept(self) -> socket.socket:
        sock, _ = self._listener.accept()
        sock.settimeout(TIMEOUT_S)
        return sock

    def close(self) -> None:
        self._listener.close()


class Proxied:
    """A proxy and its target."""

    def __init__(self, run: Running, target: PlayedTarget) -> None:
        self.run = run
        self.target = target

    @contextlib.contextmanager
    def pair(self) -> Iterator[tuple[socket.socket, socket.socket]]:
        """Connect, and return the client's socket and the target's."""
        with self.run.client() as client, self.target.accept() as there:
            yield client, there

    def told(self, name: str, count: int = 1) -> list[Any]:
        """Wait for events, and return them."""
        return self.run.sink.wait_for(name, count)


@contextlib.contextmanager
def proxied(limits: Any = None, timeouts: Any = None, **settings: Any) -> Iterator[Proxied]:
    """Run a proxy in front of a target that the test plays."""
    with contextlib.closing(PlayedTarget()) as target:
        endpoint = Endpoint("127.0.0.1", target.port)
        wanted = ProxySettings(**{"target": endpoint, "shown_target": str(endpoint), **settings})
        with running(Proxy(wanted), limits, timeouts) as run:
            yield Proxied(run, target)
