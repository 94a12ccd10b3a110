"""Reads TLS records that pass (RFC 8446, section 5): the handshake in clear, then the sizes of encrypted records."""

from dataclasses import dataclass
from typing import Any, ClassVar

from sockctl.proxy.byte_feed import NotUnderstoodError, Reading
from sockctl.proxy.exchange import InspectedFlow
from sockctl.proxy.seen import HELD_BYTES, WIDEST, Seen, shorten
from sockctl.proxy.tls_hello import ClientHello, ServerHello, decode_client_hello, decode_server_hello
from sockctl.proxy.tls_names import VERSIONS, name_alert, name_handshake
from sockctl.text import format_bytes, format_count

CHANGE_CIPHER, ALERT, HANDSHAKE, DATA, HEARTBEAT = range(20, 25)
HEADER_BYTES = 5
MAX_RECORD_BYTES = 16_384 + 2_048
"""RFC 5246, section 6.2.3: TLS 1.2 lets encryption add so many bytes."""
KEPT_BYTES = 65_536
"""Bytes of handshake messages that are kept, until one is complete."""
MAX_NAMED = 20
"""Messages of a record that are named."""
_ALERT_BYTES = 2
_MAJOR = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsRecord(Seen):
    """A record other than application data.

    Attributes:
        content: ``handshake``, ``alert``, ``change_cipher_spec`` or ``heartbeat``.
        encrypted: Whether it can't be read.
        messages: The handshake messages that this record completes, the first 20 of them.
        alert: The alert's level and name.
        hello: The content of a hello in it.
    """

    kind: ClassVar[str] = "tls_record"

    content: str
    encrypted: bool = False
    messages: tuple[str, ...] = ()
    alert: str | None = None
    hello: ClientHello | ServerHello | None = None

    @property
    def held_bytes(self) -> int:
        return HELD_BYTES + WIDEST * self.size

    @property
    def text(self) -> str:
        if self.encrypted:
            return f"TLS {self.content}, encrypted, {format_bytes(self.size)}."
        if self.alert is not None:
            return f"TLS alert: {self.alert}."
        if self.content == "handshake":
            said = [name for name in self.messages if self.hello is None or name not in {"ClientHello", "ServerHello"}]
            parts = [*([shorten(str(self.hello))] if self.hello else []), *said]
            return f"TLS {'; '.join(parts)}." if parts else "TLS handshake, a part of a message."
        return f"TLS {self.content}, {format_bytes(self.size)}."

    @property
    def fields(self) -> dict[str, Any]:
        head = {"kind": self.kind, "bytes": self.size, "content": self.content, "encrypted": self.encrypted}
        messages = {"messages": list(self.messages)} if self.messages else {}
        hello: dict[str, Any]
        match self.hello:
            case ClientHello(server_name=name, alpn=alpn, versions=versions):
                hello = {"server_name": name, "alpn": list(alpn), "versions": list(versions)}
            case ServerHello(version=version, cipher=cipher, is_retry=is_retry, alpn=protocol):
                hello = {"version": version, "cipher": cipher, "is_retry": is_retry, "alpn": protocol}
            case None:
                hello = {}
        known = {name: value for name, value in {**hello, "alert": self.alert}.items() if value is not None}
        return {**head, **messages, **known}


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsData(Seen):
    """Application data, which is encrypted: the records that have begun at the same time.

    Attributes:
        records: How many records.
    """

    kind: ClassVar[str] = "tls_data"
    is_notable: ClassVar[bool] = False

    records: int

    @property
    def text(self) -> str:
        return f"TLS application data, encrypted: {format_count(self.records, 'record')}, {format_bytes(self.size)}."


def may_become_tls(data: bytes) -> bool:
    """Return whether up to 3 bytes may begin the first record of a direction: a handshake, or an alert."""
    return not data or (data[0] in {HANDSHAKE, ALERT} and data[1:2] in {b"", b"\3"} and data[2:3] <= b"\4")


def read_tls(flow: InspectedFlow) -> Reading[None]:
    """Read records until the end of the direction.

    Raises:
        EndOfBytesError: The direction ended in the middle of a record.
        NotUnderstoodError: The next bytes are no record.
    """
    feed = flow.feed
    handshake = _Handshake(flow)
    while (yield from feed.begin("a TLS record")):
        header = yield from feed.take(HEADER_BYTES)
        content, length = header[0], int.from_bytes(header[3:])
        if not CHANGE_CIPHER <= content <= HEARTBEAT or header[1] != _MAJOR or length > MAX_RECORD_BYTES:
            raise NotUnderstoodError("that is no TLS record")
        if content == DATA:
            yield from _read_data(flow, length)
            continue
        payload = yield from feed.take(length)
        flow.add(handshake.describe(content, payload))


def _read_data(flow: InspectedFlow, length: int) -> Reading[None]:
    """Pass over a record of application data, and over those that have come behind it."""
    feed = flow.feed
    records, size = 1, HEADER_BYTES + length
    while feed.available > length:
        yield from feed.skip(length)
        header = feed.peek(HEADER_BYTES)
        if header[0] != DATA or len(header) < HEADER_BYTES or header[1] != _MAJOR:
            length = 0
            break
        length = int.from_bytes(header[3:])
        if length > MAX_RECORD_BYTES:
            length = 0
            break
        yield from feed.take(HEADER_BYTES)
        records += 1
        size += HEADER_BYTES + length
    flow.add(TlsData(towards_target=flow.towards_target, size=size, records=records))
    yield from feed.skip(length)


class _Handshake:
    """Describes the records of one direction that are no application data."""

    def __init__(self, flow: InspectedFlow) -> None:
        self._side = flow
        self._kept = bytearray()
        self._has_changed_cipher = False

    def describe(self, content: int, payload: bytes) -> TlsRecord:
        """Return the finding about a record."""
        towards_target, size = self._side.towards_target, HEADER_BYTES + len(payload)
        if content == HANDSHAKE:
            if self._is_encrypted:
                return TlsRecord(towards_target=towards_target, size=size, content="handshake", encrypted=True)
            messages, hello = self._read(payload)
            return TlsRecord(
                towards_target=towards_target, size=size, content="handshake", messages=messages, hello=hello
            )
        if content == ALERT:
            if len(payload) != _ALERT_BYTES:
                return TlsRecord(towards_target=towards_target, size=size, content="alert", encrypted=True)
            return TlsRecord(towards_target=towards_target, size=size, content="alert", alert=name_alert(*payload))
        if content == CHANGE_CIPHER:
            self._has_changed_cipher = True
            return TlsRecord(towards_target=towards_target, size=size, content="change_cipher_spec")
        return TlsRecord(towards_target=towards_target, size=size, content="heartbeat")

    @property
    def _is_encrypted(self) -> bool:
        """Whether handshake messages can't be read: TLS 1.3 sends those as application data, and changes no cipher."""
        return self._has_changed_cipher and self._side.exchange.tls_version not in {"", VERSIONS[0x0304]}

    def _read(self, payload: bytes) -> tuple[tuple[str, ...], ClientHello | ServerHello | None]:
        """Return the names of the messages that a record completes, and the content of a hello among them."""
        self._kept += payload
        names: list[str] = []
        hello: ClientHello | ServerHello | None = None
        while len(self._kept) >= 4:  # noqa: PLR2004  the type, and the length in 3 bytes
            number, end = self._kept[0], 4 + int.from_bytes(self._kept[1:4])
            if end > KEPT_BYTES:
                raise NotUnderstoodError("a handshake message of TLS is too large")
            if end > len(self._kept):
                break
            body = bytes(self._kept[4:end])
            del self._kept[:end]
            names.append(name_handshake(number))
            if names[-1] == "ClientHello":
                hello = decode_client_hello(body)
            elif names[-1] == "ServerHello":
                hello = decode_server_hello(body)
                self._side.exchange.tls_version = hello.version
        return tuple(names[:MAX_NAMED]), hello
