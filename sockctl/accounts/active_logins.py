"""The logins whose connections are open. A change of a user or a session ends them within 2 s.

One thread asks the stores and writes to them, so that no thread that serves clients waits for a disk or an engine.
"""

import contextlib
import datetime
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence

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
FULL_EVERY = datetime.timedelta(minutes=1)
"""How often the thread looks at each session, where the store tells of those that end."""
_NEVER = datetime.datetime.min.replace(tzinfo=datetime.UTC)

_Logins = dict[object, tuple[Login, Callable[[], None]]]


class ActiveLogins:
    """The logins whose connections are open. Any thread may use it; nothing but `start` and `stop` blocks.

    Args:
        accounts: The accounts.
        on_bad: Called by the thread, once until they can be read again, when the users can't be read any more.
        tidy_after_s: Seconds until the first deletion of expired sessions.
    """

    def __init__(
        self,
        accounts: Accounts,
        *,
        on_bad: Callable[[StoreError], None] = lambda _: None,
        tidy_after_s: float = TIDY_AFTER_S,
    ) -> None:
        self._accounts = accounts
        self._on_bad = on_bad
        self._is_bad = False  # whether that was told
        self._tidy_at = time.monotonic() + tidy_after_s
        self._users: object = None  # as they were at the last look
        self._mark = ""  # of the ends of sessions that the last look knew
        self._full_at = _NEVER  # when each session was looked at last
        self._lock = threading.Lock()  # guards the four below
        self._logins: _Logins = {}
        self._new: set[object] = set()  # keys of those that were added since the last look
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
            self._new.add(key)

    def find(self, key: object) -> Login | None:
        """Return the login of a connection; None where there is none."""
        with self._lock:
            login, _ = self._logins.get(key, (None, None))
            return login

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
                self._accounts.sessions.end_soon(login.session.id)

    def end(self, key: object) -> Login | None:
        """End the login of a connection, and its session soon; return the login, or None if it is over."""
        with self._lock:
            login, _ = self._logins.pop(key, (None, None))
            if login is not None and login.kept:
                self._ended.add(login.session.id)
                self._accounts.sessions.end_soon(login.session.id)
            return login

    def look(self) -> None:
        """Save which sessions were used, and end the logins that are over."""
        with self._lock:
            used, ended, new = self._used, self._ended, self._new
            self._used, self._ended, self._new = {}, set(), set()
            logins = self._logins.copy()
        sessions, over = self._find_over(logins, new)
        for key in over:
            with self._lock:
                self._logins.pop(key, None)
            logins[key][1]()
        quiet_since = self._accounts.now() - STILL_THERE_EVERY
        for session in sessions.values():
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

    def _find_over(self, logins: _Logins, new: set[object]) -> tuple[dict[str, Session], list[object]]:
        """Return the sessions that were looked at, and the keys of logins that are over.

        After a change of the users, all logins are looked at, else the new ones. No login ends because a store can't be
        read.
        """
        try:
            self._accounts.users.refresh()
            users = self._accounts.users.state
            suspects = list(logins) if users is not self._users else [key for key in new if key in logins]
            over = [key for key in suspects if not self._accounts.is_current(logins[key][0].session)]
            self._users, self._is_bad = users, False
        except StoreError as error:
            self._users, over = None, []  # the next look is at all
            if not self._is_bad:
                self._is_bad = True
                self._on_bad(error)
        keys: defaultdict[str, list[object]] = defaultdict(list)  # several clients may share a session
        for key, (login, _) in logins.items():
            if login.kept:
                keys[login.session.id].append(key)
        try:
            sessions, ended = self._find_sessions(keys, [logins[key][0].session.id for key in new if key in logins])
        except StoreError:
            self._full_at = _NEVER
            return {}, over
        return sessions, list(dict.fromkeys([*over, *(key for own in ended for key in keys.get(own, ()))]))

    def _find_sessions(self, known: Collection[str], new: Sequence[str]) -> tuple[dict[str, Session], list[str]]:
        """Return the sessions that were looked at, and the ids of sessions that have ended."""
        if not known:
            return {}, []
        now = self._accounts.now()
        mark, ended = self._accounts.sessions.list_ended(self._mark)
        is_full = ended is None or abs(now - self._full_at) >= FULL_EVERY
        asked = list(known) if is_full else [own for own in new if own in known]
        sessions = self._accounts.sessions.find_all(asked) if asked else {}
        self._mark = mark
        if is_full:
            self._full_at = now
        return sessions, [*(ended or ()), *(own for own in asked if own not in sessions)]

    def _tidy(self) -> None:
        """Delete expired sessions once in a while, but not soon after the start, when the clock may be wrong."""
        now = time.monotonic()
        if now >= self._tidy_at:
            self._tidy_at = now + TIDY_EVERY_S
            with contextlib.suppress(StoreError):  # the next call tries again
                self._accounts.sessions.tidy()
