"""A chat for one member, written anew from the description of the wire; the test is everybody else."""

import contextlib
import itertools
import json
import secrets
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.frames import Fields, framed
from tests.support.running import TIMEOUT_S, free_port, receive_exactly, wait_until

AT = "2026-01-31T12:00:00Z"


class ChatServer:
    """Lets in by name or token, and keeps the member in its rooms while the connection is gone.

    Attributes:
        host, port: Where it is; the same after `stop` and `start`.
        rooms: What was said in each room the member is put into, as `history` messages.
        heard: What each connection has said.
        tokens: Those that are valid, and whose they are.
        refuse: So many connections are closed before the greeting.
        receptions: How many were let in, and told all that is told to whoever comes in.
        decide: When set, tokens are looked at.
        can: What it can beside the usual, as its welcomes say.
        muted: Whether it refuses all that is said.
        files: Certificate and key, where it speaks TLS.
    """

    def __init__(self, files: tuple[Path, Path] | None = None) -> None:
        self.files = files
        self.host, self.port = "127.0.0.1", free_port()  # while the server is stopped, the system gives it to nobody
        self.rooms: dict[str, list[Fields]] = {"lobby": []}
        self.members = ["ann", "bob", "carol"]
        self.heard: list[list[Fields]] = []
        self.tokens: dict[str, str] = {}
        self.refuse = 0
        self.receptions = 0
        self.can: list[str] = []
        self.muted = False
        self.decide = threading.Event()
        self.decide.set()
        self._ids = itertools.count(1)
        self._lock = threading.RLock()  # guards the current connection, what was said, and what is sent
        self._current: socket.socket | None = None
        self._is_in = False  # whether the member there has been told all that was said before
        self._threads: list[threading.Thread] = []
        self._listener: socket.socket | None = None
        self.start()

    @property
    def target(self) -> str:
        return f"{self.host}:{self.port}"

    def start(self) -> None:
        self._listener = socket.create_server((self.host, self.port))
        self.port = self._listener.getsockname()[1]
        self._threads.append(threading.Thread(target=self._accept, args=(self._listener,)))
        self._threads[-1].start()

    def stop(self) -> None:
        assert self._listener is not None
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.decide.set()
        self.close()
        for thread in self._threads:
            thread.join(TIMEOUT_S)
        self._threads.clear()

    def send(self, kind: str, text: str = "", **fields: Any) -> None:
        """Send a message to the member, if it is there."""
        with self._lock:
            if self._current is not None:
                self._current.sendall(framed(kind=kind, text=text, **fields))

    def send_bytes(self, data: bytes) -> None:
        with self._lock:
            assert self._current is not None
            self._current.sendall(data)

    def say(self, sender: str, text: str, room: str = "lobby", **fields: Any) -> None:
        """Say something in a room; the member gets it now, or when it comes back."""
        with self._lock:
            one = {"room": room, "sender": sender, "id": next(self._ids), "at": AT, **fields}
            self.rooms[room].append({"text": text, **one})
            if self._is_in:
                self.send("say", text, **one)

    def close(self) -> None:
        """End the connection without a goodbye."""
        self._drop(socket.SHUT_RDWR)

    def reset(self) -> None:
        with self._lock:
            assert self._current is not None
            self._current.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._drop(socket.SHUT_RD)  # sends nothing, and wakes the reader, which closes the socket: a reset

    def said(self, connection: int = -1) -> list[str]:
        return [one["text"] for one in self.heard[connection] if one["kind"] == "line"]

    def resumed(self, connection: int = -1) -> list[Fields]:
        return [one for one in self.heard[connection] if one["kind"] == "resume"]

    def wait_for(self, connections: int) -> None:
        wait_until(lambda: len(self.heard) >= connections)

    def _drop(self, how: int) -> None:
        with self._lock:
            sock, self._current, self._is_in = self._current, None, False
            if sock is not None:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(sock, how)  # TLS's own may not be called while it reads

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            if self.refuse:
                self.refuse -= 1
                sock.close()
                continue
            thread = threading.Thread(target=self._serve, args=(sock,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        sock.settimeout(TIMEOUT_S)
        with contextlib.suppress(OSError, EOFError, AssertionError), contextlib.ExitStack() as stack:
            stack.enter_context(sock)
            if self.files is not None:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(*self.files)
                sock = stack.enter_context(context.wrap_socket(sock, server_side=True))
            self._hold(sock)

    def _hold(self, sock: socket.socket) -> None:
        heard: list[Fields] = []

        def read() -> Fields:
            one: Fields = json.loads(receive_exactly(sock, int.from_bytes(receive_exactly(sock, 4))))
            heard.append(one)
            return one

        sock.sendall(b"sockctl/1 chat\r\n")
        hello = read()
        self.heard.append(heard)
        with self._lock:
            self._current, self._is_in = sock, False
        name, seen = self._log_in(read)
        if hello.get("session", True):
            token = secrets.token_urlsafe()
            self.tokens[token] = name
            self.send("token", token=token, expires="2099-01-31T12:00:00Z")
        with self._lock:
            self._let_in(name, seen)
        while (one := read())["kind"] != "bye":
            if one["kind"] in {"line", "block", "answer"}:
                self._answer(name, one)
        self._drop(socket.SHUT_WR)
        while sock.recv(65_536):
            pass

    def _let_in(self, name: str, seen: Fields) -> None:
        """Tell the member all that is told to whoever comes in."""
        self.send("welcome", f"Welcome, {name}!", name=name, room=list(self.rooms)[-1], can=self.can)
        for room, said in self.rooms.items():
            self.send("joined", f"You are in #{room}.", room=room, name=name)
            self.send("members", f"In #{room}: {', '.join(self.members)}", room=room, members=self.members)
            for one in said:
                if one["id"] >= seen.get(room, 0):  # the last one twice
                    self.send("history", **one)
        self._is_in = self._current is not None
        self.receptions += 1

    def _log_in(self, read: Any) -> tuple[str, Fields]:
        while True:
            self.send("ask", "Your name?", field="name")
            one = read()
            if one["kind"] == "resume":
                assert self.decide.wait(TIMEOUT_S)
                if name := self.tokens.pop(one["token"], None):
                    return name, one.get("seen", {})
                self.send("error", "Please log in again.", code="bad_token")
                continue
            if one["kind"] == "bye":
                raise EOFError
            if one["text"].isalpha():
                return one["text"], {}
            self.send("error", "That is no name.", code="bad_name")

    def _answer(self, name: str, one: Fields) -> None:
        line = one["text"]
        if self.muted:
            self.send("error", "You are muted.", code="muted", n=one.get("n"))
        elif one["kind"] == "block":
            self.say(name, " ".join(one["lines"]), lines=one["lines"])
        elif line == "/history":
            for past in self.rooms["lobby"]:
                self.send("history", **past, again=True)
        elif (room := line.removeprefix("/join #")) in self.rooms:
            self.send("notice", f"You speak in #{room} now.", code="room", room=room)
        elif line.startswith("/me "):
            self.say(name, line.removeprefix("/me "), action=True)
        elif not line.startswith("/"):
            self.say(name, line)


@contextlib.contextmanager
def chat_server(files: tuple[Path, Path] | None = None) -> Iterator[ChatServer]:
    server = ChatServer(files)
    try:
        yield server
    finally:
        server.stop()
