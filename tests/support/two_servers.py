"""Two servers of one chat that share a log in memory, or twice the same server, for tests of both."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sockctl.net.limits import Limits
from sockctl.protocol.messages import Message, make_message
from sockctl.services.chat.service import Chat
from sockctl.services.chat.settings import ChatLimits, ChatRules
from sockctl.services.chat.shared_backing import CLOSE_AFTER_S, SharedBacking
from tests.support.accounts import accounts_at
from tests.support.list_log import ListLog, ListNode
from tests.support.logins import make_login
from tests.support.running import LATE_CHOICE, Running, running, wait_until

FREE = ChatRules(flood=None)
DEFAULT = ChatLimits()
MANY = Limits(max_clients_per_address=1_000)


class Terminal:
    """A server's terminal, at which an operator types."""

    def __init__(self, chat: Chat) -> None:
        self.shown: list[Message] = []
        self._type = chat.open_console(self.shown.append)

    def type(self, line: str) -> None:
        self._type(make_message("line", line))

    def until(self, text: str) -> None:
        """Wait until a text is shown."""
        wait_until(lambda: any(text in one.text for one in self.shown))


@dataclass
class Servers:
    """Two servers of one chat, or twice the same one.

    Attributes:
        terminal: The terminal of the first one.
        log: Their log; None for one server.
    """

    one: Running
    two: Running
    terminal: Terminal
    log: ListLog | None = None

    @property
    def nodes(self) -> tuple[ListNode, ListNode]:
        """Their places in the log."""
        assert self.log is not None
        return self.log.nodes["one"], self.log.nodes["two"]


@contextlib.contextmanager
def serve_two(
    *,
    rules: ChatRules = FREE,
    limits: ChatLimits = DEFAULT,
    accounts: Path | None = None,
    close_after_s: float = CLOSE_AFTER_S,
) -> Iterator[Servers]:
    """Serve one chat on two servers; with `accounts`, for the users that this data directory has."""
    log = ListLog()
    make = partial(make_shared, log, rules=rules, limits=limits, accounts=accounts, close_after_s=close_after_s)
    first = make("one")
    terminal = Terminal(first)
    with running(first, MANY, LATE_CHOICE) as one, running(make("two"), MANY, LATE_CHOICE) as two:
        yield Servers(one, two, terminal, log)


def make_shared(
    log: ListLog,
    name: str,
    *,
    rules: ChatRules = FREE,
    limits: ChatLimits = DEFAULT,
    accounts: Path | None = None,
    close_after_s: float = CLOSE_AFTER_S,
) -> Chat:
    """Make a chat that shares a log."""
    login = None if accounts is None else make_login(accounts)
    backing = SharedBacking(log.make(name), close_after_s=close_after_s)
    return Chat(backing, rules, login=login, limits=limits)


@contextlib.contextmanager
def serve_one(
    folder: Path, *, rules: ChatRules = FREE, limits: ChatLimits = DEFAULT, with_accounts: bool = False
) -> Iterator[Servers]:
    """Serve a chat on one server, which stands for both."""
    login = make_login(folder) if with_accounts else None
    chat = Chat(folder, rules, login=login, limits=limits)
    terminal = Terminal(chat)
    with running(chat, MANY, LATE_CHOICE) as run:
        yield Servers(run, run, terminal)


@contextlib.contextmanager
def serve(kind: str, folder: Path, *, users: tuple[str, ...] = ()) -> Iterator[Servers]:
    """Serve a chat of a kind, ``local`` or ``shared``: for these users, or for guests where there are none."""
    if users:
        accounts_at(folder, *users)
    if kind == "local":
        with serve_one(folder, with_accounts=bool(users)) as servers:
            yield servers
    else:
        with serve_two(accounts=folder if users else None) as servers:
            yield servers
