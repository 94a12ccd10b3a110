"""The client of an engine, Redis or Valkey."""

from collections.abc import Sequence
from typing import Any

from sockctl.cluster.engine_access import EngineAccess
from sockctl.cluster.engine_connection import EngineConnection, Word, check_files
from sockctl.cluster.engine_sentinel import Sentinels
from sockctl.errors import EngineReplyError

__all__ = ["Engine", "Word"]


class Engine:
    """One connection to an engine. Each request blocks until its reply has come. One thread uses it at a time.

    Where Sentinels know the engine's place, each new connection goes to the one that they name then.

    Args:
        access: The way to the engine.

    Raises:
        CertificateError: A file of the certificates can't be used.
    """

    def __init__(self, access: EngineAccess) -> None:
        check_files(access)
        self._access = access
        self._sentinels = Sentinels(access) if access.sentinels else None
        self._connection: EngineConnection | None = None

    def ask(self, *words: Word) -> Any:
        """Send a request, and return its reply; connect first if need be.

        Raises:
            EngineReplyError: The reply is an error.
            EngineError: There is no reply, and the engine may have carried the request out.
        """
        self.send(*words)
        return self.receive()

    def ask_all(self, requests: Sequence[Sequence[Word]]) -> list[Any]:
        """Send requests in one piece, and return their replies; one that is an error is an `EngineReplyError`.

        Raises:
            EngineError: A reply is missing, and the engine may have carried requests out.
        """
        connection = self._connection or self._connect()
        try:
            return connection.ask_all(requests)
        finally:
            self._forget_if_broken(connection)

    def send(self, *words: Word) -> None:
        """Send a request, whose reply `receive` returns; connect first if need be.

        Over an open connection that waits for no reply, a short request doesn't block: the kernel has room for it.

        Raises:
            EngineError: The engine may have got the request.
        """
        connection = self._connection or self._connect()
        try:
            connection.send([words])
        finally:
            self._forget_if_broken(connection)

    def receive(self) -> Any:
        """Wait for the reply to a request that was sent, and return it; raises as `ask` does."""
        connection = self._connection or self._connect()
        try:
            reply = connection.receive()
        finally:
            self._forget_if_broken(connection)
        if isinstance(reply, EngineReplyError):
            raise reply
        return reply

    def fileno(self) -> int:
        """Return the descriptor on which a reply arrives; -1 while there is no connection."""
        connection = self._connection
        return -1 if connection is None else connection.fileno()

    def close(self) -> None:
        """Close the connection; the next request opens another one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def find_place(self) -> EngineAccess:
        """Return the way to the engine itself, which Sentinels may know. It blocks.

        Raises:
            EngineError: No Sentinel tells.
        """
        return self._access if self._sentinels is None else self._sentinels.find_engine()

    def _connect(self) -> EngineConnection:
        self._connection = EngineConnection(self.find_place())
        return self._connection

    def _forget_if_broken(self, connection: EngineConnection) -> None:
        if not connection.is_open:
            self.close()
            if self._sentinels is not None:
                self._sentinels.distrust()
