"""Sending the same bytes to many: what a chat does most, so that the usual way is a short one.

The usual way is that nothing waits and the kernel takes all of it. It is written here at length: of the 8 µs that a
delivery takes, a call of Python's costs 0.1, and `with` for a lock 0.1 more than its two calls.
"""

from collections.abc import Iterable

from sockctl.events.reasons import DisconnectReason
from sockctl.net.connection import OUTBOX_BYTES
from sockctl.net.peer import Peer

__all__ = ["post_to_all"]


def post_to_all(peers: Iterable[Peer], data: bytes) -> None:
    """Send what others say to many, encoded for the wire that all of them have; as `Peer.post_encoded` for each.

    Never waits. Whoever has too much waiting is dropped as a slow reader.
    """
    size = len(data)
    for peer in peers:
        connection = peer.outlet
        if connection is None:
            peer.post_encoded(data)
            continue
        within = True
        sent = 0
        lock = connection.lock
        lock.acquire()
        try:
            if not connection.outbox and connection.may_send:
                try:
                    sent = connection.sock_send(data)
                except OSError:
                    sent = 0  # `queue` tries again, and notes what is wrong
                if sent == size:
                    connection.bytes_out += size
                    connection.portions_out += -(-size // connection.portion)
                    if connection.untold:
                        continue
            if sent < size and connection.may_send:
                within = connection.queue(data, OUTBOX_BYTES, sent=sent)
        finally:
            lock.release()
        if not within:
            peer.close(DisconnectReason.SLOW_READER)
        elif connection.outbox or not connection.untold or connection.error is not None:
            connection.on_post(connection)
