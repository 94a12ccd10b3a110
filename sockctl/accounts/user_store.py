"""Where the users are kept: the interface, and the file ``users.json`` of a data directory."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

from sockctl.accounts.user import FORM
from sockctl.errors import StoreError
from sockctl.stores.json_store import Content, JsonStore

FILE_NAME = "users.json"
VERSION = 1

T = TypeVar("T")


class UserStore(Protocol):
    """The users as one document, in the form of `user`. Any thread may use it.

    Each method raises a StoreError where the store can't be used.
    """

    def read(self) -> Content:
        """Return the document as it is known here, the same object until it changes; the caller must not change it."""
        ...

    def refresh(self) -> None:
        """Learn what others have changed; may block."""
        ...

    def change(self, apply: Callable[[Content], T]) -> T:
        """Change the document, and save it; return what `apply` returns. Blocks.

        Args:
            apply: Changes the document that it gets. The store may call it again, with the document that another
                process has just saved. After an error that it raises, nothing is saved.
        """
        ...


class UserFile:
    """The file in a data directory. Several threads and processes may use it at once.

    Args:
        data_dir: The folder of the file; the first change creates both.
        on_bad: Called when the file can't be read any more; `read` then goes on with the last good content.
    """

    def __init__(self, data_dir: Path, *, on_bad: Callable[[StoreError], None] | None = None) -> None:
        self._store = JsonStore(
            data_dir / FILE_NAME, version=VERSION, empty=make_empty, check=FORM, private=True, on_bad=on_bad
        )

    def read(self) -> Content:
        """Return the content as it is now."""
        return self._store.read()

    def refresh(self) -> None:
        """Do nothing: each `read` looks at the file."""

    def change(self, apply: Callable[[Content], T]) -> T:
        """Change the content; see `UserStore.change`."""
        with self._store.update() as content:
            return apply(content)


def make_empty() -> Content:
    """Return the document without a user."""
    return {"generation": 0, "users": {}}
