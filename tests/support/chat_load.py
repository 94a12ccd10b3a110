"""A chat under load: many members, members that read all the time, and one that reads nothing."""

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from sockctl.net.input_budget import InputRates
from sockctl.net.limits import Limits
from sockctl.net.message_peer import MessagePeer
from sockctl.services.chat.clients import RemoteClient
from sockctl.services.chat.member import NOTHING
from sockctl.services.chat.room import Room
from sockctl.services.chat.service import Chat
from sockctl.services.chat.settings import ChatLimits, ChatRules
from sockctl.services.login import LoginConversation
from tests.support.chat_client import ChatClient, chat_of
from tests.support.chat_room import Played
from tests.support.frames import Fields, framed
from tests.support.running import TIMEOUT_S, Running, running, wait_until

FREE = ChatRules(flood=None)
DEFAULT = ChatLimits()
CROWD_S = 60.0
"""How long a crowd may take, on a slow network and a busy machine."""
MANY = Limits(max_clients=5_000, max_clients_per_address=5_000)
# A machine that traces each line takes ten times as long to decode: that must not count as input that is dear.
TRACED = replace(
    MANY, stranger_input=InputRates(rate=1.0, burst_s=60.0, address_rate=1.0, address_burst_s=60.0, flooding_s=60.0)
)


@contextlib.contextmanager
def served(
    data_dir: Path,
    rules: ChatRules = FREE,
    limits: Limits = MANY,
    *,
    chat_limits: ChatLimits = DEFAULT,
    login: LoginConversation | None = None,
    threads: int = 1,
    **options: Any,
) -> Iterator[Running]:
    """Serve, and see at the end that nothing has failed."""
    with running(
        Chat(data_dir, rules, login=login, limits=chat_limits), replace(limits, event_threads=threads), **options
    ) as run:
        yield run
        assert not run.sink.named("service_failed")
        for room in chat_of(run).rooms.list_all():
            see_that_it_goes_on(room)


def see_that_it_goes_on(room: Room) -> None:
    """See that no thread has left a room's events unprocessed."""
    probe = Played("probe")
    room.join(probe, new=False, after=NOTHING)
    room.process_pending()
    wait_until(lambda: bool(probe.data))
    room.leave(probe, reason=None)
    room.process_pending()


def remotes(run: Running, name: str) -> list[RemoteClient]:
    member = chat_of(run).members.find(name)
    return [] if member is None else [client for client in member.clients if isinstance(client, RemoteClient)]


def outbox_of(remote: RemoteClient) -> int:
    assert isinstance(remote.peer, MessagePeer)
    return remote.peer.queued_bytes


def reading(sock: socket.socket, take: Callable[[bytes], None]) -> threading.Thread:
    """Read in a thread of its own until the end."""

    def read() -> None:
        with contextlib.suppress(OSError):
            while data := sock.recv(1 << 18):
                take(data)

    thread = threading.Thread(target=read)
    thread.start()
    return thread


class Heard:
    """A member that is read from all the time."""

    def __init__(self, sock: socket.socket, *, in_frames: bool) -> None:
        self.sock = sock
        self.in_frames = in_frames
        self.data = bytearray()
        self.thread = reading(sock, self.data.extend)

    @property
    def messages(self) -> list[Fields]:
        data = bytes(self.data)
        position, found = data.find(b"\0"), []
        while position + 4 <= len(data):
            end = position + 4 + int.from_bytes(data[position : position + 4], "big")
            if end > len(data):
                break
            found.append(json.loads(data[position + 4 : end]))
            position = end
        return found

    def say(self, text: str) -> None:
        self.sock.sendall(framed(kind="line", text=text) if self.in_frames else f"{text}\n".encode())

    def count(self, mark: bytes) -> int:
        return self.data.count(mark)

    def wait_for(self, mark: bytes, count: int) -> None:
        wait_until(lambda: self.count(mark) == count, timeout_s=CROWD_S)

    def wait_for_bytes(self, count: int) -> None:
        wait_until(lambda: len(self.data) >= count, timeout_s=CROWD_S)

    def end(self) -> None:
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.thread.join(TIMEOUT_S)


@contextlib.contextmanager
def crowd(run: Running, count: int, *, lines_every: int = 2) -> Iterator[list[Heard]]:
    """Let members come, some in lines."""
    with contextlib.ExitStack() as stack:
        heard = []
        for number in range(count):
            sock = stack.enter_context(run.client())
            in_frames = number % lines_every != 0
            if in_frames:
                sock.sendall(framed(kind="hello") + framed(kind="answer", field="name", text=f"m{number}"))
            else:
                sock.sendall(f"m{number}\n".encode())
            heard.append(Heard(sock, in_frames=in_frames))
            stack.callback(heard[-1].end)
        wait_until(lambda: all(one.count(b"In #lobby") for one in heard), timeout_s=CROWD_S)
        yield heard


def side_by_side(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(CROWD_S)


def say_much(one: ChatClient, count: int, text: str = "x" * 4_000) -> None:
    """Say it so often, and hear it: some at a time, since who only sends is not read from in the end."""
    for _ in range(0, count, 10):
        one.sock.sendall(framed(kind="line", text=text) * 10)
        for _ in range(10):
            one.until("say")


def stalled(run: Running, name: str = "stalled", *, ahead: bytes = b"") -> socket.socket:
    """Return a member that has come, has sent `ahead` behind its name, and reads nothing any more."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(TIMEOUT_S)
    sock.connect((run.host, run.port))
    sock.sendall(framed(kind="hello") + framed(kind="answer", field="name", text=name) + ahead)
    wait_until(lambda: bool(remotes(run, name)) and remotes(run, name)[0].room != "")
    return sock
