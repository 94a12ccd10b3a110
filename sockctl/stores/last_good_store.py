"""A JSON file as a server that runs sees it: should somebody spoil it, the last good content holds on."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sockctl.errors import StoreError
from sockctl.stores.json_store import Content, JsonStore

__all__ = ["LastGoodStore", "store_at"]


def store_at(path: Path, *, on_bad: Callable[[StoreError], None] | None, **options: Any) -> JsonStore:
    """Return the store of a file: a ServedStore if `on_bad` is given, else a JsonStore; `options` are theirs."""
    return JsonStore(path, **options) if on_bad is None else LastGoodStore(path, on_bad=on_bad, **options)


class LastGoodStore(JsonStore):
    """A JsonStore whose `read` fails only as long as there was nothing good to read.

    Args:
        on_bad: Called once for each new reason why the file can't be read; any thread may call it.
    """

    def __init__(self, *args: Any, on_bad: Callable[[StoreError], None], **options: Any) -> None:
        super().__init__(*args, **options)
        self._on_bad = on_bad
        self._lock = threading.Lock()  # guards the two below
        self._good: Content | None = None
        self._told = ""

    def read(self) -> Content:
        """Return the content as it is now, or as it was when it could be read last.

        Raises:
            StoreError: It never could be.
        """
        try:
            content = super().read()
        except StoreError as error:
            with self._lock:
                good, new = self._good, str(error) != self._told
                self._told = str(error)
            if good is None:
                raise
            if new:
                self._on_bad(error)
            return good
        with self._lock:
            self._good, self._told = content, ""
        return content
