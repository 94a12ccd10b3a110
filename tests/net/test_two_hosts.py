"""Two hosts, made of network namespaces and a virtual cable: how others reach the server, and how they vanish."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.running import SOCKCTL, Process
from tests.tools import tool, unavailable

SERVER, CLIENT = "10.231.7.1", "10.231.7.2"

SERVE_WITH_SHORT_TIMEOUTS = """
import sys
from sockctl.events.journal import Journal
from sockctl.events.server import Listening
from sockctl.events.sinks import DescriptorSink, as_json
from sockctl.net.listener import SocketOptions, open_listeners
from sockctl.net.server import Limits, Server
from sockctl.services.echo import Echo

journal = Journal(DescriptorSink(2, as_json), service="echo")
listeners = open_listeners("", 9090, options=SocketOptions(keepalive_s=1, vanish_timeout_s=3))
server = Server(Echo(), listeners, journal, Limits())
journal.tell(Listening(host="::", port=listeners.port, backlog=1))
server.start()
sys.stdin.read()
server.stop(1.0)
journal.close()
"""


class TwoHosts:
    """A host for the server and one for the client, joined by a cable."""

    def __init__(self, ip: str) -> None:
        self._ip = ip
        self.server = f"sockctl-server-{os.getpid()}"
        self.client = f"sockctl-client-{os.getpid()}"

    def ip(self, *arguments: str) -> None:
        subprocess.run([self._ip, *arguments], check=True, capture_output=True, text=True, timeout=30)

    def make(self) -> None:
        for host in (self.server, self.client):
            self.ip("netns", "add", host)
            self.ip("-n", host, "link", "set", "lo", "up")
        self.ip("-n", self.server, "link", "add", "cable0", "type", "veth", "peer", "name", "cable1")
        self.ip("-n", self.server, "link", "set", "cable1", "netns", self.client)
        for host, end, address in ((self.server, "cable0", SERVER), (self.client, "cable1", CLIENT)):
            self.ip("-n", host, "addr", "add", f"{address}/24", "dev", end)
            self.ip("-n", host, "link", "set", end, "up")

    def remove(self) -> None:
        for host in (self.server, self.client):
            subprocess.run([self._ip, "netns", "del", host], check=False, capture_output=True, timeout=30)

    def on(self, host: str) -> list[str]:
        """Return what must stand before a command to run it on `host`."""
        return [self._ip, "netns", "exec", host]


@pytest.fixture
def hosts() -> Iterator[TwoHosts]:
    both = TwoHosts(tool("ip", "iproute2"))
    try:
        try:
            both.make()
        except subprocess.CalledProcessError as error:
            unavailable(f"network namespaces can't be made here: {error.stderr.strip()}")
        yield both
    finally:
        both.remove()


class ProcessOn(Process):
    """A server process on one of the hosts."""

    def __init__(self, prefix: list[str], command: list[str], **options: Any) -> None:
        self._prefix = prefix
        self._command = command
        super().__init__(**options)

    def command(self, *_: str) -> list[str]:
        return [*self._prefix, *self._command]


def test_the_command_that_the_server_tells_works_from_the_other_host(hosts: TwoHosts) -> None:
    run = ProcessOn(hosts.on(hosts.server), [*SOCKCTL, "serve", "echo", "--host", "", "--log-format", "json"])
    try:
        run.event("listening")
        reaches = [run.event("reachable") for _ in range(3)]
        network = [event["command"] for event in reaches if event["scope"] == "network" and event["host"] == SERVER]
        assert network == [f"sockctl connect {SERVER} 9090"]
        command = [*SOCKCTL, *shlex.split(network[0])[1:]]
        done = subprocess.run(
            [*hosts.on(hosts.client), *command], input=b"from afar", capture_output=True, timeout=60, check=False
        )
        assert (done.returncode, done.stdout) == (0, b"from afar")
        assert re.match(CLIENT, run.event("client_connected")["peer"])
        assert run.end() == 0
    finally:
        run.close()


def test_a_server_on_loopback_cannot_be_reached_from_the_other_host(hosts: TwoHosts) -> None:
    run = ProcessOn(hosts.on(hosts.server), [*SOCKCTL, "serve", "echo", "--log-format", "json"])
    try:
        run.event("loopback_only")
        done = subprocess.run(
            [*hosts.on(hosts.client), *SOCKCTL, "connect", SERVER, "9090"], capture_output=True, timeout=60, check=False
        )
        assert done.returncode == 3
    finally:
        run.close()


def test_a_client_that_vanishes_without_a_word(hosts: TwoHosts) -> None:
    with subprocess.Popen(["sleep", "60"], stdout=subprocess.PIPE) as open_input:
        run = ProcessOn(
            hosts.on(hosts.server), [sys.executable, "-c", SERVE_WITH_SHORT_TIMEOUTS], stdin=open_input.stdout
        )
        try:
            run.event("listening")
            client = subprocess.Popen(
                [*hosts.on(hosts.client), *SOCKCTL, "connect", SERVER, "9090"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
            )
            with client:
                assert client.stdin is not None
                client.stdin.write(b"hello\n")
                client.stdin.flush()
                run.event("data_sent")
                hosts.ip("-n", hosts.client, "link", "set", "cable1", "down")  # neither FIN nor RST can come any more
                ended = run.event("client_disconnected")
                assert json.loads(run.lines[-1]) == ended
                assert ended["reason"] == "client_vanished"
                assert 2 < ended["seconds"] < 15
                client.kill()
        finally:
            open_input.kill()
            run.close()
