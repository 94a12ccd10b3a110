"""One SQLite database that several processes and threads read and change, and that no crash can spoil.

This store is for data that grows: a change costs the same, however many rows there are. The database is in WAL mode, so
readers never wait, and `update` returns only when the change is on the disk:

    lock (flock on FILE.lock) → BEGIN IMMEDIATE → change → COMMIT, which syncs FILE-wal → unlock

SQLite before 3.51.3 may spoil a database that two connections write and checkpoint at the same moment
(https://www.sqlite.org/wal.html#walresetbug). The lock rules that out: all writing and checkpointing happens under it.
"""

import contextlib
import os
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sockctl.errors import StoreError, StoreFormatError
from sockctl.stores.faults import (
    convert_errors,
    make_lock_error,
    make_read_error,
    make_write_error,
    refuse_replaceable,
    refuse_unusable,
)
from sockctl.stores.file_lock import FileLock
from sockctl.stores.files import sync_folder
from sockctl.stores.old_file import OldFile

if TYPE_CHECKING:
    from sqlite3 import Connection, Error

LOCK_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 5.0
"""How long a read waits for another process that recovers the database after a killed one."""
_ADVICE = "It was left as it is: mend it, or move it away to begin anew."


class SqliteStore:
    """A database. Any thread may use it; other processes of this machine may use the file at the same time.

    Args:
        path: The file; the first change creates it and its folder.
        version: The version of the schema, saved as the ``user_version`` of the file.
        schema: The statements that make an empty database.
        old_file: The file in which an earlier version has saved the content.
        lock_timeout_s: Seconds that a change waits for another process's change.
        private: Whether to refuse a file that others may read or write, or that another user owns.
    """

    def __init__(
        self,
        path: Path,
        *,
        version: int,
        schema: Sequence[str],
        old_file: OldFile | None = None,
        lock_timeout_s: float = LOCK_TIMEOUT_S,
        private: bool = False,
    ) -> None:
        self._path = Path(os.path.realpath(path))
        self._version = version
        self._schema = schema
        self._old_file = old_file
        self._lock = FileLock(self._path, lock_timeout_s)
        self._private = private
        self._using = threading.Lock()  # guards the three below; its holder never waits for another process's change
        self._connection: Connection | None = None
        self._identity: tuple[int, int] | None = None  # of the file that the connection has open
        self._close: Callable[[], object] = lambda: None

    def fetch_rows(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a SELECT; none if there is no file.

        Raises:
            StoreReadError: The file can't be read.
            StoreFormatError: The file is no database of sockctl.
        """
        if self._connection is None and self._old_file is not None and self._old_file.is_there():
            with self.update():
                pass  # `update` has taken over the old file
        with self._using, self._convert_errors(make_read_error):
            connection = self._open()
            return [] if connection is None else connection.execute(sql, parameters).fetchall()

    @contextlib.contextmanager
    def update(self, *, lock_timeout_s: float | None = None) -> Iterator["Connection"]:
        """Give the block the database in a transaction, and commit it to the disk afterwards, unless the block raises.

        Args:
            lock_timeout_s: Seconds that this change waits for others; None for those of the constructor.

        Raises:
            StoreLockedError: Another process has held the lock all the time.
            StoreReadError: The file can't be read.
            StoreFormatError: The file is no database of sockctl.
            StoreWriteError: The file can't be written.
        """
        with self._lock.hold(lock_timeout_s), self._using, self._convert_errors(make_write_error):
            connection = self._open() or self._make()
            self._take_over_old_file(connection)
            with _hold_transaction(connection):
                yield connection

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._using:
            self._forget()

    # Opening.

    def _open(self) -> "Connection | None":
        """Return the connection to the present file; None if there is no file, or an empty one."""
        if self._private:
            refuse_replaceable(self._path, with_companions=True)  # SQLite reads a FILE-wal of any owner
        try:
            status = os.stat(self._path)  # noqa: PTH116  a Path makes this frequent call slower
        except FileNotFoundError:
            self._forget()
            return None
        except OSError as error:
            raise make_read_error(self._path, error.strerror or str(error)) from error
        refuse_unusable(self._path, status, private=self._private)
        if self._identity != (status.st_dev, status.st_ino):
            self._connect(status)
        return self._connection

    def _connect(self, status: os.stat_result) -> None:
        import sqlite3

        self._forget()
        connection = sqlite3.connect(
            f"file:{quote(str(self._path))}?mode=rw",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=READ_TIMEOUT_S,
        )
        try:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            version = self._check_version(connection)
        except BaseException:
            connection.close()
            raise
        if not version:  # a writer was killed before it had created a table
            connection.close()
            return
        self._keep(connection, status)

    def _check_version(self, connection: "Connection") -> int:
        """Return the version of the schema; 0 for an empty database."""
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        if not version and connection.execute("SELECT 1 FROM sqlite_master").fetchone() is not None:
            raise StoreFormatError(f"{self._path} is a database of another program's. {_ADVICE}")
        if version > self._version:
            raise StoreFormatError(
                f"{self._path} was written by a newer sockctl (version {version}, this one knows up to "
                f"{self._version}): update sockctl. It was left as it is."
            )
        return version

    def _make(self) -> "Connection":
        """Return a connection to a new database. The caller holds the lock of the file."""
        import sqlite3

        with contextlib.suppress(FileExistsError):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
            os.close(os.open(self._path, flags, 0o600))  # SQLite gives its other files the same mode
            sync_folder(self._path.parent)
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=READ_TIMEOUT_S)
        try:
            self._check_version(connection)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            with _hold_transaction(connection):
                for statement in self._schema:
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {self._version:d}")
        except BaseException:
            connection.close()
            raise
        self._keep(connection, os.stat(self._path))  # noqa: PTH116
        return connection

    def _keep(self, connection: "Connection", status: os.stat_result) -> None:
        self._connection = connection
        self._identity = status.st_dev, status.st_ino
        self._close = weakref.finalize(self, connection.close)

    def _forget(self) -> None:
        self._close()
        self._connection, self._identity, self._close = None, None, lambda: None

    # The file of an earlier version.

    def _take_over_old_file(self, connection: "Connection") -> None:
        """Insert the content of an old file into the database, then rename the file.

        A process that is killed between the two leaves the file. The next process inserts it once more, which adds
        nothing, since no process changes the database before.
        """
        if self._old_file is None or not self._old_file.is_there():
            return
        content = self._old_file.read()
        with _hold_transaction(connection):
            self._old_file.insert(connection, content)
        self._old_file.retire()

    # What goes wrong.

    @contextlib.contextmanager
    def _convert_errors(self, otherwise: Callable[[Path, str], StoreError]) -> Iterator[None]:
        """Turn errors of SQLite and of the system into errors of the stores; `otherwise` makes the usual one."""
        import sqlite3

        try:
            with convert_errors(self._path, otherwise):
                yield
        except sqlite3.DatabaseError as error:
            raise self._make_error(error, otherwise) from error

    def _make_error(self, error: "Error", otherwise: Callable[[Path, str], StoreError]) -> StoreError:
        import sqlite3

        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # without the extension
        if code == sqlite3.SQLITE_BUSY:
            return make_lock_error(self._path, READ_TIMEOUT_S)
        if code != sqlite3.SQLITE_FULL:  # a full disk has no room to open it once more
            self._forget()
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT):
            return StoreFormatError(f"{self._path} is not a database of sockctl's: {error}. {_ADVICE}")
        return otherwise(self._path, str(error))


@contextlib.contextmanager
def _hold_transaction(connection: "Connection") -> Iterator[None]:
    """Commit the changes of the block, or roll them back if it raises."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
