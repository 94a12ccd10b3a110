"""The files of a page, and the headers of answers with them."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable

from sockctl.net.address import is_loopback
from sockctl.protocol.http_rules import HostHeader, Origin, is_ip_address

MEDIA_TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
}
INDEX = "index.html"
_SERVERS = b'<meta name="servers" content="%s">'
"""Where a page is told of other servers."""
Headers = list[tuple[str, str]]
SAFE_HEADERS: Headers = [
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Embedder-Policy", "require-corp"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
]
"""The headers of every answer: no other page may embed or read it."""


@dataclass(frozen=True, slots=True)
class File:
    """A file of the page.

    Attributes:
        data: Its bytes.
        media_type: Its Content-Type.
        etag: Its ETag, which changes with the bytes.
    """

    data: bytes
    media_type: str
    etag: str


class Site:
    """The files that a server gives to browsers. Threads may share it.

    Args:
        files: The files by path, such as ``/`` and ``/page.js``.
    """

    def __init__(self, files: Mapping[str, File]) -> None:
        self._files = dict(files)

    def find(self, path: str, others: Sequence[Origin] = ()) -> File | None:
        """Return the file at a path; None if there is none.

        Args:
            path: The path.
            others: The origins of other servers, of which the page itself is told.
        """
        file = self._files.get(path)
        if file is None or path != "/" or not others:
            return file
        return _make_file(
            file.data.replace(_SERVERS % b"", _SERVERS % " ".join(map(str, others)).encode()), file.media_type
        )


def load_site(folder: Traversable) -> Site:
    """Return the files of a folder of the package; its ``index.html`` is at ``/``."""
    return Site({f"/{'' if each.name == INDEX else each.name}": _load(each) for each in _list_files(folder)})


def _list_files(folder: Traversable) -> Iterable[Traversable]:
    return (each for each in folder.iterdir() if each.name.rpartition(".")[2] in MEDIA_TYPES)


def _load(file: Traversable) -> File:
    return _make_file(file.read_bytes(), MEDIA_TYPES[file.name.rpartition(".")[2]])


def _make_file(data: bytes, media_type: str) -> File:
    return File(data, media_type, f'"{hashlib.sha256(data).hexdigest()[:32]}"')


BARE_POLICY = "default-src 'none'; frame-ancestors 'none'"
"""The Content-Security-Policy of an answer that is no page."""


def make_page_headers(host: HostHeader, others: Iterable[Origin] = (), *, encrypted: bool) -> Headers:
    """Return the headers of a file of the page.

    Its policy allows its own files, its own WebSocket and those of `others`, and nothing else.

    Older versions of Safari don't take ``'self'`` for a WebSocket, so the policy names it; an IPv6 address can't be
    named in a policy. Browsers complain of an opener policy where they don't trust the origin.
    """
    own = [] if ":" in host.host else [f"{'wss' if encrypted else 'ws'}://{host}"]
    sources = " ".join(["'self'", *own, *(one.websocket for one in others)])
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        f"connect-src {sources}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = [("Content-Security-Policy", policy)]
    if encrypted or host.host == "localhost" or (is_ip_address(host.host) and is_loopback(host.host)):
        headers.append(("Cross-Origin-Opener-Policy", "same-origin"))
    return headers
