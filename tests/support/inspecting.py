"""What the proxy's inspector says of bytes that pass, and dialogues for it."""

import contextlib
import dataclasses
import ssl
from collections.abc import Iterable, Sequence

from sockctl.protocol.frames import encode_frame
from sockctl.protocol.web_frames import BINARY, CLOSE, CONTINUATION, PING, encode_close, encode_web_frame
from sockctl.proxy.inspector import Inspector
from sockctl.proxy.seen import Bytes, GivenUp, Seen, Text
from sockctl.proxy.tls_reading import TlsData
from tests.support.cuts import pieces
from tests.support.web import UPGRADE, encode_client_frame, make_request

Step = tuple[bool, bytes]
"""Whether bytes go towards the target, and the bytes."""
TO, FROM = True, False


def inspect(steps: Iterable[Step], *, messages: bool = False, ends: bool = True) -> list[Seen]:
    """Return all that is said of a dialogue."""
    inspector = Inspector(messages=messages)
    seen = [one for towards, data in steps for one in inspector.inspect(towards, memoryview(data))]
    return seen + inspector.end(TO) + inspector.end(FROM) if ends else seen


def inspect_cut(steps: Iterable[Step], sizes: list[int], *, messages: bool = False) -> list[Seen]:
    """Return the same where each step comes in pieces, in memory that is used again for the next one."""
    inspector = Inspector(messages=messages)
    seen: list[Seen] = []
    for towards, data in steps:
        for piece in pieces(data, sizes):
            buffer = bytearray(piece)
            seen += inspector.inspect(towards, memoryview(buffer))
            buffer[:] = b"\xaa" * len(buffer)
    return seen + inspector.end(TO) + inspector.end(FROM)


def join(seen: Iterable[Seen]) -> list[Seen]:
    """Return what is said of each direction, without the borders of pieces: text and data in a row are one."""
    joined: list[Seen] = []
    for one in sorted(seen, key=lambda one: one.towards_target):
        last = joined[-1] if joined else None
        match last, one:
            case Text(hidden=hidden), Text(hidden=other) if last.towards_target == one.towards_target:
                if hidden == other:
                    joined[-1] = dataclasses.replace(last, size=last.size + one.size, data=last.data + one.data)
                    continue
            case TlsData(), TlsData() if last.towards_target == one.towards_target:
                joined[-1] = dataclasses.replace(last, size=last.size + one.size, records=last.records + one.records)
                continue
        match one:
            case Bytes():
                joined.append(dataclasses.replace(one, size=0, data=one.data[:1]))
            case GivenUp():
                joined.append(dataclasses.replace(one, size=0))
            case _:
                joined.append(one)
    return joined


def count_kinds(seen: Sequence[Seen]) -> list[str]:
    """Return the kinds, with an arrow in front."""
    return [f"{'>' if one.towards_target else '<'} {one.kind}" for one in seen]


def message(text: str) -> bytes:
    return encode_frame(text)


def record(content: int, payload: bytes) -> bytes:
    """Return a TLS record."""
    return bytes((content, 3, 3)) + len(payload).to_bytes(2) + payload


def make_hellos(server_name: str, *alpn: str) -> list[Step]:
    """Return the beginning of a TLS connection, as OpenSSL makes it: the client's hello."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(alpn)
    sent = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), sent, server_hostname=server_name).do_handshake()
    return [(TO, sent.read())]


SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
OPENING: list[Step] = [(TO, make_request("/", *UPGRADE)), (FROM, SWITCH)]
_CHOSEN = b"\x03\x03" + bytes(32) + b"\x00\x13\x02\x00" + b"\x00\x06\x00\x2b\x00\x02\x03\x04"
SERVER_HELLO = b"\x02" + len(_CHOSEN).to_bytes(3) + _CHOSEN
"""TLS 1.3 with TLS_AES_256_GCM_SHA384."""
DIALOGUES: dict[str, list[Step]] = {
    "http": [
        (TO, make_request("/", "Authorization: Basic c2VjcmV0", "X: 1")),
        (FROM, b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"),
        (TO, make_request("/a", "Content-Length: 3", method="POST") + b"abc" + make_request("/b", method="HEAD")),
        (
            FROM,
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        ),
        (FROM, b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"),
        (TO, make_request("/c", "Transfer-Encoding: chunked", method="PUT") + b"2;x=y\r\nab\r\n0\r\nT: 1\r\n\r\n"),
        (FROM, b"HTTP/1.0 404 Not Found\r\n\r\nup to the end"),
    ],
    "websocket": [
        *OPENING,
        (TO, encode_client_frame('{"kind":"line","text":"grüße"}'.encode())),
        (FROM, encode_web_frame(b"plain") + encode_web_frame(bytes(300), BINARY)),
        (TO, encode_client_frame(b"a", fin=False) + encode_client_frame(b"?", PING)),
        (TO, encode_client_frame(b"b", CONTINUATION)),
        (FROM, encode_close(1001, "bye")),
        (TO, encode_client_frame(b"\x03\xe9", CLOSE)),
    ],
    "ahead": [(TO, make_request("/", *UPGRADE) + encode_client_frame(b"early")), (FROM, SWITCH)],
    "no upgrade": [
        (TO, make_request("/", *UPGRADE) + make_request("/b")),
        (FROM, b"HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"),
    ],
    "connect": [
        (TO, make_request(line="CONNECT a.example:443 HTTP/1.1")),
        (FROM, b"HTTP/1.1 200 Fine\r\n\r\n"),
        *make_hellos("a.example", "h2"),
        (FROM, record(22, SERVER_HELLO)),
    ],
    "tls": [
        *make_hellos("b.example", "h2", "http/1.1"),
        (FROM, record(22, SERVER_HELLO) + record(20, b"\1") + record(23, bytes(50)) + record(23, bytes(3))),
        (TO, record(20, b"\1") + record(23, bytes(74)) + record(23, bytes(0)) + record(21, b"\1\0")),
        (FROM, record(21, bytes(20))),
    ],
    "starttls": [
        (FROM, b"220 mail.example ESMTP\r\n"),
        (TO, b"STARTTLS\r\n"),
        (FROM, b"220 Go on\r\n"),
        *make_hellos("mail.example"),
        (FROM, record(21, b"\2\x28")),
    ],
    "messages": [
        (FROM, b"sockctl/1 auth\r\nYour name:\r\n"),
        (TO, message('{"kind":"hello","client":"x"}')),
        (FROM, message('{"kind":"ask","field":"name","text":"Your name:"}')),
        (TO, message('{"kind":"answer","field":"name","text":"ann"}') + message('{"kind":"line","text":"secret"}')),
        (FROM, message('{"kind":"ask","field":"password","secret":true,"text":"Password:"}')),
        (TO, message('{"kind":"answer","text":"secret"}')),
        (FROM, message('{"kind":"token","token":"secret"}') + message('{"kind":"welcome","text":"Hello."}')),
        (TO, message('{"kind":"line","text":"grüße"}') + message("no json") + b"\0\xff\xff\xff" + bytes(50)),
    ],
    "lines": [
        (FROM, b"sockctl/1 auth\r\nYour name:\r\n"),
        (TO, b"ann\r\n"),
        (FROM, b"Password:\r\n"),
        (TO, b"secret\r\nhello\r\n"),
        (FROM, "Grüße, ann!\r\n".encode()),
    ],
    "text": [(TO, "grüße\n".encode()), (FROM, b"GET lost\n"), (TO, b"\xff\xfe latin"), (FROM, b"and \0 bytes")],
    "bytes": [(TO, b"\x7fELF\x02"), (FROM, bytes(100))],
    "http 2": [(TO, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(30)), (FROM, b"\0\0\x12\x04\0" + bytes(20))],
}
