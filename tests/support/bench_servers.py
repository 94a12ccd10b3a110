"""Servers for the load tool."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sockctl.accounts.hash_queue import HashQueue
from sockctl.events.base import Level
from sockctl.services.auth import Auth
from sockctl.services.echo import Echo
from sockctl.services.login import LoginConversation
from tests.support.accounts import accounts_at
from tests.support.running import running


@contextmanager
def echo() -> Iterator[int]:
    with running(Echo(), level=Level.WARNING) as run:
        yield run.port


def auth(folder: Path) -> Auth:
    accounts_at(folder, "ann", *(f"user{number}" for number in range(4)))
    return Auth(LoginConversation(folder, queue=HashQueue(slots=2), floor_s=0.001))
