"""The heads and bodies of HTTP/1 that the proxy has seen, without passwords and tokens."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import unquote

from sockctl.proxy.seen import HELD_BYTES, HIDDEN, WIDEST, Seen, shorten
from sockctl.text import format_bytes, format_count

HEADER_BYTES = 300
"""Bytes of memory that a header takes beside its characters."""
_SECRET_HEADER = re.compile(
    r"(?i)authorization|cookie|token|secret|passw|passphrase|credential|session"
    r"|(?:api|auth|access|account|private|functions|subscription)[-_]?key|(?:^|[-_])(?:auth|jwt|otp|sid)$"
)
"""Finds in a header's name that its value may give access, such as in X-Vault-Token or X-Auth-Key."""
_SECRET_PROTOCOLS = re.compile(r"(?i)bearer|token|secret|passw|credential|auth|session|jwt|key|[^\s,]{32}")
"""Finds in Sec-WebSocket-Protocol a token: a page can give its WebSocket no other header. Names are short."""
_SCHEME = re.compile(r"(?i)(basic|bearer|digest|negotiate|ntlm) ")
_USER = re.compile(r"//[^/?#\s]*@")
"""Finds a user and a password, up to the last @ in front of a host: not all clients encode one in a password."""
_TARGET_USER = re.compile(r"^[^/?#\s]*@")
"""Finds them in the target of CONNECT, which is a host and a port."""
_FIELD = re.compile(r"(?i)(?:[?&;#]|%(?:3f|26|3b|23))((?:(?!%3d|%3f|%26|%3b|%23)[^=&;#?])*)(?:=|%3d)")
"""Finds a field of a query or a fragment, also of an encoded address in another field, up to its value."""
_SECRET_FIELD = re.compile(
    r"(?i)token|secret|passw|passphrase|credential|signature|authorization|session|(?:api|access|account|private)[-_.]?key"
    r"|(?:^|[-_.\[])(?:auth|code|jwt|key|otp|pass|pwd|sid|sig)\]?$"
)
"""Finds in a field's name that its value may give access, such as in access_token, user[pass] or X-Amz-Signature."""
_TARGET_END = re.compile(r"[&#]|$")
_HEADER_END = re.compile(r"[&#\s<>\"]|$")
"""Where the value of a field ends in a target, and in a header, which may hold more than an address."""

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpHead(Seen):
    """The head of a request or a response.

    Attributes:
        version: The version of HTTP.
        headers: The names and values of the headers, without secrets.
        body_bytes: Bytes of the body; None where its end is found otherwise.
        chunked: Whether the body comes in chunks.
    """

    version: str
    headers: Headers
    body_bytes: int | None
    chunked: bool

    @property
    def held_bytes(self) -> int:
        return HELD_BYTES + WIDEST * self.size + HEADER_BYTES * len(self.headers)

    @property
    def details(self) -> Sequence[str]:
        return [shorten(f"{name}: {value}") for name, value in self.headers]

    @property
    def body(self) -> str:
        """The body in words, with a comma in front; empty for none."""
        kind = find_header(self.headers, "content-type")
        of_kind = f" ({shorten(kind.partition(';')[0])})" if kind else ""
        if self.chunked:
            return f", body in chunks{of_kind}"
        if self.body_bytes is None:
            return f", body up to the end{of_kind}"
        return f", body of {format_bytes(self.body_bytes)}{of_kind}" if self.body_bytes else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest(HttpHead):
    """The head of a request.

    Attributes:
        method: The method.
        target: The path or address that is requested.
        host: The header Host; None if it is missing.
        upgrade: The protocol to which the client wants to change; None for none.
    """

    kind: ClassVar[str] = "http_request"

    method: str
    target: str
    host: str | None
    upgrade: str | None

    @property
    def text(self) -> str:
        host = f" at {shorten(self.host)}" if self.host else ""
        upgrade = f", wants to change to {shorten(self.upgrade)}" if self.upgrade else ""
        return f"HTTP request {self.method} {shorten(self.target)}{host}{self.body}{upgrade}."


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse(HttpHead):
    """The head of a response.

    Attributes:
        status: The status.
        reason: The words behind it.
        upgrade: The protocol to which the connection changes; None for none.
    """

    kind: ClassVar[str] = "http_response"

    status: int
    reason: str
    upgrade: str | None

    @property
    def text(self) -> str:
        changes = f", the connection changes to {shorten(self.upgrade)}" if self.upgrade else ""
        return f"HTTP response {self.status} {shorten(self.reason)}".rstrip() + f"{self.body}{changes}."


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpBody(Seen):
    """A body that has passed as a whole.

    Attributes:
        chunks: How many chunks it came in; None if it came in one piece.
    """

    kind: ClassVar[str] = "http_body"
    is_notable: ClassVar[bool] = False

    chunks: int | None = None

    @property
    def text(self) -> str:
        how = "" if self.chunks is None else f", in {format_count(self.chunks, 'chunk')}"
        return f"HTTP body complete: {format_bytes(self.size)}{how}."


def find_header(headers: Headers, name: str) -> str:
    """Return the value of a header, whose name is in small letters; empty if it is missing."""
    return next((value for found, value in headers if found.lower() == name), "")


def hide_in_target(target: str) -> str:
    """Return what a request asks for without a user's name and password, and fields that give access, in it."""
    return _hide_in(_TARGET_USER.sub(f"{HIDDEN}@", target), _TARGET_END)


def hide_secrets(headers: Headers) -> Headers:
    """Return headers without what gives access, also in the addresses that they name."""
    return [(name, _hide_header(name, value)) for name, value in headers]


def _hide_header(name: str, value: str) -> str:
    if _SECRET_HEADER.search(name):
        scheme = _SCHEME.match(value)
        return f"{scheme[0] if scheme else ''}{HIDDEN}"
    if name.strip().lower() == "sec-websocket-protocol" and _SECRET_PROTOCOLS.search(value):
        return HIDDEN
    return _hide_in(value, _HEADER_END)


def _hide_in(text: str, end: re.Pattern[str]) -> str:
    text = _USER.sub(f"//{HIDDEN}@", text)
    pieces: list[str] = []
    at = 0
    while (found := _FIELD.search(text, at)) is not None:
        pieces.append(text[at : found.end()])
        at = found.end()
        if _SECRET_FIELD.search(unquote(found[1])):
            ends = end.search(text, at)
            pieces.append(HIDDEN)
            at = len(text) if ends is None else ends.start()
    return "".join(pieces) + text[at:]
