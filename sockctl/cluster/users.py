"""The users and the settings of servers, in an engine; each process has a copy of the users in memory."""

import contextlib
import json
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from sockctl.cluster.engine_pool import EnginePool
from sockctl.cluster.keys import ACCOUNTS, USERS, USERS_CHANGED, USERS_REMOVED
from sockctl.errors import EngineError, EngineReplyError, StoreFormatError, StoreLockedError

Content = dict[str, Any]
T = TypeVar("T")

TRIES = 100
"""How often a change is tried while others change the users."""
_KEYS = (ACCOUNTS, USERS, USERS_REMOVED, USERS_CHANGED)


class SharedUsers:
    """The users in an engine, a `UserStore`. Any thread may use it.

    Args:
        pool: The connections to the engine.
        check: Raises a StoreFormatError for a document of a wrong form.
    """

    def __init__(self, pool: EnginePool, *, check: Callable[[Content], None]) -> None:
        self._pool = pool
        self._check = check
        self._refreshing = threading.Lock()  # guards the next three; its holder waits for the engine
        self._run = ""  # the process of the engine that told the content
        self._content: Content = {"generation": 0, "users": {}}  # replaced as a whole
        self.clock_offset_s = 0.0

    def read(self) -> Content:
        """Return the document as it was at the last `refresh`; never blocks."""
        return self._content

    def refresh(self) -> None:
        """Learn what others have changed: in a quiet time, one request with a short answer.

        Raises:
            EngineError: The engine can't be used.
            StoreFormatError: What it has is of a wrong form; the copy stays as it was.
        """
        with self._refreshing:
            began = time.time()
            known = self._content["generation"]
            run, generation, now_us, *changed = self._pool.call("users", _KEYS, known, self._run)
            self.clock_offset_s = float(now_us) / 1e6 - (began + time.time()) / 2
            is_anew = run.decode() != self._run or int(generation) < known
            if is_anew or changed:
                self._content = self._read_changes(int(generation), changed, is_anew=is_anew)
                self._run = run.decode()

    def change(self, apply: Callable[[Content], T]) -> T:
        """Change the users, and save the change; see `UserStore.change`.

        Raises:
            StoreLockedError: Others have changed the users all the time.
            EngineError: The engine can't be used; it may have carried the change out.
        """
        for _ in range(TRIES):
            self.refresh()
            with self._refreshing:
                before, run = self._content, self._run
            after = _copy(before)
            result = apply(after)
            changes = _list_changes(before, after)
            if not changes:
                return result
            try:
                self._pool.call(
                    "change", _KEYS, before["generation"], run, secrets.token_hex(8), after["generation"], *changes
                )
            except EngineReplyError as error:
                if error.code != "CHANGED":
                    raise
                continue
            with contextlib.suppress(EngineError):  # it is saved; the next refresh tells it
                self.refresh()
            return result
        raise StoreLockedError(f"Others change the users in {self._pool} all the time; nothing was changed. Try again.")

    def _read_changes(self, generation: int, changed: list[bytes], *, is_anew: bool) -> Content:
        parts: tuple[Content, Content] = ({}, {})  # users and removed, of the names that have changed
        texts = [one.decode() for one in changed]
        names = texts[::3]
        for name, entry, removed in zip(names, texts[1::3], texts[2::3], strict=True):
            if entry:
                parts[0][name] = self._parse(entry)
            if removed:
                parts[1][name] = removed
        try:
            self._check({"generation": generation, "users": parts[0], "removed": parts[1]})
        except StoreFormatError as error:
            raise StoreFormatError(f"The users in {self._pool} are not of the right form: {error}") from error
        before: Content = {} if is_anew else self._content
        users, removed_names = (
            {name: value for name, value in before.get(kind, {}).items() if name not in set(names)} | part
            for kind, part in zip(("users", "removed"), parts, strict=True)
        )
        in_order = sorted(users.items(), key=lambda pair: (pair[1]["created"], pair[0]))
        content = {"generation": generation, "users": dict(in_order)}
        return content | ({"removed": removed_names} if removed_names else {})

    def _parse(self, text: str) -> Any:
        try:
            return json.loads(text)
        except ValueError as error:
            raise StoreFormatError(f"A user in {self._pool} is no JSON: {error}") from error


def _copy(content: Content) -> Content:
    after = {**content, "users": {name: dict(entry) for name, entry in content["users"].items()}}
    return after | ({"removed": dict(content["removed"])} if "removed" in content else {})


def _list_changes(before: Content, after: Content) -> list[str]:
    """Return the names that differ, each with its entry and the time of its removal; empty for none."""
    changes: list[str] = []
    old_removed, removed = before.get("removed", {}), after.get("removed", {})
    for name in {**before["users"], **after["users"], **old_removed, **removed}:
        entry = after["users"].get(name)
        if entry != before["users"].get(name) or removed.get(name) != old_removed.get(name):
            text = "" if entry is None else json.dumps(entry, ensure_ascii=False)
            changes += [name, text, removed.get(name, "")]
    return changes


class SharedSettings:
    """The settings of servers in an engine, a `SettingsStore`. Any thread may use it.

    Args:
        pool: The connections to the engine.
        check: Raises a StoreFormatError for settings of a wrong form.
    """

    def __init__(self, pool: EnginePool, *, check: Callable[[Content], None]) -> None:
        self._pool = pool
        self._check = check
        self._content: Content = {}  # replaced as a whole

    def read(self) -> Content:
        """Return the settings; blocks until they have once been complete."""
        return self._content or self.fill({})

    def fill(self, missing: Content) -> Content:
        """Save those of the given settings that are missing; return all."""
        words = [word for name in _NAMES for word in (name, json.dumps(missing[name]) if name in missing else "")]
        reply = [one.decode() for one in self._pool.call("settings", (ACCOUNTS,), *words)]
        try:
            content = {name: json.loads(value) for name, value in zip(reply[::2], reply[1::2], strict=True)}
            self._check(content)
        except (ValueError, StoreFormatError) as error:
            raise StoreFormatError(f"The settings in {self._pool} are not of the right form: {error}") from error
        if len(content) == len(_NAMES):
            self._content = content
        return content


_NAMES = ("server_id", "device_key", "argon2")
