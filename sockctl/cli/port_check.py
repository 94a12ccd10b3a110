"""Prints the states of ports, for ``sockctl connect -z``."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sockctl.client.outputs import encode_json_line
from sockctl.client.screen import Screen

if TYPE_CHECKING:
    from sockctl.client.port_check import PortState


def print_ports(states: "Iterable[PortState]", *, json: bool, quiet: bool) -> bool:
    """Print the state of each port, a line each; return whether all are open.

    Args:
        states: The states.
        json: Print JSON lines.
        quiet: Print nothing.

    Raises:
        BrokenPipeError: The reader has closed.
        StreamError: Standard output can't be written.
    """
    screen = Screen()
    all_open = True
    for one in states:
        all_open = all_open and one.state == "open"
        if not quiet:
            screen.write(encode_json_line(_encode_fields(one)) if json else f"{one.state:<6} {one.endpoint}\n".encode())
    return all_open


def _encode_fields(one: "PortState") -> dict[str, object]:
    fields = {
        "host": one.endpoint.host,
        "port": one.endpoint.port,
        "open": one.state == "open",
        "state": one.state,
        "seconds": one.seconds,
    }
    return {**fields, "error": one.error} if one.error else fields
