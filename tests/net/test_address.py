import pwd
from pathlib import Path

import pytest

from sockctl.errors import AddressError
from sockctl.net.address import (
    Endpoint,
    Target,
    extract_host,
    find_unix_address,
    format_address,
    is_abstract,
    is_loopback,
    parse_host,
    parse_port,
    parse_target,
    parse_targets,
)

TARGETS = {
    ("localhost:9090", None): Target("localhost", 9090),
    ("localhost", "9090"): Target("localhost", 9090),
    ("localhost", None): Target("localhost", None),
    ("localhost:", None): Target("localhost", None),
    (":9090", None): Target(None, 9090),
    (None, None): Target(None, None),
    (None, "9090"): Target(None, 9090),
    ("[::1]:9090", None): Target("::1", 9090),
    ("[::1]", "9090"): Target("::1", 9090),
    ("::1", "9090"): Target("::1", 9090),
    ("::1", None): Target("::1", None),
    ("fe80::1%eth0", "1"): Target("fe80::1%eth0", 1),
    ("tcp://127.0.0.1:80", None): Target("127.0.0.1", 80, "tcp"),
    ("tcp://[::1]:80/", None): Target("::1", 80, "tcp"),
    ("tcp://localhost", "80"): Target("localhost", 80, "tcp"),
    ("sockctl://[::1]:80/", None): Target("::1", 80, "sockctl"),
    ("sockctl://localhost", "80"): Target("localhost", 80, "sockctl"),
    ("unix:/run/s", None): Target("unix:/run/s", 0),
    ("unix:/run/../s", None): Target("unix:/s", 0),
    ("unix:s", None): Target(f"unix:{Path.cwd()}/s", 0),
    ("unix:./9090", None): Target(f"unix:{Path.cwd()}/9090", 0),
    ("unix:~/s", None): Target(f"unix:{Path.home()}/s", 0),
    ("unix:9090", None): Target("unix", 9090),
    ("unix", "9090"): Target("unix", 9090),
    ("sockctl://unix:/run/s", None): Target("unix:/run/s", 0, "sockctl"),
    ("tls://unix:@s", None): Target("unix:@s", 0, "tls"),
    ("bücher.example:1", None): Target("bücher.example", 1),
}


@pytest.mark.parametrize(("typed", "meant"), TARGETS.items())
def test_targets(typed: tuple[str | None, str | None], meant: Target) -> None:
    assert parse_target(*typed) == meant


@pytest.mark.parametrize(
    ("target", "port", "says"),
    [
        ("localhost:9090", "9091", "given twice"),
        ("http://localhost:80", None, "the address of a page"),
        ("./u.sock", None, "looks like a Unix socket, not a host: write unix:./u.sock"),
        ("/run/chat", "80", "write unix:/run/chat"),
        ("u.sock", None, "write unix:u.sock"),
        ("sockctl://./u.sock", None, "write unix:./u.sock"),
        (
            "UNIX-CONNECT:/run/u.sock",
            None,
            "'UNIX-CONNECT:/run/u.sock' looks like a Unix socket, not a host: write unix:/",
        ),
        ("TCP:localhost:80", None, "'TCP:localhost:80' is not an address: write HOST:PORT"),
        ("1::2::3", None, "'1::2::3' is not an IPv6 address"),
        ("wsx://localhost:80", None, "unknown scheme: sockctl knows tcp://, sockctl://"),
        ("sockctl:localhost", None, "not a port"),
        ("9090", None, "looks like a port"),
        ("[::1", "9090", "written \\[::1\\]:9090"),
        ("[::1]x", "9090", "written \\[::1\\]:9090"),
        ("1:2:3", None, "not an IPv6 address"),
        ("local host", "9090", "not a host"),
        ("*", "9090", "not a host"),
        ("a..b", "9090", "not a host"),
        ("x" * 64, "9090", "not a host"),
        ("x" * 254, "9090", "not a host"),
        ("localhost:nine", None, "'nine' is not a port"),
        ("localhost", "9" * 5_000, f"'{'9' * 80}' is not a port"),
        ("tcp://localhost:80/path", None, "not a port"),
        ("unix:", None, "path of the Unix socket is empty"),
        ("unix:@", None, "path of the Unix socket is empty"),
        ("unix:/s", "9090", "has no port: leave '9090' out"),
        (f"unix:/{'x' * 107}", None, "has 108 bytes, and the address of a Unix socket has room for 107"),
        (f"unix:/{'ß' * 54}", None, "has 109 bytes"),
        (f"unix:@{'x' * 107}", None, "abstract name is too long"),
    ],
)
def test_nonsense_is_explained(target: str, port: str | None, says: str) -> None:
    with pytest.raises(AddressError, match=says):
        parse_target(target, port)


@pytest.mark.parametrize(
    ("typed", "port", "meant"),
    [
        ("a:1", None, [Target("a", 1)]),
        ("a:1,b:2", None, [Target("a", 1), Target("b", 2)]),
        ("sockctl://a:1,b", "2", None),
        ("sockctls://a,[::1]:2/", None, [Target("a", None, "sockctls"), Target("::1", 2, "sockctls")]),
        ("sockctl://a:1,sockctl://b:2", None, [Target("a", 1, "sockctl"), Target("b", 2, "sockctl")]),
        ("a,::1", "9090", [Target("a", 9090), Target("::1", 9090)]),
        ("b:1, a:1,b:1", None, [Target("b", 1), Target("a", 1)]),
    ],
)
def test_several_targets(typed: str, port: str | None, meant: list[Target] | None) -> None:
    if meant is None:
        with pytest.raises(AddressError, match="given twice"):
            parse_targets(typed, port)
    else:
        assert parse_targets(typed, port) == meant


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("a:1,", "'a:1,' names an empty target: write HOST:PORT,HOST:PORT"),
        ("sockctl://,a:1", "names an empty target"),
        ("sockctl://a:1,,b:1", "names an empty target"),
        ("sockctl://a:1,tcp://b:1", "several schemes"),
        ("a:1,sockctls://b:1", "several schemes"),
        ("sockctls://a:1,sockctl://b:1", "several schemes"),
        ("wsx://a:1,b:1", "unknown scheme"),
        ("a:1,9090", "looks like a port"),
    ],
)
def test_several_targets_that_are_none(typed: str, says: str) -> None:
    with pytest.raises(AddressError, match=says):
        parse_targets(typed)


@pytest.mark.parametrize("text", ["", "0", "-1", "65536", "9090.0", "٣", "1e3", " 80", "0x50", "²", "9" * 5_000])
def test_what_is_no_port(text: str) -> None:
    with pytest.raises(AddressError, match="whole number from 1 to 65535"):
        parse_port(text)


def test_a_port_by_the_name_of_its_service() -> None:
    assert parse_port("http") == 80
    assert parse_target("localhost:http") == Target("localhost", 80)
    assert parse_target("::1", "https") == Target("::1", 443)


def test_ports() -> None:
    assert parse_port("1") == 1
    assert parse_port("65535") == 65535
    assert parse_port("0", any_free=True) == 0
    with pytest.raises(AddressError, match="from 0 to"):
        parse_port("-1", any_free=True)


def test_hosts() -> None:
    assert parse_host("[::1]") == "::1"
    with pytest.raises(AddressError, match="empty"):
        parse_host("")
    for text in ("127.0.0.1:9090", "tcp://127.0.0.1"):
        with pytest.raises(AddressError, match="alone, without scheme and port"):
            parse_host(text)


def test_shown() -> None:
    assert str(Endpoint("::1", 80)) == "[::1]:80"
    assert format_address("localhost", 80) == "localhost:80"


def test_the_longest_path_of_a_unix_socket() -> None:
    path = f"/{'x' * 106}"
    assert parse_target(f"unix:{path}") == Target(f"unix:{path}", 0)


def test_unix_sockets_and_their_clients_are_shown() -> None:
    root = pwd.getpwuid(0).pw_name
    assert format_address("unix:/run/s", 0) == str(Endpoint("unix:/run/s", 0)) == "unix:/run/s"
    assert format_address("uid:0", 42) == f"uid 0 ({root}), pid 42"
    assert (find_unix_address("unix:/run/s"), find_unix_address("unix:@s")) == ("/run/s", "\0s")
    assert (is_abstract("unix:/@s"), is_abstract("unix:@s")) == (False, True)


def test_ipv4_mapped_address_is_the_ipv4_one() -> None:
    assert extract_host(("::ffff:192.0.2.7", 1, 0, 0)) == "192.0.2.7"
    assert extract_host(("::1", 1, 0, 0)) == "::1"
    assert extract_host(("192.0.2.7", 1)) == "192.0.2.7"


@pytest.mark.parametrize(
    ("address", "stays"),
    [
        ("127.0.0.1", True),
        ("127.255.255.254", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:7f00:1", True),
        ("192.0.2.7", False),
        ("128.0.0.1", False),
        ("10.0.0.1", False),
        ("::ffff:192.0.2.7", False),
        ("::127.0.0.1", False),
        ("fe80::1%eth0", False),
        ("2001:db8::1", False),
        ("0.0.0.0", False),  # noqa: S104  nothing listens
        ("", False),
        ("localhost", False),
    ],
)
def test_what_stays_within_the_machine(address: str, stays: bool) -> None:
    assert is_loopback(address) is stays
