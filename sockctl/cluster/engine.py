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
        [reply] = self.ask_all([words])
        if isinstance(reply, EngineReplyError):
            raise reply
        return reply

    def ask_all(self, requests: Sequence[Sequence[Word]]) -> list[Any]:
        """Send requests in one piece, and return their replies; one that is an error is an `EngineReplyError`.

        Raises:
            EngineError: A reply is missing, and the engine may have carried requests out.
        """
        connection = self._connection or self._connect()
        try:
            return connection.ask_all(requests)
        finally:
            if not connection.is_open:
                self.close()
                if self._sentinels is not None:
                    self._sentinels.distrust()

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
