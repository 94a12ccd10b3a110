"""Servers for the load tool."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sockctl.events.base import Level
from sockctl.services.auth import Auth
from sockctl.services.echo import Echo
from tests.support.accounts import accounts_at
from tests.support.logins import make_login
from tests.support.running import running


@contextmanager
def echo() -> Iterator[int]:
    with running(Echo(), level=Level.WARNING) as run:
        yield run.port


def auth(folder: Path) -> Auth:
    accounts_at(folder, "ann", *(f"user{number}" for number in range(4)))
    return Auth(make_login(folder))
