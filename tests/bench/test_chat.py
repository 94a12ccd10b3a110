"""Members of a chat: ours, and chats that lose, double, reorder, change or refuse, on one server or several."""

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sockctl.bench.chat import encode_line
from sockctl.bench.plan import Kind
from sockctl.bench.said import encode_said
from sockctl.events.base import Level
from sockctl.net.limits import Limits
from sockctl.protocol.client_wire import ClientWire
from sockctl.protocol.messages import make_message
from sockctl.services.chat.service import Chat
from sockctl.services.chat.settings import ChatRules
from tests.support.bench import RUN, measured, where
from tests.support.frames import HEADER_BYTES, FrameClient, framed
from tests.support.running import TIMEOUT_S, receive_exactly, running
from tests.support.wrong_servers import serving


@contextmanager
def chat(folder: Path, *, flood: tuple[float, float] | None = None) -> Iterator[int]:
    rules = ChatRules(flood=flood)
    with running(Chat(folder, rules), Limits(max_clients_per_address=200), level=Level.WARNING) as run:
        yield run.port


@pytest.mark.parametrize(
    "values",
    [
        {"count": 100, "depth": 10, "clients": 70},
        {"senders": 3},
        {"senders": 2, "rate": 300.0, "size_bytes": 2_000},
        {"warm_up_s": 0.1, "progress": True, "clients": 1},
    ],
)
def test_everybody_hears_everything_in_ours(tmp_path: Path, values: dict[str, Any]) -> None:
    end: dict[str, Any] = {"duration_s": None} if "count" in values else {}
    with chat(tmp_path) as port:
        stats = measured(port, Kind.CHAT, **end, **values)
    assert not stats.errors
    clients = values.get("clients", 4)
    assert stats.clients == clients
    assert stats.answered == stats.expected == stats.sent * clients > 0
    assert "count" not in values or stats.sent == 100
    assert stats.bytes >= stats.answered * values.get("size_bytes", 64)


def test_a_flood_limit_is_told(tmp_path: Path) -> None:
    with chat(tmp_path, flood=(5, 100)) as port:
        stats = measured(port, Kind.CHAT, count=20, depth=20, duration_s=None)
    assert not stats.errors
    assert stats.held_back > 0
    assert stats.lost == 0


def test_a_line_is_encoded_as_any_message() -> None:
    text = encode_said(RUN, 3, 17, 12.5, 300)
    assert encode_line(text) == ClientWire.encode(make_message("line", text))


def scripted(behave: Callable[["ScriptedChat", str], None]) -> Callable[[socket.socket], None]:
    """Return a chat whose only member is each client, and that does something with what it says."""

    def handle(sock: socket.socket) -> None:
        ScriptedChat(sock).run(behave)

    return handle


class ScriptedChat:
    """A server in frames."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.name = ""
        self.said = 0

    def send(self, kind: str, text: str = "", **fields: Any) -> None:
        self.sock.sendall(framed(kind=kind, text=text, **fields))

    def say(self, text: str) -> None:
        self.send("say", text, sender=self.name, room="#lobby", id=1)

    def run(self, behave: Callable[["ScriptedChat", str], None]) -> None:
        self.sock.sendall(b"sockctl/1 chat\r\nWhat is your name?\r\n")
        client = FrameClient(self.sock, hello=False, greeted=False)
        client.expect("hello", session=False)
        self.send("ask", field="name")
        self.name = client.expect("answer", field="name")["text"]
        self.send("welcome")
        self.send("say", "I am somebody else", sender="ann")
        self.send("members", members=[self.name])
        while (one := client.receive()) is not None and one["kind"] in {"line", "pong"}:
            self.said += 1
            behave(self, one["text"] if one["kind"] == "line" else "")


def on_third(do: Callable[[ScriptedChat, str], None]) -> Callable[[ScriptedChat, str], None]:
    def behave(chat: ScriptedChat, text: str) -> None:
        if chat.said == 3:
            do(chat, text)
        else:
            chat.say(text)

    return behave


def twice(chat: ScriptedChat, text: str) -> None:
    chat.say(text)
    chat.say(text)


@pytest.mark.parametrize(
    ("do", "reason"),
    [
        (lambda _chat, _text: None, "missing"),
        (twice, "doubled"),
        (lambda chat, text: chat.say(text.replace("1", "2")), "corrupt"),
        (lambda chat, _: chat.send("error", "Too much.", code="flooding"), "flooding"),
        (lambda chat, _: chat.send("error", "No."), "refused"),
        (lambda chat, _: chat.send("bye", "Goodbye!"), "closed"),
        (lambda chat, _: chat.sock.shutdown(socket.SHUT_WR), "closed"),
        (lambda chat, _: chat.sock.sendall(b"\0\0\0\2{]"), "bad_message"),
        (lambda chat, _: chat.send("ask", field="name"), "name_refused"),
        (lambda chat, _: chat.send("ask", field="password"), "password_asked"),
    ],
)
def test_what_is_wrong_is_counted_by_reason(do: Callable[[ScriptedChat, str], None], reason: str) -> None:
    with serving(scripted(on_third(do))) as port:
        stats = measured(port, Kind.CHAT, clients=1, depth=2, duration_s=20.0)
    assert stats.errors == {reason: 1}
    assert stats.lost > 0


def test_silence_is_found() -> None:
    def behave(chat: ScriptedChat, text: str) -> None:
        if text and chat.said < 5:
            chat.send("ping")
            chat.say(text)

    with serving(scripted(behave)) as port:
        stats = measured(port, Kind.CHAT, clients=1, timeout_s=0.2, duration_s=20.0)
    assert stats.errors == {"no_answer": 1}


@pytest.mark.parametrize(
    ("greeting", "reason"),
    [(b"SSH-2.0-x\r\n", "not_greeted"), (b"sockctl/1 chat\r\n", "no_answer"), (b"", "no_answer")],
)
def test_what_is_no_chat_is_found_at_once(greeting: bytes, reason: str) -> None:
    def handle(sock: socket.socket) -> None:
        sock.sendall(greeting)
        receive_exactly(sock, 1_000_000)

    with serving(handle) as port:
        stats = measured(port, Kind.CHAT, timeout_s=0.2 if reason == "no_answer" else TIMEOUT_S)
    assert stats.errors == {reason: 4}
    assert stats.answered == 0


def test_a_member_that_reads_slowly_gets_large_messages_whole() -> None:
    """What the system doesn't take at once is sent later."""

    def slowly(chat: ScriptedChat, text: str) -> None:
        chat.say(text)

    with serving(scripted(slowly)) as port:
        stats = measured(port, Kind.CHAT, clients=1, depth=200, count=200, size_bytes=60_000, duration_s=None)
    assert not stats.errors
    assert stats.answered == 200


def test_a_message_that_comes_later_is_reordered() -> None:
    held: list[str] = []

    def behave(chat: ScriptedChat, text: str) -> None:
        if chat.said == 3:
            held.append(text)
        else:
            chat.say(text)
            while held:
                chat.say(held.pop())

    with serving(scripted(behave)) as port:
        stats = measured(port, Kind.CHAT, clients=1, depth=2, duration_s=20.0)
    assert stats.errors == {"reordered": 1}


Alter = Callable[[list[str], str], list[str]]
"""Returns what a server sends to a member for a text, and changes the texts that it holds back for that member."""


class Cluster:
    """Servers that are one chat in frames, one of which does something wrong."""

    def __init__(self, alter: Alter) -> None:
        self._alter = alter
        self._lock = threading.Lock()  # guards the members, and makes one order
        self._members: list[tuple[int, socket.socket, list[str]]] = []

    def serve(self, number: int) -> Callable[[socket.socket], None]:
        """Return the handler of a server; the one with number 1 is wrong."""

        def handle(sock: socket.socket) -> None:
            sock.sendall(b"sockctl/1 chat\r\nWhat is your name?\r\n")
            client = FrameClient(sock, hello=False, greeted=False)
            client.expect("hello", session=False)
            sock.sendall(framed(kind="ask", text="", field="name"))
            name = client.expect("answer", field="name")["text"]
            with self._lock:
                self._members.append((number, sock, []))
            sock.sendall(framed(kind="members", text="", members=[name]))
            while (one := client.receive()) is not None and one["kind"] == "line":
                self._say(name, one["text"])

        return handle

    @property
    def spread(self) -> list[int]:
        """The number of each member's server."""
        with self._lock:
            return [number for number, _, _ in self._members]

    def _say(self, name: str, text: str) -> None:
        message = framed(kind="say", text=text, sender=name, room="#lobby", id=1).decode("latin-1")
        with self._lock:
            for number, sock, held in self._members:
                for each in self._alter(held, message) if number == 1 else [message]:
                    with contextlib.suppress(OSError):  # the member has gone
                        sock.sendall(each.encode("latin-1"))


def repeat_tenth(held: list[str], message: str) -> list[str]:
    held.append(message)
    return [message, message] if len(held) == 10 else [message]


def lose_tenth(held: list[str], message: str) -> list[str]:
    held.append(message)
    return [] if len(held) == 10 else [message]


def swap_tenth(held: list[str], message: str) -> list[str]:
    """Swap the tenth, or the first one after it that another sender's follows: each sender's own order stays."""
    if len(held) == 10:
        sent_before = held.pop()
        if find_sender(sent_before) == find_sender(message):
            held.append(message)
            return [sent_before]
        held += [sent_before, message]
        return [message, sent_before]
    held.append(message)
    return [] if len(held) == 10 else [message]


def find_sender(message: str) -> Any:
    return json.loads(message[HEADER_BYTES:])["sender"]


@pytest.mark.parametrize(
    ("alter", "reason"),
    [(repeat_tenth, "doubled"), (lose_tenth, "missing"), (swap_tenth, "reordered"), (lambda _, one: [one], None)],
)
def test_one_of_several_servers_that_is_wrong_is_found(alter: Alter, reason: str | None) -> None:
    """The wrong server has two of five members; each sender speaks in turn, at another server."""
    cluster = Cluster(alter)
    with serving(cluster.serve(0)) as one, serving(cluster.serve(1)) as other:
        servers = (where(one), where(other))
        stats = measured(one, Kind.CHAT, servers=servers, clients=5, senders=2, rate=300.0, duration_s=0.3)
    assert stats.clients == 5
    if reason is None:
        assert not stats.errors
        assert stats.answered == stats.expected == stats.sent * 5
    else:
        assert stats.errors == {reason: 2}
        assert stats.lost > 0


def test_members_are_spread_over_the_servers() -> None:
    cluster = Cluster(lambda _, one: [one])
    with serving(cluster.serve(0)) as one, serving(cluster.serve(1)) as other, serving(cluster.serve(2)) as last:
        servers = (where(one), where(other), where(last))
        stats = measured(one, Kind.CHAT, servers=servers, clients=8, senders=3, depth=2, count=60, duration_s=None)
    assert sorted(cluster.spread) == [0, 0, 0, 1, 1, 1, 2, 2]
    assert stats.echoes.count == stats.sent > 0


def test_several_places_of_ours_are_one_chat(tmp_path: Path) -> None:
    with chat(tmp_path) as port:
        servers = (where(port), where(port), where(port))
        stats = measured(port, Kind.CHAT, servers=servers, clients=7, senders=3, depth=5)
    assert not stats.errors
    assert stats.answered == stats.expected == stats.sent * 7 > 0
