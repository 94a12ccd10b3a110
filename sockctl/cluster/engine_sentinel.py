"""Asks Sentinels for the engine that takes messages now; see redis.io, "Guidelines for Redis clients with Sentinel"."""

import contextlib
import dataclasses
from typing import Any

from sockctl.cluster.engine_access import EngineAccess, Place
from sockctl.cluster.engine_connection import EngineConnection
from sockctl.errors import EngineAwayError, EngineError, EngineLoginError, EngineReplyError, NotAnEngineError

_LONGEST_S = 1.0
"""How long a Sentinel has to answer; one that is away must not use up the time of a failover."""


class Sentinels:
    """The Sentinels of an engine, in the order in which they are asked. One thread uses them.

    Args:
        access: The way to the engine, by Sentinels.
    """

    def __init__(self, access: EngineAccess) -> None:
        self._access = access
        self._order = list(access.sentinels)

    def find_engine(self) -> EngineAccess:
        """Return the way to the engine that takes messages now. It blocks.

        Raises:
            EngineError: No Sentinel tells.
        """
        failures: list[EngineError] = []
        for place in list(self._order):
            try:
                found = self._ask(place)
            except EngineError as error:
                failures.append(error)
                self.distrust()
            else:
                return self._access.at(found)
        raise self._explain(failures)

    def distrust(self) -> None:
        """Ask the Sentinel that has answered last the next time: the engine that it named isn't the one."""
        self._order.append(self._order.pop(0))

    def _ask(self, place: Place) -> Place:
        at = dataclasses.replace(self._access.at_sentinel(place), timeout_s=min(self._access.timeout_s, _LONGEST_S))
        try:
            reply = self._ask_once(at)
        except EngineLoginError:
            if self._access.login is None:
                raise
            reply = self._ask_once(dataclasses.replace(at, login=self._access.login))
        if reply is None:
            raise EngineError(
                f"The Sentinel {place} knows no {self._access.group!r}: the URL ends with the name that stands behind "
                f"'sentinel monitor' in its configuration."
            )
        try:
            host, port = reply
            return Place(host.decode(), int(port))
        except (TypeError, ValueError, AttributeError) as error:
            raise NotAnEngineError(f"What answers at {place} is no Sentinel: see to host and port.") from error

    def _ask_once(self, at: EngineAccess) -> Any:
        with contextlib.closing(EngineConnection(at)) as connection:
            [reply] = connection.ask_all([("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._access.group)])
        if isinstance(reply, EngineReplyError):
            if "unknown command" in str(reply):
                place = Place(at.host, at.port)
                raise NotAnEngineError(f"{place} is no Sentinel, but an engine: {self._access.at(place)} names it.")
            raise reply
        return reply

    def _explain(self, failures: list[EngineError]) -> EngineError:
        """Return one error for all Sentinels: one that has answered tells most."""
        for one in failures:
            if not isinstance(one, EngineAwayError):
                return one
        if len(failures) == 1:
            return failures[0]
        return EngineAwayError(f"No Sentinel of {self._access} answers. The first one: {failures[0]}")
