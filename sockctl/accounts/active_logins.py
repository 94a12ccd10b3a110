"""Who is in right now, and what ends that: whoever was removed, disabled, re-keyed or revoked goes within 2 s.

One thread looks at the files and writes to them, so that nobody who serves clients waits for a disk.
"""

import contextlib
import datetime
import threading
import time
from collections.abc import Callable

from sockctl.accounts.accounts import Accounts
from sockctl.accounts.authenticator import Login
from sockctl.accounts.session import Session
from sockctl.errors import StoreError

__all__ = ["ActiveLogins"]

LOOK_S = 0.5
"""How often the files are looked at; where nothing has changed, that costs a few calls of stat()."""
STILL_THERE_EVERY = datetime.timedelta(hours=1)
"""How often a session counts as used by a connection on which nothing is said."""
TIDY_AFTER_S = 3_600.0
"""How long a server runs before it forgets expired sessions: until then, its clock may have started wrong."""
TIDY_EVERY_S = 60.0


class ActiveLogins:
    """The logins whose connections are open. Any thread may use it; nothing but `start` and `stop` blocks.

    Args:
        accounts: Who may come in.
        tidy_after_s: Seconds after which expired sessions are forgotten for the first time.
    """

    def __init__(self, accounts: Accounts, *, tidy_after_s: float = TIDY_AFTER_S) -> None:
        self._accounts = accounts
        self._tidy_at = time.monotonic() + tidy_after_s
        self._lock = threading.Lock()  # guards the three below
        self._logins: dict[object, tuple[Login, Callable[[], None]]] = {}
        self._used: dict[str, str] = {}  # addresses by session
        self._ended: set[str] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sockctl-accounts", daemon=True)

    def start(self) -> None:
        """Begin to look at the files."""
        self._thread.start()

    def stop(self) -> None:
        """Write what is left to be written, and end."""
        self._stopping.set()
        self._thread.join()
        self._accounts.sessions.close()

    def enter(self, key: object, login: Login, end: Callable[[], None]) -> None:
        """Take note of somebody who is in.

        Args:
            key: What names the connection.
            login: Who.
            end: Called once, by another thread, if the login is over before it has left; must not block.
        """
        with self._lock:
            self._logins[key] = login, end

    def used(self, key: object) -> bool:
        """Take note that something was said on a connection; return whether its login still holds."""
        with self._lock:
            login, _ = self._logins.get(key, (None, None))
            if login is not None and login.kept:
                self._used[login.session.id] = login.session.address
            return login is not None

    def leave(self, key: object) -> None:
        """Take note that a connection is closed; a session that nothing can resume ends with it."""
        self.used(key)
        with self._lock:
            login, _ = self._logins.pop(key, (None, None))
            if login is not None and login.kept and login.session.token is None:
                self._ended.add(login.session.id)

    def look(self) -> None:
        """Write what is to be written, and end the logins that are over."""
        with self._lock:
            used, ended = self._used, self._ended
            self._used, self._ended = {}, set()
            logins = list(self._logins.items())
        quiet_since = self._accounts.now() - STILL_THERE_EVERY
        sessions = self._find_sessions([login.session.id for _, (login, _) in logins if login.kept])
        for key, (login, end) in logins:
            try:
                over = self._is_over(login, sessions)
            except StoreError:
                continue  # the file can't tell: nobody goes for that
            if over:
                with self._lock:
                    self._logins.pop(key, None)
                end()
        for session in (sessions or {}).values():
            if session.last_used <= quiet_since:
                used.setdefault(session.id, session.address)
        try:
            self._accounts.sessions.settle(used=used, ended=ended)
        except StoreError:  # next time, then: it only makes sessions last longer, or shorter
            with self._lock:
                self._used = {**used, **self._used}
                self._ended |= ended
        self._tidy()

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_S):
            self.look()
        self.look()

    def _find_sessions(self, session_ids: list[str]) -> dict[str, Session] | None:
        """Return those that aren't over; None if the file can't tell."""
        try:
            return self._accounts.sessions.find_all(session_ids) if session_ids else {}
        except StoreError:
            return None

    def _is_over(self, login: Login, sessions: dict[str, Session] | None) -> bool:
        if not self._accounts.is_current(login.session):
            return True
        return login.kept and sessions is not None and login.session.id not in sessions

    def _tidy(self) -> None:
        """Forget what has expired, once in a while: not soon after the start, when the clock may be wrong."""
        now = time.monotonic()
        if now >= self._tidy_at:
            self._tidy_at = now + TIDY_EVERY_S
            with contextlib.suppress(StoreError):  # next time, then
                self._accounts.sessions.tidy()
