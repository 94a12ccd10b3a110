"""The golden files of events: a visit at an echo server, as a terminal of the server and of the client shows it.

A golden file can't hold the ports, the process and the times of a run, and their length moves the line breaks. So a
real server tells its events as JSON, what differs is replaced, and the terminal's format makes the screen of them.
"""

import json
from collections.abc import Iterable
from types import ModuleType
from typing import Any

import pytest

from sockctl.events import client, connection, server
from sockctl.events.base import Event, Record
from sockctl.events.formats import TerminalFormat
from sockctl.events.reasons import DisconnectReason
from tests.support.clock import NOON
from tests.support.running import echo_process, exchange
from tests.support.screens import WIDTHS, check_screen

FIXED: dict[str, Any] = {"version": "0.1.0", "pid": 4242, "port": 9090, "peer": "127.0.0.1:50000", "seconds": 0.25}
FIXED |= {"backlog": 4096, "max_clients": 512}  # a system may allow fewer
COMMAND = "sockctl connect 127.0.0.1 9090"


def kinds_in(*modules: ModuleType) -> dict[str, type[Event]]:
    """Return the events that modules declare, by name."""
    declared = (kind for module in modules for kind in vars(module).values() if isinstance(kind, type))
    return {kind.name: kind for kind in declared if issubclass(kind, Event)}


def remade(fields: dict[str, Any]) -> Event:
    """Return an event that was told as JSON, with a fixed value for what differs from run to run."""
    kind = kinds_in(server, connection)[fields["event"]]
    values = {name: value for name, value in fields.items() if name not in {"time", "event", "service", "text"}}
    values |= {name: value for name, value in FIXED.items() if name in values}
    if "command" in values:
        values["command"] = COMMAND
    if "reason" in values:
        values["reason"] = DisconnectReason(values["reason"])
    return kind(**values)


def check(name: str, events: Iterable[Event], columns: int, *, colour: bool) -> None:
    """Compare the screen of some events with its golden file."""
    shows = TerminalFormat(colours=colour, columns=lambda: columns)
    screen = "".join(f"{shows(Record(NOON.timestamp(), 'echo', event))}\n" for event in events)
    stamp = NOON.astimezone().strftime("%H:%M:%S")  # a terminal shows local time
    screen = screen.replace(stamp, "12:00:00")
    check_screen("-".join([name, str(columns), *(["colour"] if colour else [])]), screen)


@pytest.fixture(scope="module")
def visit() -> list[Event]:
    """Return what a server tells from its start to its stop, with one client between."""
    with echo_process("--host", "127.0.0.1") as (run, port):
        assert exchange(port, b"hello\n") == b"hello\n"
        run.event("client_disconnected")
        run.end()
    told = [json.loads(line) for line in run.lines]
    # not every machine has IPv6, or as many descriptors as a server wants
    told = [one for one in told if one.get("host") != "::1" and one["event"] != "descriptors_limited"]
    return [remade(one) for one in told]


@pytest.mark.parametrize("colour", [True, False], ids=["colour", "plain"])
@pytest.mark.parametrize("columns", WIDTHS)
def test_golden_events_of_a_server(columns: int, visit: list[Event], *, colour: bool) -> None:
    check("events-serve-echo", visit, columns, colour=colour)


@pytest.mark.parametrize("colour", [True, False], ids=["colour", "plain"])
@pytest.mark.parametrize("columns", WIDTHS)
def test_golden_events_of_a_client(columns: int, *, colour: bool) -> None:
    events = [
        client.Connected(peer="127.0.0.1:9090", local="127.0.0.1:50000"),
        client.DataSent(bytes=6),
        client.DataReceived(bytes=6),
        client.InputEnded(),
        client.Disconnected(reason="client_exit", bytes_in=6, bytes_out=6, seconds=0.25),
    ]
    check("events-connect", events, columns, colour=colour)
