"""Accounts in a temporary data directory, whose password hashes cost next to nothing."""

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from sockctl.accounts.accounts import Accounts
from sockctl.accounts.passwords import HashParameters
from sockctl.stores.timestamps import Clock, read_utc_clock

PASSWORD = "tall copper window frog"
OTHER = "seven dusty violins sail"
CHEAPEST = HashParameters(time_cost=1, memory_kib=8, parallelism=1)
COSTS = {name: getattr(CHEAPEST, name) for name in ("time_cost", "memory_kib", "parallelism")}
"""The cheapest costs of a hash, as settings have them."""


def make_cheap(data_dir: Path, **costs: int) -> None:
    """Write settings under which hashes cost next to nothing, unless `costs` says more."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = data_dir / "settings.json"
    path.touch(0o600)
    path.write_text(json.dumps({"version": 1, "argon2": {**COSTS, **costs}}))


def accounts_at(data_dir: Path, *names: str, clock: Clock = read_utc_clock) -> Accounts:
    """Return accounts with these users, whose password is PASSWORD."""
    make_cheap(data_dir)
    accounts = Accounts(data_dir, clock=clock)
    for name in names:
        accounts.add(name, PASSWORD)
    return accounts


def fill_disk_of_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be written to the sessions."""
    open_file = os.open

    def full(path: Any, *arguments: Any) -> int:
        if str(path).endswith("sessions.db.lock"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return open_file(path, *arguments)

    monkeypatch.setattr(os, "open", full)
