"""One connection to an engine or a Sentinel, which the library redis-py opens: TLS, login, database.

Requests and replies then pass by hiredis alone, in a third of the time: each message of a chat waits for them. Nothing
is tried again by itself. A request whose reply was lost may have been carried out: only the caller knows what a second
one would do.
"""

import select
import socket
import ssl
from collections.abc import Iterable, Sequence
from typing import Any

import hiredis
from redis.backoff import NoBackoff
from redis.connection import Connection, SSLConnection
from redis.exceptions import ConnectionError as BrokenError
from redis.exceptions import InvalidResponse, RedisError, ResponseError
from redis.retry import Retry

from sockctl.cluster.engine_access import EngineAccess
from sockctl.cluster.engine_errors import explain, explain_files, read_reply_error

Word = str | bytes | int

MOVED = frozenset({"READONLY", "UNBLOCKED", "MASTERDOWN"})
"""Replies of an engine that is a replica by now: the next request needs another connection."""
NOT_DONE = frozenset({"LOADING", "MASTERDOWN", "MISCONF", "NOPERM", "NOREPLICAS", "OOM", "READONLY"})
"""Errors of an engine that has not begun to carry a request out."""
_READ_BYTES = 65_536
_NONE_YET = object()
_pack: Any = hiredis.pack_command  # its types know no request of several words


class EngineConnection:
    """A connection, which opens with its first request. One thread uses it at a time.

    Args:
        access: The way to one engine, or to one Sentinel.

    Attributes:
        is_open: Whether the connection still stands, and its engine takes messages, as far as known.
    """

    def __init__(self, access: EngineAccess) -> None:
        self._access = access
        self._connection = _make_connection(access)
        self._sock: socket.socket | None = None
        self._replies = hiredis.Reader(
            protocolError=InvalidResponse,
            replyError=self._connection._parser.parse_error,  # the library has no public way
            notEnoughData=_NONE_YET,
        )
        self.is_open = True

    def ask_all(self, requests: Sequence[Sequence[Word]]) -> list[Any]:
        """Send requests in one piece, and return their replies; one that is an error is an `EngineReplyError`.

        Raises:
            EngineError: A reply is missing, and the engine may have carried requests out.
        """
        self.send(requests)
        return [self.receive() for _ in requests]

    def send(self, requests: Sequence[Sequence[Word]]) -> None:
        """Send requests in one piece; connect first if need be.

        Raises:
            EngineError: The engine may have got some of them.
        """
        try:
            sock = self._sock or self._open()
            sock.sendall(b"".join([_pack((*words,)) for words in requests]))
        except (RedisError, OSError) as error:
            self.close()
            raise explain(error, self._access) from error

    def receive(self) -> Any:
        """Wait for the next reply, and return it; one that is an error is an `EngineReplyError`.

        Raises:
            EngineError: It is missing, and the engine may have carried its request out.
        """
        try:
            reply = self._replies.gets()
            while reply is _NONE_YET:
                data = b"" if self._sock is None else self._sock.recv(_READ_BYTES)
                if not data:
                    raise BrokenError("closed")
                self._replies.feed(data)
                reply = self._replies.gets()
            if isinstance(reply, RedisError) and not isinstance(reply, ResponseError):
                raise reply  # the engine lets nobody in
        except (RedisError, OSError) as error:
            self.close()
            raise explain(error, self._access) from error
        if not isinstance(reply, ResponseError):
            return reply
        refusal = read_reply_error(reply)
        if refusal.code in MOVED:
            self.is_open = False
        return refusal

    def fileno(self) -> int:
        """Return the descriptor of the connection; -1 while it isn't open."""
        sock = self._sock  # another thread may close it meanwhile
        return -1 if sock is None else sock.fileno()

    def _open(self) -> socket.socket:
        self._connection.connect()
        sock: socket.socket = self._connection._sock  # nor for this
        self._sock = sock
        return sock

    def close(self) -> None:
        """Close the connection for good."""
        self.is_open, self._sock = False, None
        self._connection.disconnect()


def _make_connection(access: EngineAccess) -> Any:
    login = access.login
    settings: dict[str, Any] = {
        "host": access.host,
        "port": access.port,
        "db": access.database,
        "username": login.user if login is not None else None,
        "password": login.password if login is not None else None,
        "socket_timeout": access.timeout_s,
        "socket_connect_timeout": access.timeout_s,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
    }
    make: Any = Connection
    if access.tls:
        make = SSLConnection
        files = {"ssl_ca_certs": access.ca, "ssl_certfile": access.certificate, "ssl_keyfile": access.key}
        settings |= {name: str(file) for name, file in files.items() if file is not None}
        settings |= {"ssl_check_hostname": True, "ssl_min_version": ssl.TLSVersion.TLSv1_2}
    connection = make(**settings)
    # Without a name, in any of its versions, the library sends no CLIENT SETINFO, which would need a right.
    for name in ("driver_info", "lib_name", "lib_version"):
        setattr(connection, name, None)
    return connection


def list_readable(descriptors: Iterable[int], wait_ms: float) -> list[int]:
    """Wait so long at most, and return the descriptors that are readable; one below 0 never is."""
    poll = select.poll()
    for each in descriptors:
        if each >= 0:
            poll.register(each, select.POLLIN)
    return [descriptor for descriptor, _ in poll.poll(wait_ms)]


def check_files(access: EngineAccess) -> None:
    """Refuse files that can't be used; the library would report them as an engine that can't be reached.

    Raises:
        CertificateError: A file of the certificates can't be used.
    """
    if not access.tls:
        return
    context = ssl.create_default_context()
    try:
        if access.ca is not None:
            context.load_verify_locations(access.ca)
        if access.certificate is not None:
            context.load_cert_chain(access.certificate, access.key, password=_refuse_password)
    except (OSError, ValueError) as error:  # SSLError is an OSError
        raise explain_files(error, access) from error


def _refuse_password() -> str:
    raise ValueError("the key is locked with a password")
