"""Tests for `sockctl.client.targets`."""

import pytest

from sockctl.client.targets import Targets
from sockctl.errors import ConnectTimeoutError, NotGreetedError, SockctlError, TurnedAwayError, UnreachableError
from sockctl.net.address import Endpoint

A, B, C = (Endpoint(host, 9090) for host in "abc")


def test_a_round_tries_each_once() -> None:
    targets = Targets([A, B, C])
    tried = [(targets.current, targets.has_more, targets.advance()) for _ in range(4)]
    assert tried == [(A, True, True), (B, True, True), (C, False, False), (A, True, True)]


def test_a_round_may_begin_anywhere() -> None:
    targets = Targets([A, B, C])
    targets.advance()
    targets.begin_round()
    assert [(targets.current, targets.advance()) for _ in range(3)] == [(B, True), (C, True), (A, False)]


def test_one_server_is_a_round() -> None:
    targets = Targets([A])
    assert not targets.are_several
    assert not targets.has_more
    assert not targets.advance()
    error = UnreachableError("No.")
    assert targets.explain(error) is error


@pytest.mark.parametrize(
    ("errors", "kind"),
    [
        ([UnreachableError("x"), UnreachableError("y")], UnreachableError),
        ([ConnectTimeoutError("x"), UnreachableError("y")], ConnectTimeoutError),
        ([TurnedAwayError("x"), UnreachableError("y")], SockctlError),
        ([UnreachableError("x"), NotGreetedError("y")], UnreachableError),
    ],
)
def test_an_error_names_all(errors: list[SockctlError], kind: type[SockctlError]) -> None:
    targets = Targets([A, B])
    targets.advance(errors[0])
    explained = targets.explain(errors[1])
    assert isinstance(explained, kind)
    assert str(explained) == "None of the 2 servers lets the client in:\n  a:9090: x\n  b:9090: y"


def test_an_error_that_names_its_server_stands_alone_without_its_question() -> None:
    targets = Targets([A, B])
    targets.advance(UnreachableError("Can't connect to a:9090: refused. Is the server running, is the port right?"))
    assert str(targets.explain(UnreachableError("y"))).splitlines()[1] == "  Can't connect to a:9090: refused."
