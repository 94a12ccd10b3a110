"""The users, in a store (see `user` for the form, and `user_store`)."""

import itertools
import threading
from typing import Any

from sockctl.accounts.passwords import HashParameters, parse_parameters
from sockctl.accounts.user import User, read_user
from sockctl.accounts.user_store import UserStore
from sockctl.errors import NameTakenError, UnknownUserError
from sockctl.protocol.look_alikes import LookAlikes
from sockctl.protocol.names import make_name_key
from sockctl.stores.json_store import Content
from sockctl.stores.timestamps import Clock, format_timestamp, read_utc_clock


class Users:
    """The users. Several threads and processes may use them at once.

    Args:
        store: Where they are kept.
        clock: Returns the time, with a time zone.
    """

    def __init__(self, store: UserStore, *, clock: Clock = read_utc_clock) -> None:
        self._clock = clock
        self._store = store
        self._costs: tuple[Content, frozenset[HashParameters]] = ({}, frozenset())  # of one content
        self._looks_lock = threading.Lock()  # guards the next
        self._looks: tuple[Content, LookAlikes] = {}, LookAlikes()  # of one content, former users included

    def refresh(self) -> None:
        """Learn what other machines have changed; may block.

        Raises:
            StoreError: The store can't be used.
        """
        self._store.refresh()

    def list_all(self) -> list[User]:
        """Return all users, in the order in which they were added.

        Raises:
            StoreError: The store can't be read.
        """
        return [read_user(name, entry) for name, entry in self._store.read()["users"].items()]

    @property
    def state(self) -> object:
        """The users as they are known here: another object after each change.

        Raises:
            StoreError: The store can't be read.
        """
        return self._store.read()

    @property
    def generation(self) -> int:
        """A number that changes with every change of the users.

        Raises:
            StoreError: The store can't be read.
        """
        generation: int = self._store.read()["generation"]
        return generation

    def collect_hash_costs(self) -> frozenset[HashParameters]:
        """Return the costs of the users' hashes; collect them anew only after a change of the users.

        Raises:
            StoreError: The store can't be read.
        """
        content = self._store.read()
        counted, costs = self._costs
        if content is not counted:
            costs = frozenset(parse_parameters(entry["hash"]) for entry in content["users"].values())
            self._costs = content, costs
        return costs

    def was_removed(self, name: str) -> bool:
        """Return whether a name, in any case, is that of a removed user.

        Raises:
            StoreError: The store can't be read.
        """
        return make_name_key(name) in self._store.read().get("removed", {})

    def find_look_alike(self, name: str, *, former: bool = True, but: str = "") -> str:
        """Return the name of a user that looks like `name`; empty where there is none.

        Args:
            name: The name, in any case.
            former: Whether users who were removed count.
            but: A user that doesn't count.

        Raises:
            StoreError: The store can't be read.
        """
        content = self._store.read()
        removed = content.get("removed", {})
        with self._looks_lock:
            if content is not self._looks[0]:
                self._looks = content, LookAlikes(itertools.chain(content["users"], removed))
            return self._looks[1].find(name, but={but} if former else removed)

    def find(self, name: str) -> User | None:
        """Return the user of that name, in any case; None if there is none.

        Raises:
            StoreError: The store can't be read.
        """
        key = make_name_key(name)
        entry = self._store.read()["users"].get(key)
        return None if entry is None else read_user(key, entry)

    def get(self, name: str) -> User:
        """Return the user of that name, in any case.

        Raises:
            UnknownUserError: There is no such user.
            StoreError: The store can't be read.
        """
        user = self.find(name)
        if user is None:
            raise _make_unknown_error(name)
        return user

    def add(self, name: str, hashed: str) -> User:
        """Add a user, save it to the disk, and return it.

        Args:
            name: The name, from `parse_user_name`.
            hashed: The password's hash.

        Raises:
            NameTakenError: There is such a user, or one whose name looks like it.
            StoreError: The store can't be read or written.
        """

        def apply(content: Content) -> User:
            users = content["users"]
            if name in users:
                raise NameTakenError(f"There is a user {name} already: choose another name.")
            if alike := LookAlikes(users).find(name):
                raise NameTakenError(f"The name {name} looks like {alike}, which is taken: choose another name.")
            content["generation"] += 1
            content.get("removed", {}).pop(name, None)
            now = format_timestamp(self._clock())
            users[name] = {
                "hash": hashed,
                "created": now,
                "changed": now,
                "disabled": False,
                "credential_generation": content["generation"],
            }
            return read_user(name, users[name])

        return self._store.change(apply)

    def set_hash(self, name: str, hashed: str, *, only_over: User | None = None) -> User:
        """Set a user's new password, which ends all sessions of the old one.

        Args:
            name: The user's name.
            hashed: The new password's hash.
            only_over: The user as it was when the change was allowed: this refuses to change one that is newer.

        Raises:
            UnknownUserError: There is no such user, or it is newer than `only_over`.
            StoreError: The store can't be read or written.
        """
        key = make_name_key(name)

        def apply(content: Content) -> User:
            entry = _find_entry(content, key)
            if only_over is not None and entry["credential_generation"] != only_over.credential_generation:
                raise UnknownUserError(f"The user {key} was changed meanwhile: nothing was done.")
            content["generation"] += 1
            entry.update(
                hash=hashed, changed=format_timestamp(self._clock()), credential_generation=content["generation"]
            )
            return read_user(key, entry)

        return self._store.change(apply)

    def rehash(self, user: User, hashed: str) -> None:
        """Save another hash of the same password, if the password is still the same.

        Raises:
            StoreError: The store can't be read or written.
        """

        def apply(content: Content) -> None:
            entry = content["users"].get(user.name)
            if entry is not None and entry["hash"] == user.hash:
                content["generation"] += 1
                entry["hash"] = hashed

        self._store.change(apply)

    def disable(self, name: str) -> User:
        """Disable a user, and end all sessions; return the user.

        Raises:
            UnknownUserError: There is no such user.
            StoreError: The store can't be read or written.
        """
        key = make_name_key(name)

        def apply(content: Content) -> User:
            entry = _find_entry(content, key)
            if not entry["disabled"]:
                content["generation"] += 1
                entry.update(disabled=True, credential_generation=content["generation"])
            return read_user(key, entry)

        return self._store.change(apply)

    def enable(self, name: str) -> User:
        """Enable a user again; return the user.

        Raises:
            UnknownUserError: There is no such user.
            StoreError: The store can't be read or written.
        """
        key = make_name_key(name)

        def apply(content: Content) -> User:
            entry = _find_entry(content, key)
            if entry["disabled"]:
                content["generation"] += 1
                entry["disabled"] = False
            return read_user(key, entry)

        return self._store.change(apply)

    def remove(self, name: str) -> User:
        """Remove a user, and return it as it was; its name stays reserved.

        Raises:
            UnknownUserError: There is no such user.
            StoreError: The store can't be read or written.
        """
        key = make_name_key(name)

        def apply(content: Content) -> User:
            user = read_user(key, _find_entry(content, key))
            content["generation"] += 1
            del content["users"][key]
            content.setdefault("removed", {})[key] = format_timestamp(self._clock())
            return user

        return self._store.change(apply)


def _find_entry(content: Content, name: str) -> dict[str, Any]:
    entry: dict[str, Any] | None = content["users"].get(name)
    if entry is None:
        raise _make_unknown_error(name)
    return entry


def _make_unknown_error(name: str) -> UnknownUserError:
    return UnknownUserError(f"There is no user {name!r}: 'sockctl users list' shows those that there are.")
