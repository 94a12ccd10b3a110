"""The operator of a chat at a terminal, and the members who talk with the operator."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.frames import FrameClient
from tests.support.terminal import ended

PROMPT = r"\[#lobby\]\S* server>"


def enter(client: FrameClient, name: str) -> None:
    client.expect("ask", field="name")
    client.line(name)
    client.expect("token")
    client.expect("welcome", name=name)
    until(client, "members")


def until(client: FrameClient, kind: str, **fields: Any) -> dict[str, Any]:
    """Return the next message of that kind with those fields; drop the messages before it."""
    while (one := client.receive()) is not None:
        if one["kind"] == kind and all(one.get(name) == value for name, value in fields.items()):
            return one
    raise AssertionError(f"{kind} {fields} did not come")


@contextmanager
def operator(terminal: Any, data: Path, *options: str, **environment: Any) -> Iterator[tuple[Any, int]]:
    """Start a chat on a terminal; when the prompt is there, yield it with the port."""
    options = options or ("--quiet",)
    child = terminal("serve", "chat", "--port", "0", "--data-dir", str(data), *options, **environment)
    child.expect(r"Listening on 127\.0\.0\.1:(\d+)")
    port = int(child.match[1])
    child.expect(PROMPT)
    yield child, port
    child.sendintr()
    assert ended(child) == 0
