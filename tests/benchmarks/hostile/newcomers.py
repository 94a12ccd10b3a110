"""Polite newcomers, who measure how long it takes until they are welcome. Each is a thread, and comes on a clock."""

import itertools
import math
import threading
import time
from collections.abc import Iterator
from typing import Any

from tests.benchmarks.hostile.part import asked, take_part
from tests.support.accounts import PASSWORD
from tests.support.frames import frame_client

GRACE_S = 15.0
USERS = 8
"""So that nobody has more sessions at once than a user may have."""
_NOT_YET_S = 0.25
"""After which a newcomer that was refused comes again, where it isn't told when."""


def welcomed(port: int, *, service: str, user: str, address: str = "", password: str = PASSWORD) -> float | None:
    """Come in once. Return None, or after how many seconds to come again."""
    try:
        with frame_client(port, source=address) as client:
            client.sock.settimeout(GRACE_S)
            if service == "reply":
                client.line("a polite line")
            elif service != "talk":
                client.send(kind="answer", field="name", text=user)
            if service in {"auth", "user"}:
                client.send(kind="answer", field="password", text=password)
            while (one := client.receive()) is not None:
                if one["kind"] == ("say" if service == "reply" else "welcome"):
                    return None
                if one["kind"] == "error":
                    return float(one.get("retry_after") or _NOT_YET_S)
    except (OSError, AssertionError):
        pass
    return _NOT_YET_S


def come(*, port: int, service: str, user: str, address: str = "", patience_s: float = GRACE_S) -> tuple[float, int]:
    """Come in, again and again if need be; return how many seconds that took, and how many tries."""
    began = time.monotonic()
    for tries in itertools.count(1):
        wait_s = welcomed(port, service=service, user=user, address=address)
        took_s = time.monotonic() - began
        if wait_s is None and took_s <= patience_s:
            return took_s, tries
        if wait_s is None or took_s + wait_s > patience_s:
            return math.inf, tries
        time.sleep(wait_s)
    raise AssertionError


def work(
    *,
    port: int,
    service: str,
    seconds: float,
    every_s: float = 0.25,
    addresses: tuple[str, ...] = (),
    user: str = "",
    patience_s: float = GRACE_S,
) -> Iterator[Any]:
    """Come one after the other for some seconds, or from each of `addresses` once, whenever it is wanted."""
    numbers = itertools.count()
    yield None
    while asked():
        found: list[tuple[float, int]] = []
        threads = []

        def one(address: str, name: str, found: list[tuple[float, int]] = found) -> None:
            found.append(come(port=port, service=service, user=name, address=address, patience_s=patience_s))

        began = time.monotonic()
        for count, address in enumerate(addresses or [""] * max(1, int(seconds / every_s))):
            number = next(numbers)
            name = user or (f"newcomer{number % USERS}" if service in {"auth", "user"} else f"new{number}")
            threads.append(threading.Thread(target=one, args=(address, name)))
            time.sleep(max(0.0, began + (0 if addresses else count * every_s) - time.monotonic()))
            threads[-1].start()
        for thread in threads:
            thread.join()
        yield {"took": [took for took, _ in found], "tries": sum(tries for _, tries in found)}


if __name__ == "__main__":
    take_part(work)
