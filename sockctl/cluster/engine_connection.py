"""One connection to an engine or a Sentinel, by the library redis-py.

The library tries nothing again by itself. A request whose reply was lost may have been carried out: only the caller
knows what a second one would do.
"""

import ssl
from collections.abc import Sequence
from typing import Any

from redis.backoff import NoBackoff
from redis.connection import Connection, SSLConnection
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry

from sockctl.cluster.engine_access import EngineAccess
from sockctl.cluster.engine_errors import explain, explain_files, read_reply_error

Word = str | bytes | int

MOVED = frozenset({"READONLY", "UNBLOCKED", "MASTERDOWN"})
"""Replies of an engine that is a replica by now: the next request needs another connection."""
NOT_DONE = frozenset({"LOADING", "MASTERDOWN", "MISCONF", "NOPERM", "NOREPLICAS", "OOM", "READONLY"})
"""Errors of an engine that has not begun to carry a request out."""


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
        self.is_open = True

    def ask_all(self, requests: Sequence[Sequence[Word]]) -> list[Any]:
        """Send requests in one piece, and return their replies; one that is an error is an `EngineReplyError`.

        Raises:
            EngineError: A reply is missing, and the engine may have carried requests out.
        """
        replies: list[Any] = []
        try:
            self._connection.connect()
            self._connection.send_packed_command(self._connection.pack_commands(requests))
            for _ in requests:
                replies.append(self._read_reply())
        except (RedisError, OSError) as error:
            self.close()
            raise explain(error, self._access) from error
        return replies

    def close(self) -> None:
        """Close the connection for good."""
        self.is_open = False
        self._connection.disconnect()

    def _read_reply(self) -> Any:
        try:
            return self._connection.read_response()
        except ResponseError as error:
            reply = read_reply_error(error)
            if reply.code in MOVED:
                self.is_open = False
            return reply


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
