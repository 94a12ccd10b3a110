"""A server that lets in by password or token, written anew from the description of the wire."""

import contextlib
import json
import secrets
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sockctl.net.address import Endpoint
from tests.support.frames import Fields, framed
from tests.support.running import TIMEOUT_S

LATER = "2099-01-31T12:00:00Z"
PASSWORD = "swordfish"


class TokenServer:
    """Asks for a name and a password, gives tokens, repeats each line, and lets the client log out.

    Attributes:
        target: Its HOST:PORT.
        tokens: Those that are valid, and whose they are.
        given: All that were ever given.
        heard: What each connection has said.
        decide: When set, tokens are looked at.
        deaf: Tokens are ignored.
        problem: The code of the error with which a token is answered, in place of `bad_token`.
        leaves: Ends the connection where a token comes.
        mute: Neither asks nor welcomes.
        bye: With which reason a logout is answered; None for not at all.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        files: tuple[Path, Path] | None = None,
        client_ca: Path | None = None,
        service: str = "auth",
    ) -> None:
        self._context: ssl.SSLContext | None = None
        if files is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(*files)
            if client_ca is not None:
                self._context.load_verify_locations(client_ca)
                self._context.verify_mode = ssl.CERT_REQUIRED
        self._service = service
        self._connections: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._failures: list[BaseException] = []
        self._listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.host, self.port = host, int(self._listener.getsockname()[1])
        self.target = str(Endpoint(host, self.port))
        self.tokens: dict[str, str] = {}
        self.given: list[str] = []
        self.heard: list[list[Fields]] = []
        self.expires = LATER
        self.decide = threading.Event()
        self.decide.set()
        self.deaf = self.leaves = self.mute = False
        self.problem = "bad_token"
        self.bye: str | None = "logged_out"

    def said(self, connection: int = -1) -> list[tuple[str, str]]:
        """Return kind and text of the messages of a connection, without its hello."""
        return [(one["kind"], one.get("text", "")) for one in self.heard[connection][1:]]

    def hello(self, connection: int = -1) -> Fields:
        return self.heard[connection][0]

    def resumed(self, connection: int = -1) -> list[str]:
        return [one["token"] for one in self.heard[connection] if one["kind"] == "resume"]

    def drop(self) -> None:
        """End all connections without a goodbye."""
        for sock in self._connections:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)  # TLS's own may not be called while it reads

    def close(self) -> None:
        """Accept no more connections."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def start(self) -> None:
        self._threads.append(threading.Thread(target=self._accept))
        self._threads[0].start()

    def stop(self) -> None:
        self.close()
        self.decide.set()
        for thread in list(self._threads):
            thread.join(TIMEOUT_S)
        assert not self._failures

    def _accept(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(plain)
            thread = threading.Thread(target=self._serve, args=(plain,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, plain: socket.socket) -> None:
        plain.settimeout(TIMEOUT_S)
        with plain, contextlib.suppress(OSError, EOFError):
            try:
                sock = plain if self._context is None else self._context.wrap_socket(plain, server_side=True)
                self._connections.append(sock)  # TLS has taken the descriptor of the other one
                with sock:
                    _Conversation(self, sock, self._service).hold()
                    with contextlib.suppress(OSError):
                        sock.shutdown(socket.SHUT_WR)
                        while sock.recv(65_536):
                            pass
            except (OSError, EOFError):
                raise
            except BaseException as error:
                self._failures.append(error)
                raise


class _Conversation:
    def __init__(self, server: TokenServer, sock: socket.socket, service: str) -> None:
        self._server = server
        self._sock = sock
        self._heard: list[Fields] = []
        server.heard.append(self._heard)
        sock.sendall(f"sockctl/1 {service}\r\nYour name?\r\n".encode())

    def hold(self) -> None:
        hello = self._read()
        assert hello["kind"] == "hello"
        if self._server.mute:
            while True:
                self._read()
        user = self._log_in()
        if user is None:
            return
        if hello.get("session", True):
            token = secrets.token_urlsafe(32)
            self._server.tokens[token] = user
            self._server.given.append(token)
            self._send("token", "You will be known the next time.", token=token, expires=self._server.expires)
        self._send("welcome", f"Hello, {user}!", user=user)
        while (one := self._read())["kind"] != "bye":
            if one["text"] in {"logout", "/logout"} and self._server.bye is not None:
                self._send("bye", "You are logged out.", reason=self._server.bye)
                return
            self._send("say", one["text"], sender=user)

    def _log_in(self) -> str | None:
        while True:
            self._send("ask", "Your name?", field="name", secret=False)
            one = self._read()
            if one["kind"] == "resume":
                if self._server.leaves:
                    return None
                if self._server.deaf:
                    one = self._read()
                else:
                    assert self._server.decide.wait(TIMEOUT_S)
                    if user := self._server.tokens.pop(one["token"], None):
                        return user
                    self._send("error", "Please log in again.", code=self._server.problem)
                    continue
            if one["kind"] == "bye":
                return None
            name = one["text"]
            self._send("ask", "Your password?", field="password", secret=True)
            one = self._read()
            if one["kind"] == "bye":
                return None
            if one["text"] == PASSWORD:
                return str(name)
            self._send("error", "That is not right.", code="bad_password")

    def _send(self, kind: str, text: str, **fields: Any) -> None:
        self._sock.sendall(framed(kind=kind, text=text, **fields))

    def _read(self) -> Fields:
        one: Fields = json.loads(self._exactly(int.from_bytes(self._exactly(4))))
        self._heard.append(one)
        return one

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            part = self._sock.recv(count - len(data))
            if not part:
                raise EOFError
            data += part
        return data


@contextlib.contextmanager
def token_server(
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    files: tuple[Path, Path] | None = None,
    client_ca: Path | None = None,
    service: str = "auth",
) -> Iterator[TokenServer]:
    server = TokenServer(host=host, port=port, files=files, client_ca=client_ca, service=service)
    server.start()
    try:
        yield server
    finally:
        server.stop()
