"""The logins whose connections are open. A change of a user or a session ends them within 2 s.

One thread asks the stores and writes to them, so that no thread that serves clients waits for a disk or an engine.
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

LOOK_S = 0.5
"""How often the thread looks; where nothing has changed, that costs a few calls of stat(), or two requests."""
STILL_THERE_EVERY = datetime.timedelta(hours=1)
"""How often a silent connection counts as a use of its session."""
TIDY_AFTER_S = 3_600.0
"""How long a server runs before it deletes expired sessions: the clock of a machine that just started may be wrong."""
TIDY_EVERY_S = 60.0


class ActiveLogins:
    """The logins whose connections are open. Any thread may use it; nothing but `start` and `stop` blocks.

    Args:
        accounts: The accounts.
        tidy_after_s: Seconds until the first deletion of expired sessions.
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
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Save the last uses, and stop the thread. Blocks."""
        self._stopping.set()
        self._thread.join()
        self._accounts.sessions.close()

    def add(self, key: object, login: Login, end: Callable[[], None]) -> None:
        """Add a login.

        Args:
            key: Identifies the connection.
            login: The login.
            end: Called once, by another thread, if the login ends before `remove` is called; must not block.
        """
        with self._lock:
            self._logins[key] = login, end

    def note_use(self, key: object) -> bool:
        """Note the use of a connection; return whether its login still holds."""
        with self._lock:
            login, _ = self._logins.get(key, (None, None))
            if login is not None and login.kept:
                self._used[login.session.id] = login.session.address
            return login is not None

    def remove(self, key: object) -> None:
        """Note that a connection is closed. A session without a token ends with it."""
        self.note_use(key)
        with self._lock:
            login, _ = self._logins.pop(key, (None, None))
            if login is not None and login.kept and login.session.token is None:
                self._ended.add(login.session.id)

    def end(self, key: object) -> Login | None:
        """End the login of a connection, and its session soon; return the login, or None if it is over."""
        with self._lock:
            login, _ = self._logins.pop(key, (None, None))
            if login is not None and login.kept:
                self._ended.add(login.session.id)
            return login

    def look(self) -> None:
        """Save which sessions were used, and end the logins that are over."""
        with self._lock:
            used, ended = self._used, self._ended
            self._used, self._ended = {}, set()
            logins = list(self._logins.items())
        with contextlib.suppress(StoreError):  # no login ends because the users can't be read
            self._accounts.users.refresh()
        quiet_since = self._accounts.now() - STILL_THERE_EVERY
        sessions = self._find_sessions([login.session.id for _, (login, _) in logins if login.kept])
        for key, (login, end) in logins:
            try:
                over = self._is_over(login, sessions)
            except StoreError:
                continue  # nor because of a file
            if over:
                with self._lock:
                    self._logins.pop(key, None)
                end()
        for session in (sessions or {}).values():
            if session.last_used <= quiet_since:
                used.setdefault(session.id, session.address)
        try:
            self._accounts.sessions.settle(used=used, ended=ended)
        except StoreError:  # the next call saves it: meanwhile, sessions only last longer, or shorter
            with self._lock:
                self._used = {**used, **self._used}
                self._ended |= ended
        self._tidy()

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_S):
            self.look()
        self.look()

    def _find_sessions(self, session_ids: list[str]) -> dict[str, Session] | None:
        """Return the sessions that aren't over; None if the file can't be read."""
        try:
            return self._accounts.sessions.find_all(session_ids) if session_ids else {}
        except StoreError:
            return None

    def _is_over(self, login: Login, sessions: dict[str, Session] | None) -> bool:
        if not self._accounts.is_current(login.session):
            return True
        return login.kept and sessions is not None and login.session.id not in sessions

    def _tidy(self) -> None:
        """Delete expired sessions once in a while, but not soon after the start, when the clock may be wrong."""
        now = time.monotonic()
        if now >= self._tidy_at:
            self._tidy_at = now + TIDY_EVERY_S
            with contextlib.suppress(StoreError):  # the next call tries again
                self._accounts.sessions.tidy()
