"""TLS over a socket that never blocks, with the methods of a socket, so that its callers need not know of TLS.

The TLS object works on memory, never on the socket: `TlsSocket` feeds received bytes to it, and sends the bytes that it
makes. So each call is short, and one lock keeps threads apart (two threads in one TLS object crash the process).
Callers wait outside, with the socket's descriptor, as they do for a plain socket.

- *Reading* takes all bytes of the socket and decrypts them, so that none stay inside the object, where no poller sees
  them. Bytes beyond the caller's buffer wait in a stash, and `pending` says so.
  From a client with tiny or empty records (key updates), reading takes little at once: to the event thread these cost a
  hundred times as much as other bytes.
- *Sending* encrypts 16 KiB at a time. `TlsSocket` keeps the part of a record that the kernel doesn't take, and counts
  its plain bytes as sent when the last one has gone. The caller repeats them, as with any socket that takes a part.
- *Half-close* decrypts all received bytes, then sends a close_notify; reading goes on (RFC 8446, 6.1).

The module is longer than others: it is one class, whose every method needs the state that the others keep.
"""

import contextlib
import select
import socket
import ssl
import threading
from typing import Any, Self

from sockctl.net.tls_failures import explain
from sockctl.net.transport import CertificateRefusedError, TransportError
from sockctl.protocol.server_wire import TLS_HANDSHAKE

RECORD_BYTES = 16_384
"""The most plain bytes of a record, RFC 8446 section 5.1."""
READ_BYTES = 49_152
"""The most bytes of one read: with the rest of an earlier record, they give at most 64 KiB of plain bytes."""
LITTLE_BYTES = 1_024
"""Bytes of one read from a client with nearly empty records, each of which costs nearly as much as one of 16 KiB."""
MAX_WASTE_BYTES = RECORD_BYTES + 512
"""Encrypted bytes that may give no plain ones: as many may be the beginning of a record."""
OVERHEAD = 1.125
"""Encrypted bytes for each plain byte, in records of 200 bytes."""
_NO_TLS = b"\x15\x03\x01\x00\x02\x02\x46"
"""A fatal alert, protocol_version, RFC 8446 section 6."""
_HTTP_METHODS = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"CONNECT", b"PRI"})


class TlsSocket:
    """A connected socket under TLS. Any thread may send; one at a time may receive beside it.

    Args:
        sock: The connected socket; this object owns it, and makes it non-blocking.
        context: The TLS context.
        server_side: Whether this side is the server.
        server_hostname: The server's name, which the context may verify; None on the server's side.

    Attributes:
        read_bytes: The most encrypted bytes of one recv(), at most `READ_BYTES`; the caller may lower it.
        raw_bytes_in: Encrypted bytes received from the socket.
        cut: Whether the other side has ended without a close_notify, so that bytes may be missing.
    """

    def __init__(
        self, sock: socket.socket, context: ssl.SSLContext, *, server_side: bool, server_hostname: str | None = None
    ) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._server_side = server_side
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_side, server_hostname=server_hostname
        )
        self._lock = threading.Lock()  # guards the TLS object and everything below
        self._stash = bytearray()
        self._ciphertext = b""
        self._started = 0  # plain bytes of the record that the kernel has taken in part
        self._ended = False  # the other side's close_notify has come
        self._shut = False  # this side's has gone, or can't go any more
        self._failure: TransportError | None = None
        self._waste = 0.0  # encrypted bytes beyond the usual number for their plain ones
        self.read_bytes = READ_BYTES
        self.raw_bytes_in = 0
        self.cut = False

    # Handshake.

    def shake_hands(self) -> int:
        """Go on with the handshake; return the event to wait for in `select.poll`'s terms, or 0 when it is done.

        Raises:
            TransportError: The handshake failed; an alert tells the other side why, if possible.
        """
        with self._lock:
            while True:
                try:
                    self._tls.do_handshake()
                except ssl.SSLWantReadError:
                    if not self._flush():
                        return select.POLLOUT
                    if not self._feed():
                        return select.POLLIN
                except ssl.SSLError as error:
                    self._shut = True
                    with contextlib.suppress(OSError):
                        self._flush()  # the alert
                    refused = isinstance(error, ssl.SSLCertVerificationError)
                    raise (CertificateRefusedError if refused else TransportError)(explain(error)) from error
                else:
                    return 0 if self._flush() else select.POLLOUT

    def get_certificate(self) -> bytes:
        """Return the other side's certificate in DER, empty if it has shown none."""
        with self._lock:
            return self._tls.getpeercert(True) or b""

    def describe(self) -> tuple[str, str]:
        """Return the version and the cipher agreed on, such as ``TLSv1.3`` and ``TLS_AES_256_GCM_SHA384``."""
        with self._lock:
            cipher = self._tls.cipher()
            return self._tls.version() or "", cipher[0] if cipher else ""

    def _feed(self) -> bool:
        """Receive bytes of the handshake; return whether there were any."""
        try:
            data = self._sock.recv(self.read_bytes)
        except BlockingIOError:
            return False
        if not data:
            raise TransportError("the other side ended the connection during the handshake")
        if self._server_side and not self.raw_bytes_in and data[0] != TLS_HANDSHAKE:
            self._shut = True
            with contextlib.suppress(OSError):
                self._sock.send(_NO_TLS)  # OpenSSL waits for five bytes, which may never come
            http = data.split(b" ", 1)[0] in _HTTP_METHODS
            raise TransportError(f"the other side spoke {'HTTP' if http else 'plain text'}, not TLS")
        self.raw_bytes_in += len(data)
        self._incoming.write(data)
        return True

    # A socket's methods.

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._sock.fileno()

    def getsockopt(self, level: int, name: int, length: int) -> bytes:
        """Return an option of the socket."""
        return self._sock.getsockopt(level, name, length)

    def setsockopt(self, level: int, name: int, value: bytes) -> None:
        """Set an option of the socket."""
        self._sock.setsockopt(level, name, value)

    @property
    def pending(self) -> bool:
        """Whether bytes can be received that no poller can see."""
        with self._lock:
            return bool(self._stash) or self._incoming.pending > 0 or self._tls.pending() > 0

    def recv_into(self, buffer: bytearray | memoryview) -> int:
        """Receive into `buffer`; return how many bytes, 0 at the end.

        Raises:
            BlockingIOError: There are no bytes yet.
            TransportError: The other side sent no TLS.
            OSError: The connection broke.
        """
        with self._lock:
            if self._stash or self._incoming.pending or self._tls.pending() or self._failure or self._ended:
                count = self._empty_stash(buffer) or self._decrypt_into(memoryview(buffer))
                if count or self._ended:
                    return count
            wasteful = self._waste > MAX_WASTE_BYTES
            data = self._sock.recv(min(self.read_bytes, LITTLE_BYTES) if wasteful else self.read_bytes)
            if not data:
                self.cut = not self._ended
                self._ended = True
                return 0
            self.raw_bytes_in += len(data)
            self._incoming.write(data)
            count = self._decrypt_into(memoryview(buffer))
            self._waste = min(max(0.0, self._waste + len(data) - OVERHEAD * count), 2.0 * MAX_WASTE_BYTES)
            if self._outgoing.pending and not self._started:
                self._flush()  # TLS has an answer of its own
            if not count and not self._ended:
                raise BlockingIOError
            return count

    def recv(self, max_bytes: int) -> bytes:
        """Receive up to `max_bytes`; no bytes at the end. Raises what `recv_into` raises."""
        buffer = bytearray(max_bytes)
        return bytes(buffer[: self.recv_into(buffer)])

    def send(self, data: bytes | bytearray | memoryview) -> int:
        """Send some of `data`; return how many bytes have gone. The caller must send the rest again, unchanged.

        Raises:
            BlockingIOError: The kernel takes nothing right now.
            OSError: The connection broke.
        """
        with self._lock:
            if self._started:
                if not self._flush():
                    raise BlockingIOError
                done, self._started = self._started, 0
                return done
            total, size = 0, len(data)
            while total < size:
                count = self._write(data if size <= RECORD_BYTES else data[total : total + RECORD_BYTES])
                if not self._flush():
                    self._started = count
                    break
                total += count
            if not total and size:
                raise BlockingIOError
            return total

    def shutdown(self, how: int) -> None:
        """Shut a side of the connection; send a close_notify before shutting the sending side.

        Raises:
            OSError: The socket is no longer connected.
        """
        if how != socket.SHUT_RD:
            self._say_goodbye()
        self._sock.shutdown(how)

    def close(self) -> None:
        """Send a close_notify if the kernel takes it at once, and close the socket."""
        self._say_goodbye()
        self._sock.close()

    def setblocking(self, flag: bool) -> None:
        """Do nothing: this socket is always non-blocking."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Under the lock.

    def _empty_stash(self, buffer: bytearray | memoryview) -> int:
        count = min(len(self._stash), len(buffer))
        if count:
            buffer[:count] = self._stash[:count]
            del self._stash[:count]
        return count

    def _decrypt_into(self, view: memoryview) -> int:
        """Decrypt received bytes into `view`; a record gives 16 KiB at most, so this reads several times."""
        if self._failure is not None:
            raise self._failure
        total, room = 0, len(view)
        incoming, tls = self._incoming, self._tls
        # Without bytes, TLS raises an error, which costs more than this check.
        while total < room and (incoming.pending or tls.pending()):
            try:
                count = tls.read(room - total, view[total:] if total else view)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                self._end_input()
                break
            except ssl.SSLError as error:
                self._failure = TransportError(explain(error))
                self._shut = True
                if not total:
                    raise self._failure from error
                self._stay_readable()
                break
            if not count:
                self._end_input()
                break
            total += int(count)
        return total

    def _end_input(self) -> None:
        self._ended = True
        self._stay_readable()

    def _stay_readable(self) -> None:
        """Have pollers report the socket from now on, so that a caller reads the end behind the data."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RD)

    def _write(self, data: Any) -> int:
        try:
            return self._tls.write(data)
        except ssl.SSLError as error:
            raise TransportError(explain(error)) from error

    def _flush(self) -> bool:
        """Send the bytes that TLS has made; return whether all have gone."""
        ciphertext = self._ciphertext + self._outgoing.read() if self._ciphertext else self._outgoing.read()
        while ciphertext:
            try:
                sent = self._sock.send(ciphertext)
            except BlockingIOError:
                self._ciphertext = ciphertext
                return False
            ciphertext = ciphertext[sent:]
        self._ciphertext = b""
        return True

    def _say_goodbye(self) -> None:
        with self._lock:
            if self._shut or self._started:
                return  # it has gone already, or can't go in the middle of a record
            self._shut = True
            with contextlib.suppress(OSError):  # SSLError is one: no byte can be sent any more
                self._keep_what_came()
                with contextlib.suppress(ssl.SSLError):
                    self._tls.unwrap()  # raises for want of the other side's close_notify, which reading will find
                self._flush()

    def _keep_what_came(self) -> None:
        """Decrypt all bytes into the stash: a close_notify before that would lose them."""
        buffer = bytearray(RECORD_BYTES)
        while count := self._decrypt_into(memoryview(buffer)):
            self._stash += buffer[:count]
