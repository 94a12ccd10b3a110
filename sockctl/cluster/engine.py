"""The client of an engine, Redis or Valkey, over the library redis-py.

The library tries nothing again by itself: a request whose reply was lost may have been carried out, and only the caller
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
from sockctl.errors import EngineReplyError

Word = str | bytes | int


class Engine:
    """One connection to an engine. Each request blocks until its reply has come. One thread uses it at a time.

    Args:
        access: The way to the engine.

    Raises:
        CertificateError: A file of the certificates can't be used.
    """

    def __init__(self, access: EngineAccess) -> None:
        self._access = access
        self._connection: Any = _make_connection(access)

    def ask(self, *words: Word) -> Any:
        """Send a request, and return its reply; connect first if need be.

        Raises:
            EngineReplyError: The reply is an error.
            EngineError: There is no reply, and the engine may have carried the request out.
        """
        [reply] = self.ask_all([words])
        if isinstance(reply, EngineReplyError):
            raise reply
        return reply

    def ask_all(self, requests: Sequence[Sequence[Word]]) -> list[Any]:
        """Send requests in one piece, and return their replies; one that is an error is an `EngineReplyError`.

        Raises:
            EngineError: A reply is missing, and the engine may have carried requests out.
        """
        connection = self._connection
        replies: list[Any] = []
        try:
            connection.connect()
            connection.send_packed_command(connection.pack_commands(requests))
            for _ in requests:
                replies.append(self._read_reply())
        except (RedisError, OSError) as error:
            self.close()
            raise explain(error, self._access) from error
        return replies

    def close(self) -> None:
        """Close the connection; the next request opens another one."""
        self._connection.disconnect()

    def _read_reply(self) -> Any:
        try:
            return self._connection.read_response()
        except ResponseError as error:
            return read_reply_error(error)


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
        _check_files(access)
        make = SSLConnection
        files = {"ssl_ca_certs": access.ca, "ssl_certfile": access.certificate, "ssl_keyfile": access.key}
        settings |= {name: str(file) for name, file in files.items() if file is not None}
        settings |= {"ssl_check_hostname": True, "ssl_min_version": ssl.TLSVersion.TLSv1_2}
    return make(**settings)


def _check_files(access: EngineAccess) -> None:
    """Refuse files that can't be used; the library would report them as an engine that can't be reached."""
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
