"""The gate between a client's first bytes and its program, without a socket."""

import math
import time

import pytest

from sockctl.errors import HttpRefusedError
from sockctl.services.request_gate import HELD_BYTES, HOLD_S, RequestGate

REQUESTS = (b"GET / HTTP/1.1\r\n", b"POST /x", b"BREW /pot HTTP/1.0\n", b"x-y * HTTP/1.1\r\n")


@pytest.mark.parametrize("request_", REQUESTS)
@pytest.mark.parametrize("cut", [1, 2, 5, 100])
def test_no_cut_lets_a_request_through(request_: bytes, cut: int) -> None:
    gate = RequestGate(is_open=False)
    with pytest.raises(HttpRefusedError):
        assert not any(gate.admit(request_[at : at + cut]) for at in range(0, len(request_), cut))


@pytest.mark.parametrize(
    "first",
    [b"ls -l /tmp", b"ls\n", b"ls\r", b"\x00\x01", b'{"a"', b"\xff", b"a b\n", b"a b HTTQ", b" GET /", b"a b c"],
)
def test_bytes_that_begin_no_request_pass_at_once(first: bytes) -> None:
    gate = RequestGate(is_open=False)
    assert gate.admit(first) == first
    assert gate.until == math.inf
    assert gate.admit(REQUESTS[0]) == REQUESTS[0], "the first bytes count alone"


def test_bytes_that_may_begin_a_request_wait_for_more() -> None:
    gate = RequestGate(is_open=False)
    before = time.monotonic()
    assert gate.admit(b"GE") == b""
    until = gate.until
    assert before + HOLD_S <= until <= time.monotonic() + HOLD_S
    assert gate.admit(b"T") == b""
    assert gate.until == until, "it begins with the first byte"
    assert gate.admit(b"\n") == b"GET\n"
    assert gate.until == math.inf


def test_bytes_that_have_waited_pass_when_it_opens() -> None:
    gate = RequestGate(is_open=False)
    assert gate.admit(b"GET") == b""
    assert gate.open() == b"GET"
    assert gate.open() == b""
    assert gate.admit(b" / HTTP/1.1\r\n") == b" / HTTP/1.1\r\n"


def test_what_waits_is_bounded() -> None:
    gate = RequestGate(is_open=False)
    assert gate.admit(b"a" * (HELD_BYTES - 1)) == b""
    assert gate.admit(b"a") == b"a" * HELD_BYTES


def test_an_open_gate_lets_requests_through() -> None:
    assert RequestGate(is_open=True).admit(REQUESTS[0]) == REQUESTS[0]
