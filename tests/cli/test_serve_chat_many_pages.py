"""`serve chat --web` with thousands of web members: what each takes while it is idle, and that all of them hear."""

import contextlib
import json
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from sockctl.protocol.web_frames import TEXT
from tests.support.running import process, read_memory_kb
from tests.support.web import UPGRADE, WebClient, encode_client_frame, make_request, receive_answer

WARMING = 200
MOST_KB = 8.0
AT_ONE_ADDRESS = 50
UNLIMITED = ["--max-clients", "20000", "--max-clients-per-address", "20000", "--max-pending", "20000"]


def join(port: int, numbers: range) -> list[WebClient]:
    """Let members join at once: each asks for a WebSocket, and gives its name ahead of the question."""
    socks = [
        socket.create_connection(("127.0.0.1", port), 60, (f"127.0.{1 + number // AT_ONE_ADDRESS}.1", 0))
        for number in numbers
    ]
    for number, sock in zip(numbers, socks, strict=True):
        told = [{"kind": "hello"}, {"kind": "answer", "field": "name", "text": f"n{number}"}]
        frames = b"".join(encode_client_frame(json.dumps(one).encode()) for one in told)
        sock.sendall(make_request("/", *UPGRADE) + frames)
    for sock in socks:
        assert receive_answer(sock, has_body=False).status == 101
    clients = [WebClient(sock) for sock in socks]
    for client in clients:
        hear(client, "members")
    return clients


def hear(client: WebClient, kind: str) -> Any:
    """Receive messages up to one of a kind; pass over Ping frames."""
    while True:
        opcode, data = client.receive()
        one = json.loads(data) if opcode == TEXT else {}
        if one.get("kind") == kind:
            return one


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has 127.0.N.1, and tells the memory so")
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("count", [1_000, pytest.param(5_000, marks=pytest.mark.torture)])
def test_many_idle_members(count: int, tmp_path: Path) -> None:
    command = ["serve", "chat", "--port", "0", "--web", "0", "--no-input", "-q", *UNLIMITED, "--log-format", "json"]
    with process(*command, "--data-dir", str(tmp_path)) as run, contextlib.ExitStack() as stack:
        port = int(run.event("page_served")["url"].rstrip("/").rpartition(":")[2])
        members: list[WebClient] = []
        before = 0
        for first in range(0, count, WARMING):
            some = join(port, range(first, first + WARMING))
            members += some
            for each in some:
                stack.callback(each.sock.close)
            before = before or read_memory_kb(run.process.pid)
        assert (read_memory_kb(run.process.pid) - before) / (count - WARMING) <= MOST_KB
        members[0].say("line", "hello to all")
        assert all(hear(each, "say")["text"] == "hello to all" for each in members)
