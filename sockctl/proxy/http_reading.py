"""Reads HTTP/1 that passes: the heads of requests and responses, and the lengths of their bodies (RFC 9112).

`h11`, which the web door uses, refuses what is wrong in a head. A proxy must show what passes, right or wrong.
It also works where `h11` isn't installed. So this module takes heads apart by itself. It counts the bytes of bodies,
and keeps none.
"""

import re

from sockctl.proxy.byte_feed import NotUnderstoodError, Reading
from sockctl.proxy.exchange import InspectedFlow, PendingRequest
from sockctl.proxy.http_heads import (
    Headers,
    HttpBody,
    HttpRequest,
    HttpResponse,
    find_header,
    hide_in_target,
    hide_secrets,
)
from sockctl.text import is_whole_number

HEAD_BYTES = 65_536
"""Bytes of a head, and of the trailers, at most."""
LOOK_BYTES = 1_024
"""Bytes of an incomplete first line that decide whether it may begin a request. To look at all, each time, costs."""
MAX_PENDING = 1_000
"""Requests without a response that are remembered."""
HELD_BYTES = 65_536
"""Bytes that are kept behind a request which may change the protocol, until its response has come."""
_CHUNK_LINE_BYTES = 1_024
_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}"
"""A method may be any token (RFC 9110, section 9.1); those in small letters are wrong, and some servers take them."""
_METHOD = re.compile(_TOKEN)
_VERSION = re.compile(rb"(?i:HTTP)/([0-9.]{1,8})")
_MAY_BECOME_REQUEST = re.compile(rb"[ \t]*(?:" + _TOKEN + rb"(?:[ \t][^\x00-\x08\n-\x1f]*)?)?\r?")
_STATUS = re.compile(rb"[1-5][0-9]{2}")
RESPONSE_BEGIN = b"HTTP/"
_SIZE = re.compile(rb"[0-9A-Fa-f]{1,15}")
_NO_BODY = frozenset({204, 304})
SWITCHING = 101


def may_become_request(data: bytes) -> bool:
    """Return whether `data`, an incomplete first line, may begin a request."""
    return _MAY_BECOME_REQUEST.fullmatch(data) is not None


def may_become_response(data: bytes) -> bool:
    """Return whether `data` may be the beginning of a response."""
    return RESPONSE_BEGIN.startswith(data[: len(RESPONSE_BEGIN)])


def split_request_line(line: bytes) -> tuple[str, str, str] | None:
    """Return the method, the target and the version in the line that begins a request; None if it is none.

    A wrong method, target or version makes no text of a request: its headers may be secrets. Spaces and tabs may stand
    in front, and between the words, as lenient servers take them (RFC 9112, section 3).
    """
    method, _, rest = line.strip().replace(b"\t", b" ").partition(b" ")
    target, _, version = rest.rpartition(b" ")
    found = _VERSION.fullmatch(version)
    if found is None or not target or not _METHOD.fullmatch(method) or not may_become_request(line[:-1]):
        return None
    return method.decode(), target.decode(errors="replace").strip(), found[1].decode()


def split_status_line(line: bytes) -> tuple[str, int, str] | None:
    """Return the version, the status and the words in the line that begins a response; None if it is none."""
    version, _, rest = line.partition(b" ")
    status, _, reason = rest.strip().partition(b" ")
    found = _VERSION.fullmatch(version)
    if found is None or not _STATUS.fullmatch(status):
        return None
    return found[1].decode(), int(status), reason.decode(errors="replace").strip()


def read_requests(flow: InspectedFlow) -> Reading[None]:
    """Read requests until the end of the direction, or until the connection speaks another protocol.

    Raises:
        EndOfBytesError: The direction ended in the middle of a request.
        NotUnderstoodError: The next bytes are no request.
    """
    feed, pending = flow.feed, flow.exchange.requests
    while (yield from feed.begin("an HTTP request")):
        head, headers, size = yield from _read_head(flow)
        if (first := split_request_line(head)) is None:
            raise NotUnderstoodError("that is no HTTP request")
        method, target, version = first
        chunked, length = _find_length(headers)
        upgrade = find_header(headers, "upgrade")
        flow.add(
            HttpRequest(
                towards_target=True,
                size=size,
                version=version,
                headers=hide_secrets(headers),
                body_bytes=length or 0,
                chunked=chunked,
                method=method,
                target=hide_in_target(target),
                host=find_header(headers, "host") or None,
                upgrade=upgrade or None,
            )
        )
        if len(pending) >= MAX_PENDING:
            raise NotUnderstoodError(f"more than {MAX_PENDING:,} requests have no response")
        request = PendingRequest(method)
        pending.append(request)
        yield from _read_body(flow, chunked=chunked, length=length or 0)
        if upgrade or method == "CONNECT":
            yield from _wait_for_response(flow, request)
            if request.changes_protocol:
                return


def read_responses(flow: InspectedFlow) -> Reading[None]:
    """Read responses until the end of the direction, or until the connection speaks another protocol.

    Raises:
        EndOfBytesError: The direction ended in the middle of a response.
        NotUnderstoodError: The next bytes are no response.
    """
    feed, exchange = flow.feed, flow.exchange
    while (yield from feed.begin("an HTTP response")):
        head, headers, size = yield from _read_head(flow)
        if (first := split_status_line(head)) is None:
            raise NotUnderstoodError("that is no HTTP response")
        version, status, reason = first
        is_final = status >= 200 or status == SWITCHING  # noqa: PLR2004  others are hints ahead of the response
        request = exchange.requests.popleft() if exchange.requests and is_final else None
        method = "" if request is None else request.method
        changes = status == SWITCHING or (method == "CONNECT" and status // 100 == 2)  # noqa: PLR2004  2xx is success
        chunked, length = _find_length(headers)
        if method == "HEAD" or status // 100 == 1 or status in _NO_BODY or changes:
            chunked, length = False, 0
        upgrade = find_header(headers, "upgrade") if status == SWITCHING else ""
        flow.add(
            HttpResponse(
                towards_target=False,
                size=size,
                version=version,
                headers=hide_secrets(headers),
                body_bytes=length,
                chunked=chunked,
                status=status,
                reason=reason,
                upgrade=upgrade or None,
            )
        )
        if changes:
            exchange.websocket = upgrade.lower() == "websocket"
            exchange.compresses = "permessage-deflate" in find_header(headers, "sec-websocket-extensions")
        if request is not None:
            request.answered, request.changes_protocol = True, changes
        if changes:
            return
        yield from _read_body(flow, chunked=chunked, length=length)
        if length is None and not chunked:
            return


def _read_head(flow: InspectedFlow) -> Reading[tuple[bytes, Headers, int]]:
    """Return the first line of a head, the headers, and the bytes of the head."""
    feed = flow.feed
    first = yield from feed.take_line(HEAD_BYTES)
    size = len(first)
    while not first.strip():  # a client may send some ahead of a request (section 2.2)
        first = yield from feed.take_line(HEAD_BYTES)
        size += len(first)
    headers, header_bytes = yield from _read_headers(flow)
    return first, headers, size + header_bytes


def _read_headers(flow: InspectedFlow) -> Reading[tuple[Headers, int]]:
    """Return headers, and the bytes of their lines with the empty one behind them."""
    headers: list[tuple[str, str]] = []
    size = 0
    while True:
        line = yield from flow.feed.take_line(HEAD_BYTES)
        size += len(line)
        text = line.decode(errors="replace").rstrip("\r\n")
        if not text:
            return headers, size
        if size > HEAD_BYTES:
            raise NotUnderstoodError(f"a head of HTTP has more than {HEAD_BYTES:,} bytes")
        if text[0] in " \t" and headers:  # the obsolete form of a long value (section 5.2)
            name, value = headers.pop()
            headers.append((name, f"{value} {text.strip()}"))
            continue
        name, colon, value = text.partition(":")
        if not colon:
            raise NotUnderstoodError("a line in a head of HTTP has no colon")
        headers.append((name, value.strip()))


def _find_length(headers: Headers) -> tuple[bool, int | None]:
    """Return whether a body comes in chunks, and its length; None if the headers don't say it."""
    if "chunked" in find_header(headers, "transfer-encoding").lower():
        return True, None
    length = find_header(headers, "content-length")
    return False, int(length) if is_whole_number(length) else None


def _read_body(flow: InspectedFlow, *, chunked: bool, length: int | None) -> Reading[None]:
    feed = flow.feed
    if chunked:
        yield from _read_chunks(flow)
        return
    if length is None:
        length = 0
        while (yield from feed.wait(1)):
            there = feed.available
            yield from feed.skip(there)
            length += there
    else:
        yield from feed.skip(length)
    if length:
        flow.add(HttpBody(towards_target=flow.towards_target, size=length))


def _read_chunks(flow: InspectedFlow) -> Reading[None]:
    feed = flow.feed
    size = chunks = 0
    while True:
        line = yield from feed.take_line(_CHUNK_LINE_BYTES)
        found = _SIZE.match(line)
        if found is None:
            raise NotUnderstoodError("the length of a chunk of HTTP is no number")
        length = int(found[0], 16)
        size += len(line)
        if not length:
            break
        yield from feed.skip(length)
        end = yield from feed.take_line(_CHUNK_LINE_BYTES)
        if end not in {b"\r\n", b"\n"}:
            raise NotUnderstoodError("a chunk of HTTP is longer than it says")
        size += length + len(end)
        chunks += 1
    _, trailer_bytes = yield from _read_headers(flow)
    flow.add(HttpBody(towards_target=flow.towards_target, size=size + trailer_bytes, chunks=chunks))


def _wait_for_response(flow: InspectedFlow, request: PendingRequest) -> Reading[None]:
    """Wait until the target says whether the protocol changes."""
    while not request.answered:
        if flow.feed.available > HELD_BYTES:
            raise NotUnderstoodError("much came before the target had agreed to change the protocol")
        if flow.feed.ended:
            return
        yield
