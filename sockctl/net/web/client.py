"""The client's side of a WebSocket's beginning: the request, and the server's answer (RFC 6455, section 4).

`h11` makes the request and parses the answer, and `websockets` checks that both fit. The answer's head is read byte by
byte: so no byte behind it is taken from the connection.
"""

import select
from collections.abc import Sequence
from dataclasses import dataclass

import h11
from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake, NegotiationError
from websockets.http11 import Response
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI

from sockctl.deadline import Deadline
from sockctl.errors import (
    ConnectionBrokenError,
    ConnectTimeoutError,
    NotWebSocketError,
    TlsError,
    TurnedAwayError,
)
from sockctl.net.address import Endpoint
from sockctl.net.transport import Transport
from sockctl.net.wait import wait_for
from sockctl.text import make_visible

HEAD_BYTES = 16_384
"""Bytes of an answer's head at most."""
BODY_BYTES = 500
"""Bytes that are read of an answer's body: a server may say in it why it refuses."""
BODY_S = 1.0
SHOWN_CHARACTERS = 200
SWITCHED, REDIRECTED, FAILED = 101, range(300, 400), range(400, 600)
_TURNED_AWAY = frozenset({401, 403, 407, 429, 503})
_MIGHT_BE_HTTP = b"HTTP/1."
_TLS_ALERT = 0x15
_GREETING = b"sockctl/"
_ADVICE = {
    401: "--header-file gives credentials.",
    403: "--header-file gives credentials, --header Origin:https://… the page that the server expects.",
    404: "Is the path right?",
    426: "Does it speak another version of WebSocket?",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WebRequest:
    """What the client asks a server for.

    Attributes:
        encrypted: Whether the connection is under TLS.
        resource: The path and the query.
        subprotocols: The subprotocols that the client speaks, the best first.
        headers: Further headers; one of them may be a secret.
    """

    encrypted: bool
    resource: str
    subprotocols: Sequence[str] = ()
    headers: Sequence[tuple[str, str]] = ()

    def __repr__(self) -> str:
        return f"WebRequest({self.resource!r})"


def open_websocket(sock: Transport, endpoint: Endpoint, request: WebRequest, timeout_s: float) -> str | None:
    """Make a WebSocket of a new connection; close the connection on errors. The connection never blocks afterwards.

    Args:
        sock: The connection.
        endpoint: The server, as the user has named it.
        request: What to ask for.
        timeout_s: Seconds for all of it.

    Returns:
        The subprotocol that the server has chosen; None for none.

    Raises:
        NotWebSocketError: The server opens no WebSocket there.
        TurnedAwayError: The server says that the client may not, or not now.
        TlsError: The server speaks TLS.
        ConnectTimeoutError: The server did not answer in time.
        ConnectionBrokenError: The connection broke.
    """
    try:
        sock.setblocking(False)
        return _Opening(sock, endpoint, request, timeout_s).open()
    except BaseException:
        sock.close()
        raise


class _Opening:
    def __init__(self, sock: Transport, endpoint: Endpoint, request: WebRequest, timeout_s: float) -> None:
        self._sock = sock
        self._endpoint = endpoint
        self._request = request
        self._timeout_s = timeout_s
        self._deadline = Deadline.after(timeout_s)
        path, _, query = request.resource.partition("?")
        host = endpoint.host if ":" in endpoint.host else endpoint.host.encode("idna").decode()
        self._protocol = ClientProtocol(
            WebSocketURI(request.encrypted, host.partition("%")[0].lower(), endpoint.port, path, query),
            subprotocols=[Subprotocol(one) for one in request.subprotocols] or None,
        )
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_BYTES)

    def open(self) -> str | None:
        try:
            self._send(self._make_request())
            answer = self._receive_answer()
        except OSError as error:
            raise ConnectionBrokenError(
                f"{self._endpoint} broke the connection off ({error.strerror}) instead of opening a WebSocket. "
                f"{self._ask()}"
            ) from error
        if answer.status_code != SWITCHED:
            raise self._make_refusal(answer)
        pairs = [(name.decode("ascii"), value.decode("latin-1")) for name, value in answer.headers]
        try:
            self._protocol.process_response(
                Response(answer.status_code, answer.reason.decode("latin-1"), Headers(pairs))
            )
        except NegotiationError as error:
            raise NotWebSocketError(
                f"{self._endpoint} has agreed to something that the client didn't ask for: {_show(error)}."
            ) from error
        except InvalidHandshake as error:
            raise NotWebSocketError(
                f"{self._endpoint} agrees to a WebSocket in a wrong form: {_show(error)}."
            ) from error
        chosen = self._protocol.subprotocol
        if chosen is None and self._request.subprotocols:
            raise NotWebSocketError(
                f"{self._endpoint} speaks no subprotocol that --subprotocol names: "
                f"{', '.join(self._request.subprotocols)}."
            )
        return chosen

    def _make_request(self) -> bytes:
        made = self._protocol.connect()
        own = {name.lower() for name, _ in self._request.headers}
        headers = [(name, value) for name, value in made.headers.raw_items() if name.lower() not in own]
        sent = self._http.send(
            h11.Request(method="GET", target=self._request.resource, headers=[*headers, *self._request.headers])
        )
        self._http.send(h11.EndOfMessage())
        return sent or b""

    def _receive_answer(self) -> h11.Response | h11.InformationalResponse:
        """Receive the head of the answer; hints that come ahead (status 100, 103) are passed over."""
        while True:
            self._http.receive_data(self._receive_head())
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                raise NotWebSocketError(
                    f"{self._endpoint} answers in wrong HTTP: {_show(error)}. {self._ask()}"
                ) from error
            if isinstance(event, h11.Response) or (
                isinstance(event, h11.InformationalResponse) and event.status_code == SWITCHED
            ):
                return event

    def _receive_head(self) -> bytes:
        head = bytearray()
        while not head.endswith((b"\n\r\n", b"\n\n")):  # as h11: a line may end in a line feed alone
            byte = self._receive(1, self._deadline)
            if byte is None:
                raise ConnectTimeoutError(
                    f"{self._endpoint} did not answer the request for a WebSocket within {self._timeout_s:.2g} s. "
                    f"{self._ask()}"
                )
            if not byte:
                raise NotWebSocketError(
                    f"{self._endpoint} ended the connection instead of opening a WebSocket. {self._ask()}"
                )
            head += byte
            if len(head) > HEAD_BYTES:
                raise NotWebSocketError(f"{self._endpoint} answers with a head of more than {HEAD_BYTES:,} bytes.")
            if not (head.startswith(_MIGHT_BE_HTTP) or _MIGHT_BE_HTTP.startswith(bytes(head))):
                raise self._make_error_for_rubbish(bytes(head))
        return bytes(head)

    def _make_error_for_rubbish(self, begun: bytes) -> NotWebSocketError | TlsError:
        if begun[0] == _TLS_ALERT and not self._request.encrypted:
            return TlsError(f"{self._endpoint} speaks TLS: write wss://{self._endpoint}{self._request.resource}")
        text = begun + (self._receive(SHOWN_CHARACTERS, Deadline.after(0.2)) or b"")
        if text.startswith(_GREETING):
            scheme = "sockctls" if self._request.encrypted else "sockctl"
            return NotWebSocketError(
                f"{self._endpoint} is a message service of sockctl, and no WebSocket: write {scheme}://{self._endpoint}"
            )
        line = make_visible(text.splitlines()[0].decode(errors="replace"))
        return NotWebSocketError(
            f"{self._endpoint} speaks no HTTP, and so no WebSocket. It begins with '{line}'. "
            f"{'tls' if self._request.encrypted else 'tcp'}://{self._endpoint} shows its bytes."
        )

    def _make_refusal(self, answer: h11.Response | h11.InformationalResponse) -> NotWebSocketError | TurnedAwayError:
        status, reason = answer.status_code, _show(answer.reason.decode("latin-1"))
        headers = {name: value.decode("latin-1") for name, value in answer.headers}
        answered = f"{self._endpoint} answers {status} {reason}".rstrip()
        if status in REDIRECTED and (place := headers.get(b"location")):
            return NotWebSocketError(
                f"{answered}: what was at {_show(self._request.resource)} is at {_show(_as_web_address(place))} now. "
                f"The client doesn't go there by itself; connect with that address if you trust it."
            )
        said = self._receive_text() if headers.get(b"content-type", "").startswith("text/plain") else ""
        advice = f"{said}." if said and said[-1] not in ".!?" else said
        if status in _TURNED_AWAY:
            return TurnedAwayError(f"{answered}. {advice or _ADVICE.get(status, 'Try again later.')}")
        if not advice:
            advice = _ADVICE.get(status) or self._ask()
        where = "" if status in FAILED else f", and opens no WebSocket at {_show(self._request.resource)}"
        return NotWebSocketError(f"{answered}{where}. {advice}")

    def _receive_text(self) -> str:
        """Return the beginning of a body as one line; empty for none."""
        deadline, body = Deadline.after(min(BODY_S, self._deadline.left_s)), b""
        try:
            while len(body) < BODY_BYTES:
                event = self._http.next_event()
                if isinstance(event, h11.Data):
                    body += event.data
                elif event is not h11.NEED_DATA or (data := self._receive(BODY_BYTES, deadline)) is None:
                    break
                else:
                    self._http.receive_data(data)
        except (OSError, h11.RemoteProtocolError):
            pass  # the status says enough
        return _show(body[:BODY_BYTES].decode(errors="replace"))

    def _ask(self) -> str:
        return "Is it a server of WebSocket, and is the path right?"

    def _send(self, data: bytes) -> None:
        while data:
            try:
                data = data[self._sock.send(data) :]
            except BlockingIOError:
                if not self._wait(select.POLLOUT, self._deadline):
                    raise ConnectTimeoutError(
                        f"{self._endpoint} did not take the request for a WebSocket within {self._timeout_s:.2g} s."
                    ) from None

    def _receive(self, max_bytes: int, deadline: Deadline) -> bytes | None:
        """Receive some bytes, none at the end; return None when the time is up."""
        while True:
            try:
                return self._sock.recv(max_bytes)
            except BlockingIOError:
                if not self._wait(select.POLLIN, deadline):
                    return None

    def _wait(self, event: int, deadline: Deadline) -> bool:
        try:
            wait_for(self._sock.fileno(), event, deadline.left_s)
        except TimeoutError:
            return False
        return True


def _as_web_address(place: str) -> str:
    """Return the address of a redirection with the scheme that a WebSocket has."""
    scheme, separator, rest = place.partition("://")
    return f"{ {'http': 'ws', 'https': 'wss'}.get(scheme, scheme) }{separator}{rest}"


def _show(text: object) -> str:
    """Return a stranger's words as one safe line."""
    return make_visible(" ".join(str(text).split()))[:SHOWN_CHARACTERS]
