"""Recognises the protocol of a direction by its first bytes, and reads it.

| the first bytes | what it is | and then |
|---|---|---|
| a record's type, 3 | TLS, also behind text (STARTTLS) and CONNECT | records |
| 0x00 | a frame of sockctl, if the target has greeted, or JSON seems to follow | frames |
| ``sockctl/1 …`` from the target | its greeting | text, or frames from the first 0x00 on |
| ``GET / HTTP/1.1`` from the client | HTTP requests | what an Upgrade or CONNECT has changed to |
| ``HTTP/1.1 200 …`` from the target | HTTP responses | as above |
| no control characters | text | at the first of them as at the beginning, or bytes |
| anything else | bytes | |

Empty lines with which a client begins are text; behind them, the first bytes decide anew. Behind an Upgrade to
WebSocket come WebSocket frames. Nothing is decided before it is certain: the first bytes wait.
"""

from sockctl.protocol.frames import HEADER_BYTES, LIMIT_BYTES
from sockctl.protocol.greeting import PREFIX
from sockctl.proxy.byte_feed import NotUnderstoodError, Reading
from sockctl.proxy.exchange import InspectedFlow
from sockctl.proxy.http_reading import (
    HEAD_BYTES,
    LOOK_BYTES,
    RESPONSE_BEGIN,
    may_become_request,
    may_become_response,
    read_requests,
    read_responses,
    split_request_line,
)
from sockctl.proxy.message_reading import read_frames, read_greeting
from sockctl.proxy.text_reading import is_text, read_text
from sockctl.proxy.tls_reading import may_become_tls, read_tls
from sockctl.proxy.websocket_reading import read_websocket

_HTTP_2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""RFC 9113, section 3.4: with it a client begins."""
_TLS_BYTES = 3


def read_direction(flow: InspectedFlow) -> Reading[None]:
    """Read a direction until its end.

    Raises:
        EndOfBytesError: The direction ended in the middle of something.
        NotUnderstoodError: The next bytes are in no known form.
    """
    feed = flow.feed
    while (yield from feed.wait(1)):
        if flow.exchange.websocket:
            yield from read_websocket(flow)
        elif (yield from _seems_tls(flow)):
            yield from read_tls(flow)
        elif (yield from _seems_framed(flow)):
            yield from read_frames(flow)
        elif flow.towards_target and (yield from _seems_request(flow)):
            yield from read_requests(flow)
        elif not flow.towards_target and (yield from _seems_response(flow)):
            yield from read_responses(flow)
        elif not flow.towards_target and PREFIX.startswith(feed.peek(1)) and (yield from read_greeting(flow)):
            continue
        elif is_text(feed.peek(1)):
            yield from read_text(flow)
        else:
            raise NotUnderstoodError("")


def _seems_tls(flow: InspectedFlow) -> Reading[bool]:
    """Return whether a TLS record follows; wait only as long as one may."""
    feed = flow.feed
    while feed.available < _TLS_BYTES and may_become_tls(feed.peek(_TLS_BYTES)):
        if feed.ended:
            return False
        yield
    return may_become_tls(feed.peek(_TLS_BYTES))


def _seems_framed(flow: InspectedFlow) -> Reading[bool]:
    """Return whether a frame of sockctl follows."""
    feed, exchange = flow.feed, flow.exchange
    if feed.peek(1) != b"\0":
        return False
    if exchange.greeted or exchange.insists_on_messages:
        return True
    if not (yield from feed.wait(HEADER_BYTES + 1)):
        return False
    head = feed.peek(HEADER_BYTES + 1)
    return head[HEADER_BYTES:] == b"{" and int.from_bytes(head[:HEADER_BYTES]) <= LIMIT_BYTES


def _seems_request(flow: InspectedFlow) -> Reading[bool]:
    """Return whether an HTTP request follows."""
    feed = flow.feed
    while not (size := feed.find_line_end(HEAD_BYTES)):
        if feed.ended or feed.available >= HEAD_BYTES or not may_become_request(feed.peek(LOOK_BYTES)):
            return False
        yield
    line = feed.peek(size)
    if _HTTP_2.startswith(line):
        yield from feed.wait(len(_HTTP_2))
        if feed.peek(len(_HTTP_2)) == _HTTP_2:
            raise NotUnderstoodError("it is HTTP/2, of which the proxy knows the beginning alone")
    return split_request_line(line) is not None


def _seems_response(flow: InspectedFlow) -> Reading[bool]:
    """Return whether an HTTP response follows."""
    feed = flow.feed
    while not (size := feed.find_line_end(HEAD_BYTES)):
        if feed.ended or feed.available >= HEAD_BYTES or not may_become_response(feed.peek(LOOK_BYTES)):
            return False
        yield
    return feed.peek(size).startswith(RESPONSE_BEGIN)
