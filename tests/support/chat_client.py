"""A chat that is served, and members that chat with it in frames or lines."""

import contextlib
import socket
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sockctl.services.chat.service import Chat
from sockctl.services.chat.settings import ChatLimits, ChatRules
from tests.support.accounts import PASSWORD
from tests.support.frames import Fields, FrameClient
from tests.support.logins import make_login
from tests.support.running import LATE_CHOICE, Running, connect, receive_all, running

RULES = ChatRules()
DEFAULT = ChatLimits()


@contextlib.contextmanager
def served(
    data_dir: Path, rules: ChatRules = RULES, *, auth: bool = False, limits: ChatLimits = DEFAULT, **options: Any
) -> Iterator[Running]:
    login = make_login(data_dir) if auth else None
    with running(Chat(data_dir, rules, login=login, limits=limits), **{"timeouts": LATE_CHOICE, **options}) as run:
        yield run


def chat_of(run: Running) -> Chat:
    """Return the chat that is served."""
    assert isinstance(run.service, Chat)
    return run.service


class ChatClient(FrameClient):
    """A member in frames."""

    token = ""

    def until(self, kind: str, **fields: Any) -> Fields:
        """Skip messages until one is of that kind and has these fields; return it."""
        skipped: deque[Fields] = deque(maxlen=5)
        while True:
            try:
                one = self.receive()
            except TimeoutError:
                raise AssertionError(f"{kind} {fields} did not come; the last were {list(skipped)}") from None
            assert one is not None, f"the connection ended, and {kind} {fields} did not come; the last: {list(skipped)}"
            if one["kind"] == kind and all(one.get(name) == value for name, value in fields.items()):
                return one
            skipped.append(one)

    def enter(self, name: str) -> "ChatClient":
        self.expect("ask", field="name")
        self.send(kind="answer", field="name", text=name)
        self.token = self.expect("token")["token"]
        self.expect("welcome", name=name)
        return self

    def log_in(self, name: str, *, let_in: bool = True) -> "ChatClient":
        self.expect("ask", field="name")
        self.send(kind="answer", field="name", text=name)
        self.expect("ask", field="password")
        self.send(kind="answer", field="password", text=PASSWORD)
        self.token = self.expect("token")["token"]
        if let_in:
            self.expect("welcome", user=name)
        return self

    def resume(self, token: str, **seen: int) -> None:
        self.send(kind="resume", token=token, seen={f"#{room}": last for room, last in seen.items()})
        self.expect("ask", field="name")

    def ready(self) -> "ChatClient":
        """Wait until everything that was told at joining has come."""
        self.until("members")
        return self

    def list_rooms(self, name: str) -> list[str]:
        """Return the rooms in which a member is, as the chat tells them."""
        self.line(f"/whois {name}")
        rooms: list[str] = self.until("notice", code="whois")["rooms"]
        return rooms

    def leave(self, how: str) -> None:
        """Leave: by the command ``quit``, by a ``bye``, or by the end of what it sends, ``eof``."""
        if how == "quit":
            self.line("/quit")
        elif how == "bye":
            self.send(kind="bye")
        else:
            self.sock.shutdown(socket.SHUT_WR)

    def nothing_but(self, *kinds: str) -> None:
        """See that until an answer of its own nothing else comes than these kinds."""
        self.line("/whois nobody at all")
        while (one := self.receive()) is not None and one.get("code") != "bad_command":
            assert one["kind"] in kinds, one


@contextlib.contextmanager
def client(run: Running, *, source: str = "") -> Iterator[ChatClient]:
    with run.client(source=source) as sock:
        yield ChatClient(sock)


@contextlib.contextmanager
def client_at(port: int, *, hello: bool = True) -> Iterator[ChatClient]:
    """Connect to a chat in another process."""
    with connect(port) as sock:
        yield ChatClient(sock, hello=hello)


@contextlib.contextmanager
def member_at(port: int, name: str) -> Iterator[ChatClient]:
    """Let a member come to a chat in another process."""
    with client_at(port) as one:
        yield one.enter(name)


@contextlib.contextmanager
def members(run: Running, *names: str) -> Iterator[list[ChatClient]]:
    """Let members come, one after the other, each after the one before is there."""
    with contextlib.ExitStack() as stack:
        here = []
        for name in names:
            here.append(stack.enter_context(client(run)).enter(name).ready())
            for other in here[:-1]:
                other.until("joined", name=name)
        yield here


def lines_of(run: Running, *typed: str) -> list[str]:
    """Type lines over a plain connection, half-close, and return what was heard."""
    with run.client() as sock:
        sock.sendall("".join(f"{line}\n" for line in typed).encode())
        sock.shutdown(1)
        return receive_all(sock).decode().split("\r\n")
