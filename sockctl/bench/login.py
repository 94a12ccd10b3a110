"""Logins: each client connects, logs in by password, leaves, and begins again."""

import time
from collections import deque

from sockctl.bench.message_client import MessageClient
from sockctl.bench.pool import Client, ClientPool, WorkerContext
from sockctl.errors import UnsendableError
from sockctl.protocol.messages import Message, make_message

REST_S = 0.1
"""How long a refused client rests, so that clients don't storm a server that refuses."""


class LoginClient(MessageClient):
    """One client, one connection after the other.

    Args:
        context: The state that all clients share.
        number: The client's number.
        pool: All clients, and the logins that are due.
    """

    def __init__(self, context: WorkerContext, number: int, pool: "LoginPool") -> None:
        super().__init__(context, number)
        self._pool = pool
        self._due: float | None = None
        self._named = self._asked = False

    @property
    def at_work(self) -> bool:
        """Whether the client logs in right now."""
        return self._due is not None

    def log_in(self, due: float) -> None:
        """Begin a login that was due at `due`."""
        self._due = due
        self._named = self._asked = False
        self.open(time.monotonic())

    def find_wait_start(self) -> float | None:
        """Return None: `open` sets the time within which the client must have logged in."""
        return None

    def heard(self, one: Message) -> None:
        """Answer a question, or note how the login ended."""
        match one.kind:
            case "ask" if one.get("field") == "password":
                self._asked = True
                self._say("password", self.context.plan.password)
            case "ask" if one.get("field") == "name" and not self._named:
                self._named = True
                self._say("name", self.context.plan.user.replace("{}", str(self.number)))
            case "welcome" if self._asked:
                self._succeed()
            case "welcome":
                self.fail("no_password")
            case "error":
                self.fail(one.get("code") or "refused")
            case "bye":
                self.fail("closed")

    def _say(self, field: str, text: str) -> None:
        try:
            self.send(make_message("answer", text, field=field))
        except UnsendableError:
            self.fail("unsendable")

    def _succeed(self) -> None:
        now = time.monotonic()
        due = now if self._due is None else self._due
        self.joined = True
        if due >= self.context.pace.measured_from:
            self.context.stats.answer(now - due, now, 0)
        self.send(make_message("bye"))
        self.drop()

    def drop(self) -> None:
        """Close the connection, and begin the next login if there is one."""
        was_at_work, self._due = self._due is not None, None
        super().drop()
        if was_at_work:
            self._pool.free(self, rests=not self.joined)


class LoginPool(ClientPool):
    """The clients of a server where one logs in.

    Args:
        context: The state that they share.
    """

    def __init__(self, context: WorkerContext) -> None:
        super().__init__(context)
        plan = context.plan
        self._clients = [LoginClient(context, plan.first + number, self) for number in range(plan.clients)]
        self.clients.extend(self._clients)
        self._idle = deque(self._clients)
        self._due: deque[float] = deque()
        self._resting: deque[tuple[float, LoginClient]] = deque()

    def open(self) -> None:
        """Do nothing: a login begins with its connection."""

    @property
    def here(self) -> list[Client]:
        """All clients: each may begin at once."""
        return self.clients

    @property
    def all_out(self) -> bool:
        """False: a client that is out begins its next login."""
        return False

    def begin(self, now: float) -> None:
        """Let all idle clients log in."""
        for _ in range(len(self._idle)):
            if self.context.pace.grant(1, now):
                self.say(now)

    def say(self, due: float) -> None:
        """Begin a login, or put it in line until a client is free."""
        if self._idle:
            self._idle.popleft().log_in(due)
        else:
            self._due.append(due)

    def free(self, client: LoginClient, *, rests: bool) -> None:
        """Note that a client is idle; after a rest, if it `rests`, it may begin the next login."""
        if rests:
            self._resting.append((time.monotonic() + REST_S, client))
        else:
            self._idle.append(client)

    def process_pending(self, now: float) -> None:
        """Let idle clients begin the logins that are due."""
        while self._resting and self._resting[0][0] <= now:
            self._idle.append(self._resting.popleft()[1])
        while self._idle and self._due:
            self._idle.popleft().log_in(self._due.popleft())
        if self.context.plan.rate is None:
            self.begin(now)

    def check_timeouts(self, now: float) -> None:
        """Fail the clients that have waited too long."""
        for client in self._clients:
            if client.at_work:
                client.check_timeouts(now)

    def awaits(self) -> bool:
        """Return whether a client logs in, or a login is due."""
        return bool(self._due) or any(client.at_work for client in self._clients)
