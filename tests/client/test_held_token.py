"""Tests for `sockctl.client.held_token`."""

from sockctl.client.held_token import Held
from sockctl.client.server_identity import ServerIdentity
from tests.support.session import SERVER


def test_the_repr_is_without_the_secret() -> None:
    held = Held(server=ServerIdentity(SERVER), service="auth", token="tok-secret", user="ann")
    assert "tok-secret" not in repr(held) + str(held) + f"{[held]}"
    assert "ann" in repr(held)
    assert held != Held(server=ServerIdentity(SERVER), service="auth", token="tok-other", user="ann")
