"""The metrics of a server for Prometheus, as its option wants them."""

from typing import TYPE_CHECKING

from sockctl.cli.extras import needing
from sockctl.events.control import MetricsServed
from sockctl.events.journal import Journal
from sockctl.net.listener import Listeners, open_listeners
from sockctl.net.server import Server
from sockctl.net.service import Service

if TYPE_CHECKING:
    from sockctl.net.metrics import MetricsServer

HOST = "127.0.0.1"
"""Metrics are for this machine alone: they have no login."""


def open_metrics(port: int | None) -> Listeners | None:
    """Listen where the metrics are asked for; None if the user wants none.

    Raises:
        LibraryMissingError: The library is missing.
        ListenError: The port is taken, or not permitted.
    """
    if port is None:
        return None
    with needing("metrics", "--metrics"):
        from sockctl.net import metrics as _metrics  # noqa: F401  better now than with a server that runs
    return open_listeners(HOST, port, strict_port=True, option="--metrics")


def serve_metrics(
    listeners: Listeners, server: Server, service: Service, journal: Journal, *, name: str
) -> "MetricsServer":
    """Return the running server of the metrics.

    Args:
        listeners: Where it is asked.
        server: The server.
        service: Its service.
        journal: Its journal.
        name: The name of the server.
    """
    from sockctl import __version__
    from sockctl.net.metrics import PATH, MetricsServer
    from sockctl.net.status import Status

    metrics = MetricsServer(listeners, Status(server, service, journal, {"name": name, "version": __version__}))
    metrics.start()
    journal.emit(MetricsServed(url=f"http://{HOST}:{listeners.port}{PATH}"))
    return metrics
