"""The operator of a chat at a terminal, and the members who talk with the operator."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.chat_client import ChatClient
from tests.support.terminal import ended

PROMPT = r"\[#lobby\]\S* server>"


def enter(client: ChatClient, name: str) -> None:
    client.expect("ask", field="name")
    client.line(name)
    client.expect("token")
    client.expect("welcome", name=name)
    client.ready()


def start_chat(terminal: Any, data: Path, *options: str, **environment: Any) -> tuple[Any, int]:
    """Start a chat on a terminal; when the prompt is there, return it with the port."""
    child = terminal("serve", "chat", "--port", "0", "--data-dir", str(data), *options, **environment)
    child.expect(r"Listening on 127\.0\.0\.1:(\d+)\D")
    port = int(child.match[1])
    child.expect(PROMPT)
    return child, port


@contextmanager
def operator(terminal: Any, data: Path, *options: str, **environment: Any) -> Iterator[tuple[Any, int]]:
    """Start a chat on a terminal, as `start_chat` does, and stop it in the end."""
    child, port = start_chat(terminal, data, *(options or ("--quiet",)), **environment)
    yield child, port
    child.sendintr()
    assert ended(child) == 0
