"""The sums of a server in Prometheus' text form, over HTTP."""

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from sockctl.net.limits import Limits
from sockctl.net.listener import open_listeners
from sockctl.net.metrics import MetricsServer
from sockctl.net.status import Status
from sockctl.services.echo import Echo
from tests.support.running import TIMEOUT_S, Running, receive_all, receive_exactly, running, wait_until


@contextlib.contextmanager
def metrics_of(run: Running, *, request_s: float = TIMEOUT_S) -> Iterator[int]:
    """Serve metrics; yield the port."""
    listeners = open_listeners("127.0.0.1", 0)
    status = Status(run.server, run.service, run.journal, {"name": "echo-1", "version": "0.1.0"})
    server = MetricsServer(listeners, status, request_s=request_s)
    server.start()
    try:
        yield listeners.port
    finally:
        server.stop()


def fetch(port: int, path: str = "/metrics", *, method: str = "GET", host: str = "127.0.0.1") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    with contextlib.closing(connection):
        connection.request(method, path, headers={"Host": f"{host}:{port}"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def samples_of(port: int) -> dict[str, float]:
    status, text = fetch(port)
    assert status == 200
    return {  # the labels come in the order of their names
        sample.name + "".join(f" {value}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_sums_of_a_server() -> None:
    with running(Echo(), Limits(max_clients=1), host="127.0.0.1") as run, run.client() as sock:
        sock.sendall(b"hello")
        receive_exactly(sock, 5)
        with run.client() as second:
            assert receive_all(second) == b""
        run.sink.wait_for("data_sent")
        with metrics_of(run) as port:
            samples = samples_of(port)
            assert samples["sockctl_server_info echo-1 echo 0.1.0"] == 1
            assert samples["sockctl_clients"] == samples["sockctl_clients_limit"] == 1
            assert samples["sockctl_clients_accepted_total"] == 1
            assert samples["sockctl_clients_refused_total too_many_clients"] == 1
            assert samples["sockctl_received_bytes_total"] == samples["sockctl_sent_bytes_total"] == 5
            assert samples["sockctl_events_lost_total"] == samples["sockctl_pending_clients"] == 0
            assert 0 <= samples["sockctl_event_loop_lag_seconds"] < TIMEOUT_S
            sock.close()
            wait_until(lambda: samples_of(port)["sockctl_clients"] == 0, what="a new look after a second")


@pytest.mark.parametrize(
    ("path", "method", "host", "status"),
    [
        ("/", "GET", "127.0.0.1", 404),
        ("/metrics", "POST", "127.0.0.1", 405),
        ("/metrics", "GET", "evil.example", 421),
        ("/metrics", "GET", "localhost", 200),
    ],
)
def test_what_is_answered(path: str, method: str, host: str, status: int) -> None:
    with running(Echo()) as run, metrics_of(run) as port:
        assert fetch(port, path, method=method, host=host)[0] == status


def test_both_loopback_addresses() -> None:
    with running(Echo()) as run, metrics_of(run) as port, socket.create_connection(("::1", port), TIMEOUT_S) as sock:
        sock.sendall(b"GET /metrics HTTP/1.0\r\nHost: [::1]\r\n\r\n")
        assert receive_all(sock).startswith(b"HTTP/1.0 200 OK\r\n")


@pytest.mark.parametrize("rubbish", [b"", b"\x16\x03\x01\r\n\r\n", b"GET /metrics HTTP/9\r\n\r\n", b"x" * 70_000])
def test_rubbish_and_silence_keep_others_waiting_for_a_moment(
    rubbish: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    with (
        running(Echo()) as run,
        metrics_of(run, request_s=3.0) as port,
        socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as sock,
    ):
        with contextlib.suppress(OSError):
            sock.sendall(rubbish)
        began = time.monotonic()
        assert fetch(port)[0] == 200
        assert time.monotonic() - began < TIMEOUT_S
    assert capfd.readouterr() == ("", ""), "no trace"


def test_one_that_asks_byte_by_byte_keeps_no_server_from_its_stop() -> None:
    with running(Echo()) as run, contextlib.ExitStack() as undo:
        port = undo.enter_context(metrics_of(run, request_s=3.0))
        dripping = undo.enter_context(socket.create_connection(("127.0.0.1", port), TIMEOUT_S))
        dripping.sendall(b"GET /metrics")
        ended = threading.Event()

        def drip() -> None:
            with contextlib.suppress(OSError):
                while not ended.wait(0.1):
                    dripping.sendall(b"x")

        thread = threading.Thread(target=drip)
        thread.start()
        undo.callback(thread.join)
        undo.callback(ended.set)
        assert fetch(port)[0] == 200, "its time is up"
