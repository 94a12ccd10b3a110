"""The HTTP at the beginning of a web connection: it gives the page's files, until the client asks for a WebSocket.

A handler thread holds it, as any conversation. `h11` parses requests, and `websockets` checks those for a WebSocket.

| request | status |
|---|---|
| a head of more than 8 KiB, or one that takes longer than 10 s | 431, 408 |
| no HTTP, or none that can be understood; another version than 1 | 400, or as `h11` says; 505 |
| a Host that is no address, not `localhost` and no name of the server's | 421 |
| an Origin that isn't the page's own, nor advertised for a WebSocket; none is a program's | 403 |
| a method other than GET and HEAD; a body; another path | 405; 400; 404 |
| a WebSocket at another path; of another version than 13; in a wrong form | 404; 426; as `websockets` says |
"""

import time
from email.utils import formatdate
from http import HTTPStatus

import h11
from websockets.datastructures import Headers as WebSocketHeaders
from websockets.exceptions import InvalidHandshake
from websockets.http11 import Request as WebSocketRequest
from websockets.server import ServerProtocol

from sockctl.deadline import Deadline
from sockctl.errors import HttpError, PeerGoneError
from sockctl.events.journal import Journal
from sockctl.events.reasons import DisconnectReason
from sockctl.events.web import RequestAnswered, RequestRefused, WebSocketOpened
from sockctl.net.connection import Connection
from sockctl.net.input_budget import InputBudget
from sockctl.net.web.addresses import Addresses
from sockctl.net.web.request_headers import RequestHeaders
from sockctl.net.web.site import BARE_POLICY, SAFE_HEADERS, File, Headers, Site, make_page_headers
from sockctl.protocol.http_rules import HostHeader, parse_host_header
from sockctl.text import make_visible

HEAD_BYTES = 8_192
REQUEST_S = 0.1e-3
"""Work that a request is charged: a stranger may reload a page again and again, and then wait."""
READ_S = 20e-6
"""Work that a read is charged: a head that comes byte by byte costs as much as hundreds."""
VERSION = "13"
"""The version of WebSocket (RFC 6455, section 4.1)."""
_METHODS = ("GET", "HEAD")
_SHOWN_CHARACTERS = 100
_OPEN_STATES = (h11.IDLE, h11.SEND_RESPONSE)


class HttpConversation:
    """Answers the requests of one connection.

    Args:
        connection: The connection.
        site: The page's files.
        journal: Takes the events.
        budget: Limits the work for the client's requests.
        addresses: The addresses that the server answers to.
        head_s: Seconds that the head of a request may take.
    """

    __slots__ = (
        "_addresses",
        "_budget",
        "_connection",
        "_encrypted",
        "_head_s",
        "_http",
        "_is_head",
        "_journal",
        "_received",
        "_site",
    )

    def __init__(
        self,
        connection: Connection,
        site: Site,
        journal: Journal,
        budget: InputBudget,
        *,
        addresses: Addresses,
        head_s: float,
    ) -> None:
        self._connection = connection
        self._site = site
        self._journal = journal
        self._budget = budget
        self._addresses = addresses
        self._head_s = head_s
        self._encrypted = connection.is_encrypted
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES)
        self._is_head = False
        self._received = 0

    def serve(self) -> bytes | None:
        """Answer requests. Blocks.

        Returns:
            The bytes behind the request for a WebSocket; None where the connection ends.

        Raises:
            PeerGoneError: The connection broke, or the server is ending it.
        """
        try:
            while (request := self._receive_request()) is not None:
                if self._answer(request):
                    return bytes(self._http.trailing_data[0])
                if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
                    break
                self._http.start_next_cycle()
        except HttpError as error:
            self._refuse(error)
        return None

    def _receive_request(self) -> h11.Request | None:
        """Wait for the head of a request; return None when the client has ended its side, or asks for nothing more."""
        self._is_head = False  # until the method is known
        before = self._received - len(self._http.trailing_data[0])
        until = Deadline.after(self._head_s)
        while True:
            event = self._next_event()
            if isinstance(event, h11.Request):
                head_bytes = self._received - len(self._http.trailing_data[0]) - before
                if head_bytes > HEAD_BYTES:
                    raise _make_head_error()
                self._is_head = event.method == b"HEAD"
                self._charge(REQUEST_S)
                return event
            if event is not h11.NEED_DATA:
                return None
            try:
                data = self._connection.receive(HEAD_BYTES, until=until)
            except TimeoutError:
                if self._received == before:
                    return None
                raise HttpError(408, f"The request was not complete within {self._head_s:g} s.") from None
            self._charge(READ_S)
            self._received += len(data)
            self._http.receive_data(data)

    def _next_event(self) -> object:
        try:
            return self._http.next_event()
        except h11.RemoteProtocolError as error:
            if error.error_status_hint == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE:
                raise _make_head_error() from error
            what = str(error).partition(":")[0]  # behind it stand the client's bytes
            raise HttpError(error.error_status_hint, f"That is no HTTP request: {what}.") from error

    def _charge(self, work_s: float) -> None:
        """Charge the client's budget, and wait while it is beyond that."""
        self._budget.work_s += work_s
        now = time.monotonic()
        wait_s = self._budget.settle(now) if self._budget.is_due else 0.0
        if self._budget.is_flooding:
            self._connection.reason = self._connection.reason or DisconnectReason.FLOODING
            raise PeerGoneError(f"{self._connection.peer} sends too many requests")
        if wait_s:
            try:
                self._connection.wait({}, until=now + wait_s)
            except TimeoutError:
                return

    def _answer(self, request: h11.Request) -> bool:
        """Answer a request; return whether the connection is a WebSocket now."""
        headers = RequestHeaders(request)
        if not request.http_version.startswith(b"1."):
            raise HttpError(505, "This server speaks HTTP/1.1.")
        host = self._check_host(headers)
        method, path = request.method.decode(), request.target.decode().partition("?")[0]
        opens_websocket = path == "/" and headers.asks_for_websocket
        self._check_origin(headers, host, opens_websocket=opens_websocket)
        if method not in _METHODS:
            raise HttpError(405, f"The method is none of {', '.join(_METHODS)}.", [("Allow", ", ".join(_METHODS))])
        if not self._has_no_body() or headers.get("transfer-encoding") is not None:
            # A proxy in front may see its end elsewhere: the body would be a request here, or frames.
            raise HttpError(400, "A request to this server has no body.")
        others = self._addresses.list_others(host)
        file = self._site.find(path, others)
        if file is None:
            raise HttpError(404, "There is no such page here: the only one is at /.")
        if opens_websocket:
            return self._open_websocket(request, headers)
        has_it = headers.get("if-none-match") == file.etag
        self._send_file(file, make_page_headers(host, others, encrypted=self._encrypted), has_it=has_it)
        self._emit_answer(request, 304 if has_it else 200)
        return False

    def _check_host(self, headers: RequestHeaders) -> HostHeader:
        host = parse_host_header(headers.get("host") or "")
        if host is None or not self._addresses.accepts_host(host.host):
            raise HttpError(
                421,
                "This server answers to its IP addresses and to localhost only. If another name of it is in the "
                "address, its operator can give that name with --web-name.",
            )
        return host

    def _check_origin(self, headers: RequestHeaders, host: HostHeader, *, opens_websocket: bool) -> None:
        accepts, encrypted = self._addresses.accepts_origin, self._encrypted
        if not all(
            accepts(one, host, encrypted=encrypted, opens_websocket=opens_websocket)
            for one in headers.get_all("origin")
        ):
            raise HttpError(403, "A page from elsewhere has sent this request: it is not carried out.")

    def _open_websocket(self, request: h11.Request, headers: RequestHeaders) -> bool:
        if headers.get("sec-websocket-version") != VERSION:
            wanted = [("Sec-WebSocket-Version", VERSION), ("Upgrade", "websocket")]
            raise HttpError(426, f"This server speaks version {VERSION} of WebSocket only.", wanted)
        try:
            checked = WebSocketHeaders(headers.pairs)
        except InvalidHandshake as error:  # h11 lets some control characters pass
            raise HttpError(400, f"That opens no WebSocket: {error}.") from error
        protocol = ServerProtocol()
        response = protocol.accept(
            WebSocketRequest(
                request.target.decode(),
                checked,
                method=request.method.decode(),
                protocol=f"HTTP/{request.http_version.decode()}",
            )
        )
        if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            more = [(name, value) for name, value in response.headers.raw_items() if name in {"Allow", "Upgrade"}]
            raise HttpError(response.status_code, f"That opens no WebSocket: {protocol.handshake_exc}.", more)
        self._connection.send(response.serialize())
        self._journal.emit(
            WebSocketOpened(
                connection=self._connection.number, peer=self._connection.peer, origin=headers.get("origin")
            )
        )
        return True

    def _send_file(self, file: File, headers: Headers, *, has_it: bool) -> None:
        headers = [*headers, ("ETag", file.etag), ("Cache-Control", "no-cache")]
        if has_it:
            self._send(304, headers, b"")
            return
        headers += [("Content-Type", file.media_type), ("Content-Length", str(len(file.data)))]
        self._send(200, headers, file.data)

    def _refuse(self, error: HttpError) -> None:
        """Tell the client why its request is refused, and then answer no more."""
        connection, text = self._connection, make_visible(str(error))
        self._journal.emit(
            RequestRefused(connection=connection.number, peer=connection.peer, status=error.status, error=text)
        )
        if self._http.our_state in _OPEN_STATES:
            body = f"{text}\n".encode()
            headers = [
                *error.headers,
                ("Content-Security-Policy", BARE_POLICY),
                ("Content-Type", "text/plain; charset=utf-8"),
                ("Connection", "close"),
            ]
            self._send(error.status, [*headers, ("Content-Length", str(len(body)))], body)

    def _send(self, status: int, headers: Headers, body: bytes) -> None:
        """Send an answer."""
        headers = [("Date", formatdate(usegmt=True)), *SAFE_HEADERS, *headers]
        events: list[h11.Event] = [
            h11.Response(status_code=status, headers=headers, reason=HTTPStatus(status).phrase),
            *([h11.Data(data=body)] if body and not self._is_head else []),
            h11.EndOfMessage(),
        ]
        self._connection.send(b"".join(self._http.send(event) or b"" for event in events))

    def _has_no_body(self) -> bool:
        """Return whether a request ends with its head."""
        try:
            return isinstance(self._http.next_event(), h11.EndOfMessage)
        except h11.RemoteProtocolError:
            return False

    def _emit_answer(self, request: h11.Request, status: int) -> None:
        self._journal.emit(
            RequestAnswered(
                connection=self._connection.number,
                peer=self._connection.peer,
                method=request.method.decode(),
                target=make_visible(request.target.decode()[:_SHOWN_CHARACTERS]),
                status=status,
            )
        )


def _make_head_error() -> HttpError:
    return HttpError(431, f"The head of the request has more than {HEAD_BYTES:,} bytes.")
