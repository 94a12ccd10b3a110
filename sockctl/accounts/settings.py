"""The settings of a data directory's accounts, ``settings.json``: the server's id, and the costs of a password hash.

    {"version": 1, "server_id": "…", "device_key": "…",
        "argon2": {"time_cost": 3, "memory_kib": 65536, "parallelism": 4}}

The server writes the file once, when the first session begins. After a change of its costs, each user gets a new hash
at the next login. With the device key, the server recognizes its tokens long after their sessions (`device_tokens`).
"""

import math
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from sockctl.accounts.passwords import DEFAULT, HashParameters
from sockctl.errors import StoreError
from sockctl.stores.json_store import Content, JsonStore
from sockctl.stores.schema import Check, parsed, record, text, unless, whole_number

FILE_NAME = "settings.json"
VERSION = 1
_COSTS = ("time_cost", "memory_kib", "parallelism")


def _check_hex_digits(count: int) -> Check:
    problem = f"is no text of {count} hex digits"
    return text(unless(re.compile(f"[0-9a-f]{{{count}}}").fullmatch, problem), problem=problem)


FORM = record(
    {},
    optional={
        "server_id": _check_hex_digits(32),
        "device_key": _check_hex_digits(64),
        "argon2": record(
            {cost: whole_number("is no whole number", least=-math.inf) for cost in _COSTS},
            parsed(lambda costs: HashParameters(**costs), "asks for what can't be: {error}"),
            closed=True,
            problem=f"is no object with exactly {', '.join(_COSTS)}",
        ),
    },
)
"""The form of the settings."""


class SettingsStore(Protocol):
    """Where the settings are kept. Any thread may use it; each method may block, or raise a StoreError."""

    def read(self) -> Content:
        """Return the settings that there are; the caller must not change them."""
        ...

    def fill(self, missing: Content) -> Content:
        """Save those of the given settings that are missing; return all. Two callers at once get the same."""
        ...


class SettingsFile:
    """The file in a data directory. Several threads and processes may use it at once.

    Args:
        data_dir: The folder of the file.
        on_bad: Called when the file can't be read any more; `read` then goes on with the last good content.
    """

    def __init__(self, data_dir: Path, *, on_bad: Callable[[StoreError], None] | None = None) -> None:
        self._store = JsonStore(
            data_dir / FILE_NAME, version=VERSION, empty=dict, check=FORM, private=True, on_bad=on_bad
        )

    def read(self) -> Content:
        """Return the content as it is now."""
        return self._store.read()

    def fill(self, missing: Content) -> Content:
        """Save those of the given settings that are missing; return all."""
        with self._store.update() as content:
            for name, value in missing.items():
                content.setdefault(name, value)
            return content


class Settings:
    """The settings. Several threads and processes may use them at once.

    Args:
        store: Where they are kept.
    """

    def __init__(self, store: SettingsStore) -> None:
        self._store = store

    @property
    def hash_parameters(self) -> HashParameters:
        """The costs of a new password hash.

        Raises:
            StoreError: The store can't be read.
        """
        costs = self._store.read().get("argon2")
        return DEFAULT if costs is None else HashParameters(**costs)

    def read_server_id(self) -> str:
        """Return the id of this server, 32 hex digits; the first call makes and saves it.

        Raises:
            StoreError: The store can't be read or written.
        """
        return self._read_or_make("server_id")

    def read_device_key(self) -> bytes:
        """Return the key of the device tokens, 32 bytes; the first call makes and saves it.

        Raises:
            StoreError: The store can't be read or written.
        """
        return bytes.fromhex(self._read_or_make("device_key"))

    def _read_or_make(self, name: str) -> str:
        """Return a text of the settings; save all settings first if the text is missing."""
        content = self._store.read()
        if name not in content:
            costs = {cost: getattr(DEFAULT, cost) for cost in _COSTS}
            content = self._store.fill(
                {"server_id": secrets.token_hex(16), "device_key": secrets.token_hex(32), "argon2": costs}
            )
        return str(content[name])
