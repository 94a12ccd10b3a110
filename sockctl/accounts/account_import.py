"""Copies the accounts of a data directory into other stores: users with their passwords, and sessions.

A second copy changes nothing. A user that the stores have in another form, or that was removed there, stops the copy
before it has changed anything, unless the caller allows to overwrite it. Only users that a copy adds bring sessions
along: a session that has ended in the stores never comes back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sockctl.accounts.accounts import Accounts, AccountStores
from sockctl.accounts.session_file import SessionFile
from sockctl.accounts.session_store import Row
from sockctl.accounts.settings import SettingsFile
from sockctl.accounts.user import User, read_user
from sockctl.accounts.user_store import UserFile
from sockctl.errors import NameTakenError
from sockctl.protocol.look_alikes import LookAlikes
from sockctl.stores.json_store import Content

MAX_SHOWN = 5
"""Names that an error shows."""
_COPIED = ("hash", "created", "changed", "disabled")
_USER, _GENERATION, _SERVER = 1, 2, 3
"""The columns of a session that the copy changes, or goes by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What was copied.

    Attributes:
        users: The users that were added or overwritten, as they are in the stores.
        same: How many users were there already, just so.
        former: How many names of former users were added.
        sessions: How many sessions were added.
    """

    users: list[User]
    same: int
    former: int
    sessions: int


def copy_accounts(data_dir: Path, stores: AccountStores, *, overwrite: bool = False) -> Copied:
    """Copy the accounts of a data directory. Its files stay as they are.

    Args:
        data_dir: The directory.
        stores: Where to.
        overwrite: Whether users whom the stores have in another form may be overwritten; their sessions end.

    Raises:
        NameTakenError: The stores have a user in another form, or one that looks like a user of the directory.
        StoreError: The directory or the stores can't be used. Some sessions may be missing then.
    """
    content = UserFile(data_dir).read()
    stores.settings.fill(SettingsFile(data_dir).read())

    def apply(target: Content) -> tuple[list[User], int, int]:
        return _copy_users(content, target, overwrite=overwrite)

    users, same, former = stores.users.change(apply)
    accounts = Accounts(stores)
    for user in users:
        accounts.sessions.end_all(user.name)  # of the user that was overwritten
    sessions = _copy_sessions(data_dir, stores, {user.name: user for user in users}, accounts.settings.read_server_id())
    return Copied(users=users, same=same, former=former, sessions=sessions)


def _copy_users(content: Content, target: Content, *, overwrite: bool) -> tuple[list[User], int, int]:
    """Change the target; return the users that it has got, and how many users it had, and former names it has got."""
    ours, theirs, removed = content["users"], target["users"], target.get("removed", {})
    new = [name for name, entry in ours.items() if name not in theirs or not _is_same(entry, theirs[name])]
    _refuse_others([name for name in new if name in theirs or name in removed], overwrite=overwrite)
    looks = LookAlikes(theirs)
    for name in new:
        if name not in theirs and (alike := looks.find(name)):
            raise NameTakenError(f"The user {name} looks like {alike}, who is there already: nothing was copied.")
    base = target["generation"]
    for name in new:
        theirs[name] = {**ours[name], "credential_generation": base + ours[name]["credential_generation"]}
    former = {
        name: moment
        for name, moment in content.get("removed", {}).items()
        if name not in theirs and name not in removed
    }
    if new or former:
        target["generation"] = base + content["generation"]
        kept = {name: moment for name, moment in {**removed, **former}.items() if name not in theirs}
        target["removed"] = kept
    return [read_user(name, theirs[name]) for name in new], len(ours) - len(new), len(former)


def _refuse_others(names: list[str], *, overwrite: bool) -> None:
    if names and not overwrite:
        shown = ", ".join(names[:MAX_SHOWN]) + (f" and {len(names) - MAX_SHOWN} more" if names[MAX_SHOWN:] else "")
        raise NameTakenError(
            f"There are or were other users of these names, so nothing was copied: {shown}. --overwrite replaces them."
        )


def _is_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(one[key] == other[key] for key in _COPIED)


def _copy_sessions(data_dir: Path, stores: AccountStores, users: Mapping[str, User], server_id: str) -> int:
    file = SessionFile(data_dir)
    try:
        rows = [(row, file.list_tokens(row[0])) for row in _list_current(data_dir, file) if row[_USER] in users]
    finally:
        file.close()
    for row, tokens in rows:
        values = list(row)
        values[_GENERATION], values[_SERVER] = users[row[_USER]].credential_generation, server_id
        stores.sessions.begin(tuple(values), tokens)
    return len(rows)


def _list_current(data_dir: Path, file: SessionFile) -> list[Row]:
    """Return the sessions whose users may still log in with them."""
    accounts = Accounts(data_dir)
    current = {session.id for session in accounts.list_sessions()}
    accounts.sessions.close()
    return [row for row in file.list_rows(None, int(accounts.now().timestamp())) if row[0] in current]
