"""Tests for `sockctl.cli.port_check`."""

import json

import pytest

from sockctl.cli.port_check import print_ports
from sockctl.client.port_check import PortState
from sockctl.net.address import Endpoint

OPEN = PortState(Endpoint("::1", 22), "open", 0.001)
CLOSED = PortState(Endpoint("::1", 23), "closed", 0.002, "Nothing listens.")


def test_a_line_each(capfd: pytest.CaptureFixture[str]) -> None:
    assert not print_ports([OPEN, CLOSED], json=False, quiet=False)
    assert capfd.readouterr().out == "open   [::1]:22\nclosed [::1]:23\n"


def test_json_lines(capfd: pytest.CaptureFixture[str]) -> None:
    assert not print_ports([CLOSED], json=True, quiet=False)
    assert json.loads(capfd.readouterr().out) == {
        "host": "::1",
        "port": 23,
        "open": False,
        "state": "closed",
        "seconds": 0.002,
        "error": "Nothing listens.",
    }


def test_quiet_tells_by_its_result_alone(capfd: pytest.CaptureFixture[str]) -> None:
    assert print_ports([OPEN], json=False, quiet=True)
    assert not print_ports([OPEN, CLOSED], json=True, quiet=True)
    assert capfd.readouterr().out == ""
