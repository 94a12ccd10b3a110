"""A JSON file in which an earlier version saved the content of a database."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sockctl.stores.files import sync_folder
from sockctl.stores.json_store import Content, JsonStore

if TYPE_CHECKING:
    from sqlite3 import Connection

TAKEN_OVER = ".old"
"""The end of the old file's name once its content is in the database."""


@dataclass(frozen=True, slots=True)
class OldFile:
    """The file.

    Attributes:
        path: The file.
        version: The version of its form.
        check: Refuses content of a wrong form: see `schema`.
        insert: Inserts its content into the database, beside the rows that are there already.
        private: Whether to refuse a file that others may read or write, or that another user owns.
    """

    path: Path
    version: int
    check: Callable[[Content], None]
    insert: Callable[["Connection", Content], None]
    private: bool = False

    def is_there(self) -> bool:
        """Return whether the database still lacks its content."""
        return self.path.exists()

    def read(self) -> Content:
        """Return the content. Raises what `JsonStore.read` raises."""
        return JsonStore(self.path, version=self.version, empty=dict, check=self.check, private=self.private).read()

    def retire(self) -> None:
        """Rename the file, whose content is in the database.

        Raises:
            OSError: The file can't be renamed.
        """
        self.path.rename(self.path.with_name(self.path.name + TAKEN_OVER))
        sync_folder(self.path.parent)
