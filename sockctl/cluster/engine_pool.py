"""A few connections to an engine, for threads that ask it now and then: those of logins."""

import threading
import time
from collections.abc import Sequence
from typing import Any

from sockctl.cluster.engine import Engine, Word
from sockctl.cluster.engine_access import EngineAccess
from sockctl.cluster.engine_connection import MOVED, NOT_DONE
from sockctl.cluster.engine_errors import explain_reply
from sockctl.cluster.functions import Library, call_function
from sockctl.errors import EngineAwayError, EngineReplyError, EngineTimeoutError

SIZE = 4
"""Connections at most: a request of a login takes some 0.1 ms."""
PAUSE_S = 1.0
"""How long no request is sent after one that had no answer in time: else each login would wait as long again."""


class EnginePool:
    """Connections. Any thread may use it; a request blocks until its reply has come.

    A request may be sent twice, over a new connection, where a connection turns out to be broken. So each function of
    the accounts has the same effect if it is called twice.

    Args:
        access: The way to the engine.
        size: The most connections.

    Raises:
        CertificateError: A file of the certificates can't be used.
    """

    def __init__(self, access: EngineAccess, *, size: int = SIZE) -> None:
        self._access = access
        self._free = threading.Semaphore(size)
        self._lock = threading.Lock()  # guards all below; a leaf
        self._idle = [Engine(access)]
        self._used: set[Engine] = set()  # those that have had an answer
        self._slow_until = 0.0

    def __str__(self) -> str:
        return str(self._access)

    def call(self, name: str, keys: Sequence[str], *arguments: Word) -> Any:
        """Call a function of the accounts, and return its reply.

        Raises:
            EngineReplyError: The function refuses; its `code` says why. Or the engine does; the text says what to do.
            EngineError: There is no reply, and the engine may have carried the call out.
        """
        try:
            return self._call(name, keys, arguments)
        except EngineReplyError as error:
            if error.code not in NOT_DONE:
                raise
            raise explain_reply(error, self._access) from error

    def _call(self, name: str, keys: Sequence[str], arguments: Sequence[Word]) -> Any:
        if time.monotonic() < self._slow_until or not self._free.acquire(timeout=self._access.timeout_s):
            raise EngineTimeoutError(f"{self} is too slow: see whether the engine runs there.")
        try:
            with self._lock:
                engine = self._idle.pop() if self._idle else Engine(self._access)
            try:
                return self._try_twice(engine, name, keys, arguments)
            finally:
                with self._lock:
                    self._idle.append(engine)
        finally:
            self._free.release()

    def close(self) -> None:
        """Close the idle connections; the next request opens another one."""
        with self._lock:
            idle, self._idle, self._used = self._idle, [], set()
        for engine in idle:
            engine.close()

    def _try_twice(self, engine: Engine, name: str, keys: Sequence[str], arguments: Sequence[Word]) -> Any:
        try:
            return self._try(engine, name, keys, arguments)
        except EngineTimeoutError:
            self._slow_until = time.monotonic() + PAUSE_S
            raise
        except EngineReplyError as error:
            if error.code not in MOVED:
                raise
            self.close()  # it is no primary any more: Sentinels may know another one
        except EngineAwayError:
            was_used = engine in self._used
            self.close()  # they are broken, too
            if not was_used:
                raise
        return self._try(engine, name, keys, arguments)

    def _try(self, engine: Engine, name: str, keys: Sequence[str], arguments: Sequence[Word]) -> Any:
        reply = call_function(engine, name, keys, *arguments, library=Library.ACCOUNTS)
        with self._lock:
            self._used.add(engine)
        return reply
