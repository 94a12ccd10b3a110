"""The tools that people know, against our echo; and our client against theirs."""

import random
import subprocess
from collections.abc import Iterator

import pytest

from tests.support.running import SOCKCTL, TIMEOUT_S, echo_process, free_port
from tests.support.tools import tool

PACKAGES = {"nc": "netcat-openbsd", "ncat": "ncat", "socat": "socat"}
CLIENTS = {
    "nc": ["-N", "127.0.0.1", "PORT"],
    "ncat": ["127.0.0.1", "PORT"],
    "socat": ["-t", "10", "-", "TCP:127.0.0.1:PORT"],
}
SERVERS = {
    "ncat": ["-l", "127.0.0.1", "PORT", "-k", "-e", "/bin/cat"],
    "socat": ["TCP-LISTEN:PORT,bind=127.0.0.1,fork,reuseaddr", "PIPE"],
}
DATA = random.Random(8).randbytes(500_000)
LITTLE = DATA[:50_000]


@pytest.fixture(scope="module")
def echo() -> Iterator[str]:
    with echo_process() as (_, port):
        yield str(port)


@pytest.mark.parametrize("name", CLIENTS)
def test_their_client(name: str, echo: str) -> None:
    command = [tool(name, PACKAGES[name]), *[word.replace("PORT", echo) for word in CLIENTS[name]]]
    done = subprocess.run(command, input=DATA, capture_output=True, timeout=60, check=False)
    assert done.stdout == DATA


@pytest.mark.parametrize("name", SERVERS)
def test_their_server(name: str) -> None:
    port = str(free_port())
    command = [tool(name, PACKAGES[name]), *[word.replace("PORT", port) for word in SERVERS[name]]]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as server:
        try:
            assert through_connect(port) == LITTLE
        finally:
            server.terminate()


def through_connect(port: str) -> bytes:
    """Send LITTLE with our client and return as much of the answer.

    A pipe holds LITTLE, and the input stays open until the answer is there: `ncat -e` stops for ever when it has to
    wait for both directions, and drops what is on its way when the input ends.
    """
    command = [*SOCKCTL, "connect", "127.0.0.1", port, "--retry", "5"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        try:
            client.stdin.write(LITTLE)
            client.stdin.flush()
            answer = client.stdout.read(len(LITTLE))
            client.stdin.close()
            assert client.wait(TIMEOUT_S) == 0
        finally:
            client.kill()
    return answer
