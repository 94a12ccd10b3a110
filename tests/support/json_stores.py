"""A small JSON file of names, for the tests of stores and the processes that they start."""

from pathlib import Path
from typing import Any

from sockctl.errors import StoreFormatError
from sockctl.stores.json_store import Content, JsonStore


def check(content: Content) -> None:
    if type(content.get("entries")) is not dict:
        raise StoreFormatError("entries is no object")


def store_at(path: Path, *, lock_timeout_s: float = 60.0, **options: Any) -> JsonStore:
    return JsonStore(
        path, version=2, empty=lambda: {"entries": {}}, check=check, lock_timeout_s=lock_timeout_s, **options
    )


def add(store: JsonStore, *names: str) -> None:
    with store.update() as content:
        content["entries"].update(dict.fromkeys(names, 1))
