"""Tests for `sockctl.client.token_form`."""

import json
from pathlib import Path

import pytest

from sockctl.client.token_form import make_address
from sockctl.client.token_store import TokenStore
from sockctl.errors import StoreFormatError
from sockctl.net.address import Endpoint

LATER = "2026-01-31T14:00:00+01:00"


def test_several_servers_have_one_address_in_any_order() -> None:
    chat = [Endpoint("B.example", 9090), Endpoint("a.example", 9090), Endpoint("::1", 9091)]
    assert make_address(chat) == "[::1]:9091,a.example:9090,b.example:9090"
    assert make_address([*reversed(chat), chat[0]]) == make_address(chat)
    assert make_address(chat[:1]) == "b.example:9090"


@pytest.mark.parametrize("address", ["b:1,a:1", "a:1,a:1", "a:1,", "a,b:1"])
def test_a_file_with_another_form_of_several_is_refused(tmp_path: Path, address: str) -> None:
    entry = {"service": "chat", "fingerprint": "", "token": "tok", "expires": LATER}
    path = tmp_path / "tokens.json"
    path.write_text(json.dumps({"version": 1, "sessions": {address: [entry]}}))
    path.chmod(0o600)
    with pytest.raises(StoreFormatError, match="HOST:PORT"):
        TokenStore(tmp_path).list_all()
