"""The throttle in an engine (see ``accounts.lua``): several servers let as many guesses pass as one.

The engine has no names or addresses of those who try, but a SHA-256 of them: a user may have typed a password for a
name. Its own clock counts.
"""

import hashlib
import json
import secrets
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, Protocol, TypeVar

from sockctl.cluster.engine import Word
from sockctl.cluster.engine_pool import EnginePool
from sockctl.cluster.keys import ACCOUNTS, FAILURES, KNOWN, PENALTIES, RUNNING, order_key

AT_ONCE = 500
"""Sources of one request, so that the engine answers others soon."""
_TABLES = (PENALTIES, FAILURES, KNOWN)
_KEYS = (ACCOUNTS, *(key for table in _TABLES for key in (table, order_key(table))), RUNNING)

StandingT = TypeVar("StandingT")
AdmissionT = TypeVar("AdmissionT")


class Source(Protocol):
    """The source of a try; `accounts.throttle.Who` is one."""

    @property
    def network(self) -> str: ...  # noqa: D102

    @property
    def account(self) -> str: ...  # noqa: D102

    @property
    def device(self) -> str: ...  # noqa: D102

    @property
    def source(self) -> str: ...  # noqa: D102


class SharedThrottle(Generic[StandingT, AdmissionT]):
    """Counts failures, a `Throttle`. Any thread may use it; each method blocks, and may raise an EngineError.

    Args:
        pool: The connections to the engine.
        costs: The costs of failures, by the names of `accounts.throttle.Penalties`.
        standing: Makes the answer of `assess`.
        admission: Makes the answer of `admit`.
        clock: Returns seconds, for a test; else the engine's clock counts.
    """

    def __init__(
        self,
        pool: EnginePool,
        *,
        costs: Mapping[str, float],
        standing: Callable[[float, bool, bool], StandingT],
        admission: Callable[[str, float], AdmissionT],
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._pool = pool
        self._costs = json.dumps(dict(costs))
        self._make_standing = standing
        self._make_admission = admission
        self._clock = clock

    def assess(self, who: Source) -> StandingT:
        """Return what is known of a source; nothing is counted."""
        wait_s, is_known, failed_recently = self._call("assess", *_make_words(who))
        return self._make_standing(float(wait_s), bool(is_known), bool(failed_recently))

    def admit(self, who: Source) -> AdmissionT:
        """Begin a try, if it is free even though all tries that run on any server fail."""
        ticket = secrets.token_hex(8)
        is_admitted, wait_s = self._call("admit", *_make_words(who), ticket)
        return self._make_admission(ticket if is_admitted else "", float(wait_s))

    def settle(self, who: Source, ticket: str, *, right: bool | None) -> None:
        """Count the end of a try; see `Throttle.settle`."""
        self._call("settle_try", *_make_words(who), ticket, "" if right is None else int(right))

    def know(self, whos: Iterable[Source]) -> None:
        """Note that the accounts logged in from these networks."""
        keys = list(dict.fromkeys(_hash(who.account, who.network) for who in whos))
        for start in range(0, len(keys), AT_ONCE):
            self._call("know", *keys[start : start + AT_ONCE])

    def _call(self, name: str, *arguments: Word) -> Any:
        now = "" if self._clock is None else repr(self._clock())
        return self._pool.call(name, _KEYS, now, self._costs, *arguments)


def _make_words(who: Source) -> tuple[Word, ...]:
    return _hash(who.network), _hash(who.account, who.source), _hash(who.account, who.network), int(bool(who.device))


def _hash(*words: str) -> str:
    return hashlib.sha256("\0".join(words).encode(errors="surrogatepass")).hexdigest()[:32]
