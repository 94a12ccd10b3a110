"""Decodes the hellos of TLS: the offer of a client, and the choice of a server (RFC 8446, section 4.1)."""

from dataclasses import dataclass

from sockctl.proxy.tls_names import name_cipher, name_version
from sockctl.text import make_visible

RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
"""The random of a ServerHello that is a HelloRetryRequest."""
SERVER_NAME, ALPN, SUPPORTED_VERSIONS = 0, 16, 43
MAX_OFFERED = 20
"""Versions and protocols of a hello that are kept."""
_RANDOM_BYTES = 32
_GREASE, _GREASE_DIGITS = 0x0A0A, 0xF0F0
"""RFC 8701: two bytes that end in 0xA."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientHello:
    """The offer of a client.

    Attributes:
        server_name: The name of the server that the client wants; None if it gives none.
        alpn: The protocols that it would speak over TLS.
        versions: The versions of TLS, the best first.
    """

    server_name: str | None
    alpn: tuple[str, ...]
    versions: tuple[str, ...]

    def __str__(self) -> str:
        name = f" for {self.server_name}" if self.server_name else ", no server name"
        alpn = f", ALPN {' '.join(self.alpn)}" if self.alpn else ""
        return f"ClientHello{name}, offers {', '.join(self.versions)}{alpn}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerHello:
    """The choice of a server.

    Attributes:
        version: The version of TLS.
        cipher: The cipher suite.
        is_retry: Whether the server asks for another ClientHello.
        alpn: The protocol to speak over TLS; None for none, and in TLS 1.3, where it is encrypted.
    """

    version: str
    cipher: str
    is_retry: bool
    alpn: str | None

    def __str__(self) -> str:
        what = "HelloRetryRequest" if self.is_retry else "ServerHello"
        return f"{what}: {self.version}, {self.cipher}" + (f", ALPN {self.alpn}" if self.alpn else "")


class _Fields:
    """Reads fields one after the other; bytes that are missing are left out, and a number of none is 0."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def take(self, count: int) -> bytes:
        data = self._data[self._at : self._at + count]
        self._at += count
        return data

    def number(self, count: int) -> int:
        return int.from_bytes(self.take(count))

    def block(self, length_bytes: int) -> bytes:
        """Return the bytes behind their length."""
        return self.take(self.number(length_bytes))


def decode_client_hello(body: bytes) -> ClientHello:
    """Return the content of a ClientHello, as far as it has come."""
    fields = _Fields(body)
    legacy = fields.number(2)
    fields.take(_RANDOM_BYTES)
    fields.block(1)  # the session's id
    fields.block(2)  # the cipher suites
    fields.block(1)  # the ways to compress
    extensions = _read_extensions(fields)
    names = _Fields(extensions.get(SERVER_NAME, b""))
    names.take(3)  # the length of the list, and the type of the first name
    server_name = _read_name(names.block(2))
    offered = _Fields(_Fields(extensions.get(SUPPORTED_VERSIONS, b"")).block(1))
    versions: list[str] = []
    while offered and len(versions) < MAX_OFFERED:
        number = offered.number(2)
        if not _means_nothing(number):
            versions.append(name_version(number))
    return ClientHello(
        server_name=server_name or None,
        alpn=_read_alpn(extensions),
        versions=tuple(versions) or (name_version(legacy),),
    )


def decode_server_hello(body: bytes) -> ServerHello:
    """Return the content of a ServerHello, as far as it has come."""
    fields = _Fields(body)
    legacy = fields.number(2)
    is_retry = fields.take(_RANDOM_BYTES) == RETRY
    fields.block(1)  # the session's id
    cipher = fields.number(2)
    fields.take(1)  # the way to compress
    extensions = _read_extensions(fields)
    version = int.from_bytes(extensions.get(SUPPORTED_VERSIONS, b"")[:2]) or legacy
    return ServerHello(
        version=name_version(version),
        cipher=name_cipher(cipher),
        is_retry=is_retry,
        alpn=next(iter(_read_alpn(extensions)), None),
    )


def _read_name(name: bytes) -> str:
    return make_visible(name.decode("ascii", "replace"))


def _means_nothing(number: int) -> bool:
    """Return whether a client has offered a number only to see whether servers pass over unknown ones (RFC 8701)."""
    return number & ~_GREASE_DIGITS == _GREASE


def _read_extensions(fields: _Fields) -> dict[int, bytes]:
    block = _Fields(fields.block(2))
    extensions: dict[int, bytes] = {}
    while block:
        number = block.number(2)
        extensions[number] = block.block(2)
    return extensions


def _read_alpn(extensions: dict[int, bytes]) -> tuple[str, ...]:
    names = _Fields(_Fields(extensions.get(ALPN, b"")).block(2))
    protocols: list[str] = []
    while names and len(protocols) < MAX_OFFERED:
        name = names.block(1)
        if not _means_nothing(int.from_bytes(name)):
            protocols.append(_read_name(name))
    return tuple(protocols)
