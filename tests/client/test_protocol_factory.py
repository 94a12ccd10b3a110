"""Tests for `sockctl.client.protocol_factory`."""

import json
from pathlib import Path
from typing import Any

import pytest

from sockctl.client.protocol import MessageProtocol
from sockctl.client.protocol_factory import make_protocol
from sockctl.client.server_identity import ServerIdentity
from sockctl.client.settings import ClientSettings
from sockctl.client.token_store import TokenStore
from sockctl.errors import InsecureError
from sockctl.protocol.messages import make_message
from tests.support.session import SERVER, frames_in


def protocol(tmp_path: Path, *, in_clear: bool = False, insist: bool = True, **settings: Any) -> MessageProtocol:
    return make_protocol(
        ClientSettings(**settings),
        SERVER,
        ServerIdentity(SERVER, in_clear=in_clear),
        open_tokens=lambda: TokenStore(tmp_path),
        remark=lambda *_, **__: None,
        view=None,
        insist=insist,
    )


def hello_of(one: MessageProtocol) -> dict[str, Any]:
    one.wire.feed(b"sockctl/1 auth\r\n")
    hello: dict[str, Any] = json.loads(frames_in(bytes(one.wire.outgoing))[0])
    return hello


def test_lines_go_in_turns_but_for_a_terminal(tmp_path: Path) -> None:
    for terminal in (False, True):
        one = protocol(tmp_path, terminal=terminal)
        hello_of(one)
        assert one.can_send is terminal


@pytest.mark.parametrize(
    ("in_clear", "settings", "tokens"),
    [
        (False, {}, True),
        (False, {"session": False}, False),
        (False, {"hex_dump": True}, False),
        (True, {}, False),
        (True, {"insecure": True}, True),
    ],
)
def test_where_the_server_may_give_a_token(
    tmp_path: Path, in_clear: bool, settings: dict[str, Any], tokens: bool
) -> None:
    hello = hello_of(protocol(tmp_path, in_clear=in_clear, **settings))
    assert ("session" not in hello) is tokens


def test_a_password_does_not_go_in_clear(tmp_path: Path) -> None:
    question = make_message("ask", "Password?", field="password", secret=True)
    guarded = protocol(tmp_path, in_clear=True)
    guarded.admit(question)
    with pytest.raises(InsecureError):
        guarded.encode_line("secret")
    insecure = protocol(tmp_path, in_clear=True, insecure=True)
    insecure.admit(question)
    assert b"secret" in insecure.encode_line("secret")


def test_whether_it_insists(tmp_path: Path) -> None:
    assert protocol(tmp_path).insists
    assert not protocol(tmp_path, insist=False).insists
