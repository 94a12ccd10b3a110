"""The sums of a server in Prometheus' text form, over HTTP on loopback. Imported with prometheus_client only.

One thread answers, one request at a time: whoever asks the most keeps other askers waiting, and no client of the
server. Sums that are younger than `KEPT_S` are given again.
"""

import contextlib
import io
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TextIO
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from sockctl.net.listener import Listeners
from sockctl.net.status import Fields, Status
from sockctl.protocol.http_rules import accepts_host, parse_host_header

PATH = "/metrics"
KEPT_S = 1.0
REQUEST_S = 2.0
_PREFIX = "sockctl"

_GAUGES = {
    "uptime_s": ("uptime_seconds", "Seconds since the start."),
    "clients": ("clients", "Clients that are connected."),
    "max_clients": ("clients_limit", "Clients that may be connected."),
    "pending": ("pending_clients", "Connected clients that have not logged in yet."),
    "max_pending": ("pending_clients_limit", "Connected clients that may not have logged in yet."),
}
_COUNTERS = {
    "accepted": ("clients_accepted", "Clients that were let in."),
    "bytes_in": ("received_bytes", "Bytes received."),
    "bytes_out": ("sent_bytes", "Bytes sent."),
    "events_lost": ("events_lost", "Events that could not be written."),
}


class MetricsServer:
    """Answers Prometheus, at listening sockets that it closes at its end.

    Args:
        listeners: The listening sockets, on loopback.
        status: The status of the server, for the thread alone.
        request_s: How long a request may take, with its answer.
    """

    def __init__(self, listeners: Listeners, status: Status, *, request_s: float = REQUEST_S) -> None:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Sums(status.read_server))
        self._app = make_wsgi_app(registry)
        self._listeners = listeners
        self._request_s = request_s
        self._waker, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="sockctl-metrics", daemon=True)

    def start(self) -> None:
        """Start to answer."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and close the listening sockets."""
        self._waker.send(b"\0")
        self._thread.join()
        self._waker.close()
        self._woken.close()
        self._listeners.close()

    def abandon(self) -> None:
        """Do nothing: there is no file."""

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._woken, selectors.EVENT_READ)
            for listener in self._listeners.sockets:
                selector.register(listener, selectors.EVENT_READ, _HttpServer(listener, self._answer, self._request_s))
            while all(ready := [key.data for key, _ in selector.select()]):
                for one in ready:
                    one.answer_one()

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer a request, as WSGI has it (PEP 3333)."""
        host = parse_host_header(environ.get("HTTP_HOST", ""))
        if host is None or not accepts_host(host.host, ()):
            return _refuse(start_response, "421 Misdirected Request", "This server answers to addresses and localhost.")
        if environ["PATH_INFO"] != PATH:
            return _refuse(start_response, "404 Not Found", f"The metrics are at {PATH}.")
        if environ["REQUEST_METHOD"] != "GET":
            return _refuse(start_response, "405 Method Not Allowed", "Only GET is answered.")
        answer: Iterable[bytes] = self._app(environ, start_response)
        return answer


class _HttpServer(WSGIServer):
    """Answers one request at a time at a socket that listens already."""

    def __init__(self, listener: socket.socket, app: Any, request_s: float) -> None:
        super().__init__(listener.getsockname()[:2], _Handler, bind_and_activate=False)
        self.socket.close()  # of its own making
        self.socket = listener
        self.server_name, self.server_port = listener.getsockname()[:2]
        self.setup_environ()
        self.set_app(app)
        self._request_s = request_s

    def answer_one(self) -> None:
        """Answer the client that waits, if there is still one."""
        with contextlib.suppress(OSError, RuntimeError):  # it has gone, or the system has no thread left
            request, address = self.get_request()
            request.setblocking(True)
            late = threading.Timer(self._request_s, _cut, (request,))
            try:
                late.start()
                self.finish_request(request, address)
            finally:
                late.cancel()
                self.shutdown_request(request)


class _Handler(WSGIRequestHandler):
    """Reads a request, and logs none."""

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def get_stderr(self) -> TextIO:
        """Return where the trace of a defect goes: nowhere."""
        return io.StringIO()


class _Sums(Collector):
    """Gives the sums of a server as metrics."""

    def __init__(self, read_server: Callable[[], Fields]) -> None:
        self._read_server = read_server
        self._fields: Fields = {}
        self._read_at = float("-inf")

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        if time.monotonic() >= self._read_at + KEPT_S:
            self._fields = self._read_server()
            self._read_at = time.monotonic()
        return _make_metrics(self._fields)


def _make_metrics(server: Fields) -> Iterator[Metric]:
    facts = {name: str(server[name]) for name in ("service", "name", "version")}
    yield InfoMetricFamily(f"{_PREFIX}_server", "The server.", value=facts)
    for field, (name, text) in _GAUGES.items():
        yield GaugeMetricFamily(f"{_PREFIX}_{name}", text, value=server[field])
    for field, (name, text) in _COUNTERS.items():
        yield CounterMetricFamily(f"{_PREFIX}_{name}", text, value=server[field])
    refused = CounterMetricFamily(f"{_PREFIX}_clients_refused", "Clients that were refused.", labels=["reason"])
    for reason, count in server["refused"].items():
        refused.add_metric([reason], count)
    yield refused
    waiting = GaugeMetricFamily(f"{_PREFIX}_backlog", "Connections that wait for accept().", labels=["address"])
    size = GaugeMetricFamily(f"{_PREFIX}_backlog_limit", "Connections that may wait for accept().", labels=["address"])
    for place in server["listening"]:
        if place["waiting"] is not None:
            address = [f"{place['host']}:{place['port']}"]
            waiting.add_metric(address, place["waiting"])
            size.add_metric(address, place["max_waiting"])
    yield waiting
    yield size
    lag = "Seconds that the slowest event thread took to answer."
    yield GaugeMetricFamily(f"{_PREFIX}_event_loop_lag_seconds", lag, value=server["lag_ms"] / 1000)
    for name, count in server["counts"].items():
        yield GaugeMetricFamily(f"{_PREFIX}_{name}", "A count of the service's own.", value=count)


def _cut(request: socket.socket) -> None:
    """End a connection that another thread reads."""
    with contextlib.suppress(OSError):  # it has ended
        request.shutdown(socket.SHUT_RDWR)


def _refuse(start_response: Any, status: str, text: str) -> list[bytes]:
    body = f"{text}\n".encode()
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
