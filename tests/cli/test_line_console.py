"""The operator's lines where there is no line editor: on a plain terminal and in pipes."""

import socket
import subprocess
from pathlib import Path
from typing import Any

from tests.support.chat_client import client_at
from tests.support.operators import enter
from tests.support.running import connect, receive_all, receive_exactly, server_process
from tests.support.terminal import ended


def test_lines_without_an_editor(terminal: Any, tmp_path: Path) -> None:
    child = terminal("serve", "chat", "--port", "0", "--quiet", "--data-dir", str(tmp_path), TERM="dumb")
    child.expect(r"Listening on 127\.0\.0\.1:(\d+) and ")
    port = int(child.match[1])
    child.expect("chat along as server")
    with client_at(port) as ann:
        enter(ann, "ann")
        child.expect("ann joined #lobby")
        child.sendline("hello ann")
        ann.until("say", sender="server", text="hello ann")
        ann.send(kind="block", text="a", lines=["one of two", "/quit"])
        child.expect("<ann> one of two\r\n<ann> /quit\r\n")
        child.sendline("/msg ann psst")
        child.expect_exact("to ann: (private) <server> psst")
    child.sendintr()
    assert ended(child) == 0


def test_an_operator_in_a_pipe() -> None:
    """Without a terminal the operator's lines may come from anywhere, and what is said goes to standard output."""
    with (
        server_process("talk", stdin=subprocess.PIPE, bufsize=0) as (run, port),
        connect(port) as sock,
    ):
        receive_exactly(sock, len(b"sockctl/1 talk\r\n"))
        assert run.process.stdin is not None
        assert run.process.stdout is not None
        sock.sendall("\x1b[31mhi\u202e [/x]\r\n".encode())
        said = [run.process.stdout.readline() for _ in range(2)]
        assert said[0].startswith(b"* client 1 joined from 127.0.0.1:")
        assert said[1] == b"<1> [31mhi [/x]\n"
        run.process.stdin.write(b"answer\n")
        while not (line := receive_line(sock)).startswith(b"<operator>"):
            assert line.startswith(b"You are client 1")
        assert line == b"<operator> answer\r\n"
        run.process.stdin.close()
        run.wait_for("The operator's input has ended")
        sock.shutdown(socket.SHUT_WR)
        assert receive_all(sock) == b""
        assert run.end() == 0


def receive_line(sock: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        line += receive_exactly(sock, 1)
    return line
