"""Which schemes a target may have, and what the error about another one advises."""

import pytest

from sockctl.net.schemes import explain_scheme, is_web_address


@pytest.mark.parametrize(
    ("text", "expected"),
    [("ws://a", True), ("wss://a", True), ("ws", False), ("ws:a", False), ("tcp://a", False), ("http://a", False)],
)
def test_the_address_of_a_websocket_begins_with_its_scheme(text: str, expected: bool) -> None:
    assert is_web_address(text) is expected


@pytest.mark.parametrize(
    ("target", "advice"),
    [
        ("http://localhost:9080/", "write ws://localhost:9080/"),
        ("HTTPS://a.example/x", "write wss://a.example/x"),
        ("http://localhost:9080/", "Its bytes are at localhost:9080;"),
        ("http://[::1]/x", "Its bytes are at [::1]:80;"),
        ("https://a.example", "Its bytes are at tls://a.example:443;"),
        ("https://a.example?b=1", "Its bytes are at tls://a.example:443;"),
        ("ws://localhost", "Write HOST:PORT here."),
        ("udp://localhost", "'sockctl connect' and 'sockctl bench echo' take it"),
        (
            "wsx://localhost",
            "tcp://, sockctl://, tls://, sockctls:// and unix:PATH, and 'sockctl connect' also udp://, ws:// and",
        ),
    ],
)
def test_another_scheme_is_refused_with_advice(target: str, advice: str) -> None:
    text = explain_scheme(target, target.partition("://")[0])
    assert repr(target) in text
    assert advice in text


@pytest.mark.parametrize("scheme", ["http", "ws", "ftp"])
def test_no_password_is_shown(scheme: str) -> None:
    text = explain_scheme(f"{scheme}://ann:sec@ret@a.example:80/", scheme)
    assert f"{scheme}://a.example:80/" in text
    assert "ret@" not in text
    assert "ann" not in text
