"""The chat wakes for each client that takes something at last, on a network whose windows are small.

Without data events the server has no sums to tell. So nothing wakes it up but what the test is about.
"""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from sockctl.events.base import Level
from sockctl.services.chat.service import Chat
from sockctl.services.chat.settings import ChatRules
from tests.support.chat_client import ChatClient, client
from tests.support.frames import framed
from tests.support.running import TIMEOUT_S, Running, running, wait_until

pytestmark = pytest.mark.usefixtures("near")

HISTORY, TEXT = 20, "x" * 4_000
READ_BYTES = 1 << 16


@contextlib.contextmanager
def served_with_history(data_dir: Path) -> Iterator[tuple[Running, ChatClient]]:
    """Serve a chat in which one member, who stays and is silent, has said something."""
    with running(Chat(data_dir, ChatRules(flood=None)), level=Level.WARNING) as run, client(run) as ann:
        ann.enter("ann").ready()
        for _ in range(HISTORY):
            ann.line(TEXT)
            ann.until("say")
        yield run, ann


def stands_still(sock: socket.socket) -> None:
    """Wait until nothing more arrives: the client's kernel is full."""
    seen = [0]

    def no_more() -> bool:
        seen.append(len(sock.recv(READ_BYTES, socket.MSG_PEEK)))
        return seen[-1] == seen[-2]

    wait_until(no_more)


@pytest.mark.parametrize("hello", [framed(kind="hello") + framed(kind="answer", field="name", text="late"), b"late\n"])
def test_a_history_goes_on_when_a_newcomer_begins_to_read(tmp_path: Path, hello: bytes) -> None:
    with served_with_history(tmp_path) as (run, ann), socket.socket() as late:
        late.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        late.settimeout(TIMEOUT_S)
        late.connect((run.host, run.port))
        late.sendall(hello)
        ann.until("joined", name="late")
        stands_still(late)
        missing = HISTORY * len(TEXT)
        while missing > 0:
            part = late.recv(READ_BYTES)
            assert part
            missing -= part.count(b"x")
