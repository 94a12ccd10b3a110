"""The metrics of a server for Prometheus, as its option wants them."""

from typing import TYPE_CHECKING

from sockctl.cli.extras import needing
from sockctl.cli.server_options import ServerOptions
from sockctl.errors import OptionError
from sockctl.events.control import MetricsServed
from sockctl.events.journal import Journal
from sockctl.net.listener import open_listeners
from sockctl.net.server import Server
from sockctl.net.service import Service

if TYPE_CHECKING:
    from sockctl.net.metrics import MetricsServer

HOST = "127.0.0.1"
"""Metrics are for this machine alone: they have no login."""


def serve_metrics(
    options: ServerOptions, server: Server, service: Service, journal: Journal, *, name: str
) -> "MetricsServer | None":
    """Return the running server of the metrics; None if the user wants none.

    Args:
        options: The options of the user.
        server: The server.
        service: Its service.
        journal: Its journal.
        name: The name of the server.

    Raises:
        OptionError: The library is missing.
        ListenError: The port is taken, or not permitted.
    """
    if options.metrics is None:
        return None
    with needing(
        {"prometheus_client"},
        lambda library: OptionError(
            f"--metrics needs the library {library}, which isn't installed: pip install 'sockctl[metrics]'"
        ),
    ):
        from sockctl.net.metrics import PATH, MetricsServer
    from sockctl import __version__
    from sockctl.net.status import Status

    listeners = open_listeners(HOST, options.metrics, strict_port=True, option="--metrics")
    metrics = MetricsServer(listeners, Status(server, service, journal, {"name": name, "version": __version__}))
    metrics.start()
    journal.emit(MetricsServed(url=f"http://{HOST}:{listeners.port}{PATH}"))
    return metrics
