"""The settings of a data directory's accounts, ``settings.json``: who the server is, and what a password hash costs.

    {"version": 1, "server_id": "…", "device_key": "…",
        "argon2": {"time_cost": 3, "memory_kib": 65536, "parallelism": 4}}

The file is written once, when the first session begins; whoever changes the costs in it gets new hashes as people log
in. The device key proves that a token was given here, long after its session is over (see `device_tokens`).
"""

import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sockctl.accounts.passwords import DEFAULT, HashParameters
from sockctl.errors import StoreError, StoreFormatError
from sockctl.stores.json_store import json_place
from sockctl.stores.last_good_store import store_at

__all__ = ["Settings"]

FILE_NAME = "settings.json"
VERSION = 1
_ID = re.compile(r"[0-9a-f]{32}")
_KEY = re.compile(r"[0-9a-f]{64}")
_COSTS = ("time_cost", "memory_kib", "parallelism")


class Settings:
    """The settings in a data directory. Several threads and processes may use them at once.

    Args:
        data_dir: Where the file is.
        on_bad: For a server: called when the file can't be read any more, while its last good content holds on.
    """

    def __init__(self, data_dir: Path, *, on_bad: Callable[[StoreError], None] | None = None) -> None:
        self._store = store_at(
            data_dir / FILE_NAME, version=VERSION, empty=dict, check=_check, private=True, on_bad=on_bad
        )

    @property
    def hash_parameters(self) -> HashParameters:
        """What a new password hash costs.

        Raises:
            StoreError: The file can't be read.
        """
        costs = self._store.read().get("argon2")
        return DEFAULT if costs is None else HashParameters(**costs)

    def server_id(self) -> str:
        """Return what tells this server from others, 32 hex digits; it is made, and kept, at the first call.

        Raises:
            StoreError: The file can't be read or written.
        """
        return self._written("server_id")

    def device_key(self) -> bytes:
        """Return the key of the device tokens, 32 bytes; it is made, and saved, at the first call.

        Raises:
            StoreError: The file can't be read or written.
        """
        return bytes.fromhex(self._written("device_key"))

    def _written(self, name: str) -> str:
        """Return a text of the file, which is written first if the text is missing."""
        content = self._store.read()
        if name not in content:
            with self._store.update() as content:
                content.setdefault("server_id", secrets.token_hex(16))
                content.setdefault("device_key", secrets.token_hex(32))
                content.setdefault("argon2", {cost: getattr(DEFAULT, cost) for cost in _COSTS})
        return str(content[name])


def _check(content: dict[str, Any]) -> None:
    server_id = content.get("server_id")
    if "server_id" in content and (type(server_id) is not str or not _ID.fullmatch(server_id)):
        raise StoreFormatError("server_id is no text of 32 hex digits")
    device_key = content.get("device_key")
    if "device_key" in content and (type(device_key) is not str or not _KEY.fullmatch(device_key)):
        raise StoreFormatError("device_key is no text of 64 hex digits")
    if "argon2" not in content:
        return
    costs = content["argon2"]
    if type(costs) is not dict or sorted(costs) != sorted(_COSTS):
        raise StoreFormatError(f"argon2 is no object with exactly {', '.join(_COSTS)}")
    for name in _COSTS:
        if type(costs[name]) is not int:
            raise StoreFormatError(f"{json_place('argon2', name)} is no whole number")
    try:
        HashParameters(**costs)
    except ValueError as error:
        raise StoreFormatError(f"argon2 asks for what can't be: {error}") from error
