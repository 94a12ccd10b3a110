"""The looks of the known clients' names, in ``clients.db``: they find a name that looks like another client's.

The table `looks` has the skeletons of all names. The check of the first name beyond ASCII creates it: names in ASCII
are never compared.
"""

from typing import TYPE_CHECKING

from sockctl.protocol.look_alikes import compute_skeletons
from sockctl.protocol.names import make_name_key

if TYPE_CHECKING:
    from sqlite3 import Connection

_SCHEMA = (
    """CREATE TABLE looks (
        client INTEGER NOT NULL REFERENCES clients (number) ON DELETE CASCADE,
        skeleton TEXT NOT NULL
    )""",
    "CREATE INDEX looks_by_client ON looks (client)",
    "CREATE INDEX looks_by_skeleton ON looks (skeleton)",
)


def find_look_alike(database: "Connection", name: str, *, but: str) -> str:
    """Return the name of a client that looks like `name`; empty where there is none.

    Args:
        database: The database, in a transaction that may change it.
        name: The name.
        but: The address of a client whose name may look like `name`.
    """
    if not _has_looks(database):
        if name.isascii():
            return ""
        for statement in _SCHEMA:
            database.execute(statement)
        for (known,) in database.execute("SELECT name FROM clients").fetchall():
            _insert_look(database, known)
    sql = "SELECT name FROM clients JOIN looks ON client = number WHERE skeleton = ? AND address <> ?"
    rows = (row for skeleton in compute_skeletons(name) for row in database.execute(sql, (skeleton, but)))
    return next((known for (known,) in rows if not (known.isascii() and name.isascii())), "")


def save_look(database: "Connection", name: str) -> None:
    """Save the look of a client's new name, in place of the old one."""
    if _has_looks(database):
        own = "SELECT number FROM clients WHERE name_key = ?"
        database.execute(f"DELETE FROM looks WHERE client = ({own})", (make_name_key(name),))
        _insert_look(database, name)


def _insert_look(database: "Connection", name: str) -> None:
    sql = "INSERT INTO looks SELECT number, ? FROM clients WHERE name_key = ?"
    database.executemany(sql, [(skeleton, make_name_key(name)) for skeleton in compute_skeletons(name)])


def _has_looks(database: "Connection") -> bool:
    return database.execute("SELECT 1 FROM sqlite_master WHERE name = 'looks'").fetchone() is not None
