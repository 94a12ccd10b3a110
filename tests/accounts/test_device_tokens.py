"""Which device a token proves."""

import base64
import secrets

import pytest

from sockctl.accounts.device_tokens import DeviceTokens

SESSION = "0123456789ab"
TOKENS = DeviceTokens(lambda: b"k" * 32)


def token_of(tokens: DeviceTokens = TOKENS, session: str = SESSION, account: str = "ann") -> str:
    return f"{session}.{tokens.make_secret(session, account)}"


def test_a_token_proves_its_account_and_no_other() -> None:
    token = token_of()
    assert TOKENS.find_device([token], "ann") == SESSION
    assert TOKENS.find_device([token], "bob") == ""
    assert DeviceTokens(lambda: b"k" * 32).find_device([token], "ann") == SESSION, "after a restart"
    assert DeviceTokens(lambda: b"x" * 32).find_device([token], "ann") == "", "another server"


def test_one_of_several_is_enough() -> None:
    assert TOKENS.find_device(["junk", token_of(account="bob"), token_of()], "ann") == SESSION
    assert TOKENS.find_device([], "ann") == ""


def test_each_secret_is_another_one() -> None:
    assert len({TOKENS.make_secret(SESSION, "ann") for _ in range(100)}) == 100


@pytest.mark.parametrize("text", ["", SESSION, f"{SESSION}.", f"{SESSION}.{'A' * 43}", f"{SESSION}.{'ä' * 43}"])
def test_what_is_no_token(text: str) -> None:
    assert TOKENS.find_device([text], "ann") == ""


def test_a_token_that_was_made_elsewhere_proves_nothing() -> None:
    secret = TOKENS.make_secret(SESSION, "ann")
    for text in (f"{SESSION}.{secrets.token_urlsafe(32)}", f"ba9876543210.{secret}", f"{SESSION}.{secret}A"):
        assert TOKENS.find_device([text], "ann") == ""


def test_a_changed_bit_proves_nothing() -> None:
    session, _, secret = token_of().partition(".")
    raw = bytearray(base64.urlsafe_b64decode(f"{secret}="))
    for place in range(len(raw)):
        changed = bytearray(raw)
        changed[place] ^= 1
        text = base64.urlsafe_b64encode(changed).decode().rstrip("=")
        assert TOKENS.find_device([f"{session}.{text}"], "ann") == ""
