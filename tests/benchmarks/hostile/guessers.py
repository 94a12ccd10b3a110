"""Strangers who guess at one account, each from an address of its own, and obey the server's pauses or don't."""

import math
import threading
import time
from collections.abc import Iterator
from typing import Any

from tests.benchmarks.hostile.newcomers import welcomed
from tests.benchmarks.hostile.part import asked, take_part

AGAIN_S = 0.05


def work(*, port: int, user: str, addresses: list[str], obey: bool, seconds: float = 300.0) -> Iterator[Any]:
    """Guess until the process ends, or for so long."""
    until = time.monotonic() + seconds
    tries = 0

    def guess(address: str) -> None:
        nonlocal tries
        while time.monotonic() < until:
            wait_s = welcomed(port, service="auth", user=user, address=address, password="wrong but long enough")
            tries += 1  # about right is enough
            time.sleep(min(wait_s or 0.0, max(0.0, until - time.monotonic())) if obey else AGAIN_S)

    threads = [threading.Thread(target=guess, args=(address,), daemon=True) for address in addresses]
    yield None
    asked()
    for thread in threads:
        thread.start()
    time.sleep(1.0)
    yield {"tries": tries}
    time.sleep(seconds if not math.isinf(seconds) else 0.0)


if __name__ == "__main__":
    take_part(work)
