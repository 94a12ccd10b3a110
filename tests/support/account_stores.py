"""Stores of accounts for tests that run with each kind: the files of a data directory, and an engine."""

import dataclasses
from collections.abc import Callable

from sockctl.accounts.accounts import AccountStores
from sockctl.accounts.session_store import LIMITS
from sockctl.accounts.settings import FORM as SETTINGS_FORM
from sockctl.accounts.throttle import PENALTIES, Admission, Penalties, Standing
from sockctl.accounts.user import FORM
from sockctl.cluster.engine_pool import EnginePool
from sockctl.cluster.sessions import SharedSessions
from sockctl.cluster.throttle import SharedThrottle
from sockctl.cluster.users import SharedSettings, SharedUsers


def shared_throttle(
    pool: EnginePool, clock: Callable[[], float] | None = None, penalties: Penalties = PENALTIES
) -> SharedThrottle[Standing, Admission]:
    return SharedThrottle(
        pool, costs=dataclasses.asdict(penalties), standing=Standing, admission=Admission, clock=clock
    )


def shared_stores(pool: EnginePool, **limits: int) -> AccountStores:
    """Return stores that go by the test's clock, not by the engine's."""
    return AccountStores(
        settings=SharedSettings(pool, check=SETTINGS_FORM),
        users=SharedUsers(pool, check=FORM),
        sessions=SharedSessions(pool, limits={**LIMITS, **limits}),
        throttle=shared_throttle(pool),
    )
