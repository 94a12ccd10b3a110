"""Which Host and Origin a server on a private port answers to."""

import pytest

from sockctl.protocol.http_rules import (
    HostHeader,
    accepts_host,
    accepts_origin,
    is_request,
    make_refusal,
    may_become_request,
    parse_host_header,
)


@pytest.mark.parametrize(
    ("value", "host"),
    [
        ("localhost", HostHeader("localhost", None)),
        ("LocalHost:8080", HostHeader("localhost", 8080)),
        ("127.0.0.1:1", HostHeader("127.0.0.1", 1)),
        ("[::1]:8080", HostHeader("::1", 8080)),
        ("[fe80::1]", HostHeader("fe80::1", None)),
        ("chat.example", HostHeader("chat.example", None)),
    ],
)
def test_hosts_are_understood(value: str, host: HostHeader) -> None:
    assert parse_host_header(value) == host
    assert str(host) == value.lower()


@pytest.mark.parametrize(
    "value",
    [
        "",
        ":80",
        "a b",
        "a:99999",
        "a:",
        "[::1",
        "::1",
        "[zz]",
        "[1.2.3.4]",
        "a/b",
        "a;b",
        "a@b",
        "ä",
        "-a",
        "a:b",
        "a,b",
    ],
)
def test_nonsense_is_no_host(value: str) -> None:
    assert parse_host_header(value) is None


def test_a_server_answers_to_addresses_localhost_and_its_names() -> None:
    for host in ("127.0.0.1", "::1", "192.0.2.7", "localhost"):
        assert accepts_host(host, ())
    for host in ("evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "localhost.", "2130706433", "0x7f.1"):
        assert not accepts_host(host, ())
    assert accepts_host("chat.example", {"chat.example"})


@pytest.mark.parametrize(
    ("origin", "host", "encrypted", "accepted"),
    [
        ("http://localhost:8080", "localhost:8080", False, True),
        ("http://LOCALHOST:8080", "localhost:8080", False, True),
        ("http://localhost", "localhost:80", False, True),
        ("https://localhost", "localhost", True, True),
        ("https://chat.example", "chat.example", False, True),  # a proxy encrypts
        ("http://localhost:8080", "localhost:8080", True, False),
        ("http://localhost:8081", "localhost:8080", False, False),
        ("http://127.0.0.1:8080", "localhost:8080", False, False),
        ("http://evil.example", "localhost:8080", False, False),
        ("http://localhost:8080.evil.example", "localhost:8080", False, False),
        ("http://localhost:8080/", "localhost:8080", False, False),
        ("null", "localhost:8080", False, False),
        ("", "localhost:8080", False, False),
        ("file://", "localhost:8080", False, False),
        ("ws://localhost:8080", "localhost:8080", False, False),
    ],
)
def test_the_origin_is_the_own_page(origin: str, host: str, encrypted: bool, accepted: bool) -> None:
    parsed = parse_host_header(host)
    assert parsed is not None
    assert accepts_origin(origin, parsed, encrypted=encrypted) is accepted


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", True),
        (b"POST /x", True),
        (b"BREW /pot HTTP/1.1\r\n", True),
        (b"get /x\n", False),
        (b"GETTING / there\n", False),
        (b"say GET / HTTP\n", False),
        (b"ls /\necho HTTP/1.1\n", False),
        (b"\x00\xff", False),
        (b"BREW /a pot HTTP/1.1\r\n", False),
        ("brüh /pot HTTP/1.1\r\n".encode(), False),
    ],
)
def test_a_request_is_known_by_its_first_bytes(first: bytes, expected: bool) -> None:
    assert is_request(first) is expected


@pytest.mark.parametrize("request_", [b"GET / HTTP/1.1\r\n", b"BREW /pot HTTP/1.0\n"])
def test_each_beginning_of_a_request_may_become_one(request_: bytes) -> None:
    for length in range(1, len(request_)):
        assert may_become_request(request_[:length]) or is_request(request_[:length])


@pytest.mark.parametrize("first", [b"ls\n", b"ls -l\r\n", b"a b c", b"a b HTTP/2", b"\x00", b" ", b"a  \xff\xff"])
def test_other_beginnings_never_become_one(first: bytes) -> None:
    assert not may_become_request(first)


def test_a_refusal_is_a_whole_response() -> None:
    head, _, body = make_refusal("No page is here: wörd.").partition(b"\r\n\r\n")
    first, *headers = head.split(b"\r\n")
    assert first == b"HTTP/1.1 403 Forbidden"
    assert {b"Connection: close", b"Content-Length: %d" % len(body)} <= set(headers)
    assert body.decode() == "No page is here: wörd.\n"
