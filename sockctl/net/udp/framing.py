"""Datagrams in a stream of bytes, as the client's session and its socket exchange them. No network ever carries it.

So a loop for streams carries datagrams. A frame has a byte for the kind, 2 bytes for the length (big-endian), and the
datagram.
"""

from collections.abc import Iterator

LONGEST_BYTES = 65_507
"""Bytes of the longest datagram over IPv4: 65,535 less its headers of IP (20) and UDP (8), RFC 768 and 791."""
HEAD_BYTES = 3
DATAGRAM, FAILURE = 0, 1
"""The kinds: a datagram, and the text of an error that the system has reported for an earlier one."""


def frame(data: bytes, kind: int = DATAGRAM) -> bytes:
    """Return a datagram, or the text of an error, with its head."""
    return bytes((kind,)) + len(data).to_bytes(2) + data


def find_frames(data: bytes | bytearray | memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield the kind and the content of each whole frame."""
    view, at = memoryview(data), 0
    while len(view) - at >= HEAD_BYTES:
        start = at + HEAD_BYTES
        end = start + int.from_bytes(view[at + 1 : start])
        if end > len(view):
            return
        yield view[at], view[start:end]
        at = end
